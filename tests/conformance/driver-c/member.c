#include "member.h"

#include <stdlib.h>
#include <string.h>

static bool is_own(const char *name) {
    static const char *const own[] = {"cluster", "behave", "burn", "log", "tasks"};
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        if (strcmp(name, own[i]) == 0) return true;
    }
    return false;
}

static bool set(swarm_options *options, const char *name, const char *value, line *answer) {
    swarm_error *error = NULL;
    if (swarm_options_set(options, name, value, &error) == SWARM_OK) return true;
    line_error(answer, error);
    return false;
}

swarm_options *options_of(command *command, line *answer) {
    swarm_options *options = swarm_options_new(command_text(command, "cluster"));
    size_t count;
    char **tasks = command_list(command, "tasks", &count);
    bool right = true;
    for (size_t i = 0; i < count; i++) right = right && set(options, "task", tasks[i], answer);
    free(tasks);
    for (size_t i = 0; i < command->count; i++) {
        const char *name = command->fields[i].name;
        if (right && !is_own(name)) right = set(options, name, command_text(command, name), answer);
    }
    if (right) return options;
    swarm_options_free(options);
    return NULL;
}

void line_health(line *answer, const swarm_health *health) {
    line_flag(answer, "healthy", health->healthy);
    line_flag(answer, "connected", health->connected);
    line_text(answer, "incarnation", health->incarnation);
    line_number(answer, "lease_left_ms", health->lease_left);
    line_number(answer, "active", health->active);
    line_number(answer, "pending", health->pending);
    line_text(answer, "error", health->trouble == SWARM_OK ? "" : swarm_status_name(health->trouble));
    line_text(answer, "error_message", health->trouble_message);
    line_number(answer, "registrations", health->registrations);
    line_number(answer, "added", health->added);
    line_number(answer, "assigned", health->assigned);
    line_number(answer, "finished", health->finished);
    line_number(answer, "sent", health->sent);
    line_number(answer, "received", health->received);
    line_number(answer, "dropped", health->dropped);
}

void line_stats(line *answer, const swarm_stats *stats) {
    line_number(answer, "waiting", stats->waiting);
    line_number(answer, "active", stats->active);
    line_number(answer, "deleting", stats->deleting);
    line_number(answer, "failed", stats->failed);
    line_number(answer, "results", stats->results);
    line_number(answer, "members", stats->members);
    line_number(answer, "added", stats->added);
    line_number(answer, "completed", stats->completed);
    line_number(answer, "failures", stats->failures);
    line_number(answer, "deleted", stats->deleted);
    line_number(answer, "crashes", stats->crashes);
    line_number(answer, "delayed", stats->delayed);
    line_number(answer, "blocked", stats->blocked);
    line_number(answer, "retries", stats->retries);
    line_number(answer, "revived", stats->revived);
    line_number(answer, "damaged", stats->damaged);
}
