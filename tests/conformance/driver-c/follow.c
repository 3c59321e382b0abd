/* Commands about the events of jobs. */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "member.h"

/* Events that are kept between two commands, at most. */
#define MOST 256

typedef struct {
    int32_t kind;
    char *id, *reason, *text, *name, *position;
    bool fenced, due;
} kept_event;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t came = PTHREAD_COND_INITIALIZER;
static kept_event kept[MOST];
static size_t count;
static swarm_events *follower;

static void keep(void *user_data, const swarm_job_event *event, const swarm_error *error) {
    (void)user_data, (void)error;
    if (event == NULL) return;
    pthread_mutex_lock(&lock);
    if (count == MOST) misuse("too many events", event->id);
    kept[count++] = (kept_event){
        event->kind,          strdup(event->id),       strdup(event->reason),
        strdup(event->text),  strdup(event->name),     strdup(event->position),
        event->fence > 0 && event->worker[0] != '\0', event->due_at > 0,
    };
    pthread_cond_signal(&came);
    pthread_mutex_unlock(&lock);
}

static void forget(size_t number) {
    for (size_t i = 0; i < number; i++) {
        free(kept[i].id), free(kept[i].reason), free(kept[i].text), free(kept[i].name), free(kept[i].position);
    }
    memmove(kept, kept + number, (count - number) * sizeof *kept);
    count -= number;
}

void follow_end(void) {
    swarm_events_free(follower);
    follower = NULL;
    forget(count);
}

static swarm_error *follow(swarm_master *master, command *command, line *answer) {
    (void)answer;
    follow_end();
    swarm_error *error = NULL;
    if (swarm_events_new(master, command_find(command, "after"), keep, NULL, NULL, &follower, &error) != SWARM_OK) return error;
    swarm_call_end(swarm_events_ready(follower), CALL_MS, &error);
    return error;
}

static swarm_error *unfollow(swarm_master *master, command *command, line *answer) {
    (void)master, (void)command, (void)answer;
    follow_end();
    return NULL;
}

static swarm_error *followed(swarm_master *master, command *command, line *answer) {
    (void)master;
    static const char *const kinds[] = {"added",    "replaced", "delayed",   "blocked", "waiting", "assigned",       "progress",
                                        "released", "retrying", "completed", "failed",  "deleted", "schedule_fired", "missed"};
    size_t wanted = command_number(command, "count");
    pthread_mutex_lock(&lock);
    while (count < wanted) pthread_cond_wait(&came, &lock);
    line_add(answer, " kinds=");
    for (size_t i = 0; i < wanted; i++) line_item(answer, kinds[kept[i].kind], i == 0);
    line_add(answer, " ids=");
    for (size_t i = 0; i < wanted; i++) line_item(answer, kept[i].id, i == 0);
    line_add(answer, " reasons=");
    for (size_t i = 0; i < wanted; i++) line_item(answer, kept[i].reason, i == 0);
    line_add(answer, " texts=");
    for (size_t i = 0; i < wanted; i++) line_item(answer, kept[i].text, i == 0);
    line_add(answer, " names=");
    for (size_t i = 0; i < wanted; i++) line_item(answer, kept[i].name, i == 0);
    line_add(answer, " fenced=");
    for (size_t i = 0; i < wanted; i++) line_item(answer, kept[i].fenced ? "true" : "false", i == 0);
    line_add(answer, " due=");
    for (size_t i = 0; i < wanted; i++) line_item(answer, kept[i].due ? "true" : "false", i == 0);
    line_text(answer, "position", wanted > 0 ? kept[wanted - 1].position : "");
    forget(wanted);
    pthread_mutex_unlock(&lock);
    return NULL;
}

const master_command follow_commands[] = {
    {"follow", follow}, {"unfollow", unfollow}, {"followed", followed}, {NULL, NULL},
};
