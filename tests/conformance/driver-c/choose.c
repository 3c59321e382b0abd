/* A master that chooses the workers of waiting jobs. */
#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "member.h"

typedef struct chooser {
    char *name;
    /* What was answered last. */
    char *answer;
} chooser;

/* The worker of one name, or none. */
static const char *choose_named(void *user_data, const char *job, const char *workers) {
    (void)job;
    chooser *chooser = user_data;
    free(chooser->answer);
    chooser->answer = NULL;
    for (const char *worker = json_first(workers); worker != NULL; worker = json_next(worker)) {
        char *name = json_text(json_member(worker, "name"));
        bool found = strcmp(name, chooser->name) == 0;
        free(name);
        if (found) return chooser->answer = json_text(json_member(worker, "incarnation"));
    }
    return NULL;
}

static void free_chooser(void *user_data) {
    chooser *chooser = user_data;
    free(chooser->name);
    free(chooser->answer);
    free(chooser);
}

static swarm_error *choose(swarm_master *master, command *command, line *answer) {
    (void)answer;
    swarm_error *error = NULL;
    chooser *chooser = malloc(sizeof *chooser);
    if (chooser == NULL) misuse("out of memory", "chooser");
    *chooser = (struct chooser){strdup(command_text(command, "worker")), NULL};
    if (chooser->name == NULL) misuse("out of memory", "chooser");
    size_t count;
    char **tasks = command_list(command, "tasks", &count);
    swarm_status status = swarm_call_end(swarm_master_choose(master, command_number(command, "limit"), (const char *const *)tasks, count, choose_named, chooser, free_chooser), CALL_MS, &error);
    free(tasks);
    return status == SWARM_OK ? NULL : error;
}

static swarm_error *stop_choosing(swarm_master *master, command *command, line *answer) {
    (void)command, (void)answer;
    swarm_error *error = NULL;
    swarm_call_end(swarm_master_stop_choosing(master), CALL_MS, &error);
    return error;
}

const master_command choose_commands[] = {{"choose", choose}, {"stop_choosing", stop_choosing}, {NULL, NULL}};
