/* Messages, for masters and workers alike. */
#ifndef DRIVER_MESSAGES_H
#define DRIVER_MESSAGES_H

#include "member.h"

/* A master or a worker; the other is NULL. */
typedef struct messenger {
    swarm_master *master;
    swarm_worker *worker;
    events *events;
} messenger;

/* Whether the command is about messages; then it was obeyed. */
bool messages_obey(messenger by, command *command, line *answer);

#endif
