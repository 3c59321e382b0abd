#include "json.h"
#include "member.h"

#include <stdlib.h>
#include <string.h>

static bool is_own(const char *name) {
    static const char *const own[] = {"cluster", "behave", "burn", "log", "tasks", "batch_size", "batch_wait", "batch_by"};
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        if (strcmp(name, own[i]) == 0) return true;
    }
    return false;
}

swarm_options *options_of(command *command) {
    swarm_options *options = swarm_options_new(command_text(command, "cluster"));
    size_t count;
    char **tasks = command_list(command, "tasks", &count);
    for (size_t i = 0; i < count; i++) swarm_options_set(options, "task", tasks[i]);
    free(tasks);
    for (size_t i = 0; i < command->count; i++) {
        const char *name = command->fields[i].name;
        if (!is_own(name)) swarm_options_set(options, name, command_text(command, name));
    }
    return options;
}

swarm_status answered(swarm_call *call, uint64_t timeout_ms, swarm_call **answer, swarm_error **error) {
    swarm_status status = swarm_call_wait(call, timeout_ms, error);
    if (status == SWARM_OK) *answer = call;
    else swarm_call_free(call);
    return status;
}

swarm_status stats_of(const swarm_member *member, uint64_t timeout_ms, swarm_stats *stats, swarm_error **error) {
    swarm_call *counted = NULL;
    swarm_status status = answered(swarm_member_stats(member), timeout_ms, &counted, error);
    if (status == SWARM_OK) *stats = *swarm_call_stats(counted);
    swarm_call_free(counted);
    return status;
}

swarm_status delete_jobs(const swarm_member *member, const char *const *ids, size_t count, uint64_t timeout_ms, bool *existed,
                         swarm_error **error) {
    swarm_call *deleted = NULL;
    swarm_status status = answered(swarm_member_delete(member, ids, count), timeout_ms, &deleted, error);
    for (size_t i = 0; status == SWARM_OK && i < count; i++) existed[i] = swarm_call_existed(deleted, i);
    swarm_call_free(deleted);
    return status;
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
    line_number(answer, "kept", stats->kept);
}

swarm_error *show_value(swarm_call *call, line *answer, const char *name) {
    swarm_error *error = NULL;
    swarm_call *json = NULL;
    if (answered(call, CALL_MS, &json, &error) != SWARM_OK) return error;
    char *value = json_text(swarm_call_json(json));
    line_text(answer, name, value);
    free(value);
    swarm_call_free(json);
    return NULL;
}
