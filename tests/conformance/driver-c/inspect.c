/* Commands that inspect the cluster, pause queues, retry failed jobs, and delete finished ones. */
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "member.h"

void show(line *answer, const char *object, const char *name) {
    char *text = json_text(json_member(object, name));
    line_text(answer, name, text);
    free(text);
}

void show_each(line *answer, const char *name, const char *array, const char *const *members) {
    line_add(answer, " ");
    line_add(answer, name);
    line_add(answer, "=");
    const char *first = json_first(array);
    for (const char *item = first; item != NULL; item = json_next(item)) {
        line all = {0};
        line_add(&all, "");
        for (size_t i = 0; members[i] != NULL; i++) {
            char *text = json_text(*members[i] == '\0' ? item : json_member(item, members[i]));
            if (i > 0) line_add(&all, ":");
            line_add(&all, text);
            free(text);
        }
        line_item(answer, all.data, item == first);
        free(all.data);
    }
}

static swarm_error *job(swarm_master *master, command *command, line *answer) {
    static const char *const members[] = {"state",    "holder", "fence",  "attempt",  "priority",
                                          "task",     "resource", "group",  "progress", "checkpoint", "error", "reason", "result"};
    static const char *const itself[] = {"", NULL}, *const text[] = {"text", NULL}, *const attempt[] = {"reason", "error", NULL};
    swarm_error *error = NULL;
    swarm_call *json = NULL;
    if (answered(swarm_master_job(master, command_text(command, "id")), CALL_MS, &json, &error) != SWARM_OK) return error;
    const char *found = swarm_call_json(json);
    if (found == NULL) line_text(answer, "state", "none");
    for (size_t i = 0; found != NULL && i < sizeof members / sizeof members[0]; i++) {
        show(answer, found, members[i]);
    }
    if (found != NULL) {
        show_each(answer, "limits", json_member(found, "limits"), itself);
        const char *log = json_member(found, "log");
        show_each(answer, "log", log == NULL ? "[]" : log, text);
        const char *attempts = json_member(found, "failed_attempts");
        show_each(answer, "failed_attempts", attempts == NULL ? "[]" : attempts, attempt);
        line_flag(answer, "result_omitted", json_member(found, "result_omitted") != NULL);
    }
    swarm_call_free(json);
    return NULL;
}

static swarm_error *jobs(swarm_master *master, command *command, line *answer) {
    static const char *const members[] = {"id", NULL};
    swarm_error *error = NULL;
    swarm_call *json = NULL;
    const char *after = command_find(command, "after");
    if (after != NULL && *after == '\0') after = NULL;
    uint32_t limit = (uint32_t)command_number(command, "limit");
    if (answered(swarm_master_jobs(master, command_text(command, "state"), after, limit), CALL_MS, &json, &error) != SWARM_OK) return error;
    show_each(answer, "ids", json_member(swarm_call_json(json), "jobs"), members);
    show(answer, swarm_call_json(json), "next");
    swarm_call_free(json);
    return NULL;
}

static swarm_error *queues(swarm_master *master, command *command, line *answer) {
    static const char *const members[] = {"priority", "task", "waiting", NULL}, *const itself[] = {"", NULL},
                      *const limits[] = {"name", NULL};
    (void)command;
    swarm_error *error = NULL;
    swarm_call *json = NULL;
    if (answered(swarm_master_queues(master), CALL_MS, &json, &error) != SWARM_OK) return error;
    show_each(answer, "queues", json_member(swarm_call_json(json), "queues"), members);
    show_each(answer, "limits", json_member(swarm_call_json(json), "limits"), limits);
    show_each(answer, "paused", json_member(swarm_call_json(json), "paused"), itself);
    char *chooser = json_text(json_member(swarm_call_json(json), "chooser"));
    line_flag(answer, "chooser", *chooser != '\0');
    free(chooser);
    swarm_call_free(json);
    return NULL;
}

static swarm_error *members(swarm_master *master, command *command, line *answer) {
    static const char *const members[] = {"role", "name", "slots", "active", NULL}, *const data[] = {"data", NULL}, *const paused[] = {"paused", NULL};
    (void)command;
    swarm_error *error = NULL;
    swarm_call *json = NULL;
    if (answered(swarm_master_members(master), CALL_MS, &json, &error) != SWARM_OK) return error;
    show_each(answer, "members", swarm_call_json(json), members);
    show_each(answer, "data", swarm_call_json(json), data);
    show_each(answer, "paused", swarm_call_json(json), paused);
    swarm_call_free(json);
    return NULL;
}

static swarm_error *pause_task(swarm_master *master, command *command, line *answer) {
    (void)answer;
    swarm_error *error = NULL;
    swarm_call_end(swarm_master_pause(master, command_find(command, "task"), true), CALL_MS, &error);
    return error;
}

static swarm_error *resume_task(swarm_master *master, command *command, line *answer) {
    (void)answer;
    swarm_error *error = NULL;
    swarm_call_end(swarm_master_pause(master, command_find(command, "task"), false), CALL_MS, &error);
    return error;
}

/* Retries or deletes failed jobs, or deletes completed ones, those with the ids or all. */
static swarm_error *change_failed(
    swarm_master *master, command *command, line *answer,
    swarm_call *(*change)(const swarm_master *, const char *const *, size_t)) {
    size_t count = SWARM_ALL;
    char **ids = NULL;
    for (size_t i = 0; i < command->count; i++) {
        if (strcmp(command->fields[i].name, "ids") == 0) ids = command_list(command, "ids", &count);
    }
    swarm_error *error = NULL;
    swarm_call *changed = NULL;
    if (answered(change(master, (const char *const *)ids, count), CALL_MS, &changed, &error) == SWARM_OK) {
        line_number(answer, "count", swarm_call_count(changed));
    }
    swarm_call_free(changed);
    free(ids);
    return error;
}

static swarm_error *retry_failed(swarm_master *master, command *command, line *answer) {
    return change_failed(master, command, answer, swarm_master_retry_failed);
}

static swarm_error *delete_failed(swarm_master *master, command *command, line *answer) {
    return change_failed(master, command, answer, swarm_master_delete_failed);
}

static swarm_error *delete_completed(swarm_master *master, command *command, line *answer) {
    return change_failed(master, command, answer, swarm_master_delete_completed);
}

const master_command look_commands[] = {
    {"job", job},           {"jobs", jobs},          {"queues", queues},
    {"members", members},   {"pause", pause_task},   {"resume", resume_task},
    {"retry_failed", retry_failed}, {"delete_failed", delete_failed}, {"delete_completed", delete_completed}, {NULL, NULL},
};
