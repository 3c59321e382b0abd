#define _POSIX_C_SOURCE 200809L
#include "events.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

typedef struct entry {
    line line;
    /* NULL if it is none. */
    swarm_message *message;
    struct entry *next;
} entry;

struct events {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    entry *first, **last;
    /* Of the events taken. */
    swarm_message *last_message;
};

events *events_new(void) {
    events *events = calloc(1, sizeof *events);
    if (events == NULL) misuse("out of memory", "events");
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&events->filled, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&events->lock, NULL);
    events->last = &events->first;
    return events;
}

void events_free(events *events) {
    while (events->first != NULL) {
        entry *entry = events->first;
        events->first = entry->next;
        swarm_message_free(entry->message);
        free(entry->line.data);
        free(entry);
    }
    swarm_message_free(events->last_message);
    pthread_cond_destroy(&events->filled);
    pthread_mutex_destroy(&events->lock);
    free(events);
}

static void push(events *events, line line, swarm_message *message) {
    entry *new = malloc(sizeof *new);
    if (new == NULL) misuse("out of memory", "event");
    *new = (entry){line, message, NULL};
    pthread_mutex_lock(&events->lock);
    *events->last = new;
    events->last = &new->next;
    pthread_cond_signal(&events->filled);
    pthread_mutex_unlock(&events->lock);
}

void events_push(events *events, line line) {
    push(events, line, NULL);
}

void events_next(events *events, uint64_t timeout_ms, line *answer) {
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    uint64_t nanoseconds = (uint64_t)end.tv_nsec + timeout_ms * 1000000;
    end.tv_sec += (time_t)(nanoseconds / 1000000000);
    end.tv_nsec = (long)(nanoseconds % 1000000000);
    pthread_mutex_lock(&events->lock);
    int waited = 0;
    while (events->first == NULL && waited != ETIMEDOUT) waited = pthread_cond_timedwait(&events->filled, &events->lock, &end);
    entry *entry = events->first;
    if (entry != NULL) {
        events->first = entry->next;
        if (events->first == NULL) events->last = &events->first;
    }
    pthread_mutex_unlock(&events->lock);
    line_clear(answer);
    line_add(answer, entry == NULL ? "ok event=none" : entry->line.data);
    if (entry != NULL && entry->message != NULL) {
        swarm_message_free(events->last_message);
        events->last_message = entry->message;
    }
    if (entry != NULL) free(entry->line.data);
    free(entry);
}

void events_push_ready(events *events, const char *incarnation) {
    line line = {0};
    line_add(&line, "ok event=ready");
    line_text(&line, "incarnation", incarnation);
    events_push(events, line);
}

void events_push_close(events *events, const swarm_error *error) {
    line line = {0};
    line_add(&line, "ok event=close");
    line_text(&line, "code", error == NULL ? "" : swarm_status_name(swarm_error_status(error)));
    events_push(events, line);
}

void events_push_error(events *events, const swarm_error *error) {
    line line = {0};
    line_add(&line, "ok event=error");
    line_text(&line, "code", swarm_status_name(swarm_error_status(error)));
    line_text(&line, "message", swarm_error_message(error));
    events_push(events, line);
}

void events_push_message(events *events, const swarm_message *message) {
    const swarm_peer *from = swarm_message_details(message)->from;
    line line = {0};
    line_add(&line, "ok event=message");
    line_text(&line, "from", from->name);
    line_text(&line, "group", from->group);
    line_flag(&line, "wants_reply", swarm_message_details(message)->wants_reply);
    line_payload(&line, swarm_message_details(message)->payload, swarm_message_details(message)->content_type);
    push(events, line, swarm_message_keep(message));
}

const swarm_message *events_last_message(const events *events) {
    return events->last_message;
}
