/* Events that wait to be asked for: answer lines, pushed by callbacks, taken by commands. */
#ifndef DRIVER_EVENTS_H
#define DRIVER_EVENTS_H

#include "line.h"

typedef struct events events;

events *events_new(void);
void events_free(events *events);
/* Takes over the text. */
void events_push(events *events, line line);
/* Waits up to so many ms; `event=none` after that. */
void events_next(events *events, uint64_t timeout_ms, line *answer);

void events_push_ready(events *events, const char *incarnation);
void events_push_close(events *events, const swarm_error *error);
void events_push_error(events *events, const swarm_error *error);
/* Keeps the message. */
void events_push_message(events *events, const swarm_message *message);
/* The message of those taken last, NULL before the first; valid until the next event is taken. */
const swarm_message *events_last_message(const events *events);

#endif
