/* Messages, for masters and workers alike. */
#ifndef DRIVER_MESSAGES_H
#define DRIVER_MESSAGES_H

#include "member.h"

/* A master or a worker. */
typedef struct messenger {
    const swarm_member *member;
    events *events;
} messenger;

/* Whether the command is about messages; then it was obeyed. */
bool messages_obey(messenger by, command *command, line *answer);

#endif
