/* Commands about metrics. */
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "member.h"

/* Tasks, at most. */
#define MOST 64

static swarm_error *metric(swarm_master *master, command *command, line *answer) {
    swarm_error *error = NULL;
    swarm_call *read = NULL;
    if (answered(swarm_master_metrics(master), CALL_MS, &read, &error) == SWARM_OK) {
        const char *name = command_text(command, "name"), *value = "";
        size_t length = strlen(name), value_length = 0;
        for (const char *at = swarm_call_text(read); at != NULL && *at != '\0';) {
            size_t end = strcspn(at, "\n");
            if (end > length && strncmp(at, name, length) == 0 && at[length] == ' ') {
                value = at + length + 1;
                value_length = end - length - 1;
            }
            at += end + (at[end] == '\n');
        }
        char copy[64] = "";
        memcpy(copy, value, value_length < sizeof copy ? value_length : sizeof copy - 1);
        line_text(answer, "value", copy);
    }
    swarm_call_free(read);
    return error;
}

static uint64_t number_of(const char *object, const char *name) {
    char *text = json_text(json_member(object, name));
    uint64_t number = strtoull(text, NULL, 10);
    free(text);
    return number;
}

static int compare(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void show_tasks(line *answer, const char *rows) {
    char *tasks[MOST];
    size_t count = 0;
    for (const char *row = json_first(rows); row != NULL && count < MOST; row = json_next(row)) tasks[count++] = json_text(json_member(row, "task"));
    qsort(tasks, count, sizeof *tasks, compare);
    line_add(answer, " tasks=");
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || strcmp(tasks[i], tasks[i - 1]) != 0) line_item(answer, tasks[i], i == 0);
    }
    for (size_t i = 0; i < count; i++) free(tasks[i]);
}

static swarm_error *metrics_history(swarm_master *master, command *command, line *answer) {
    static const char *const names[] = {"completed", "failed", "retried", "released", "deleted"};
    const char *start = command_find(command, "start"), *end = command_find(command, "end");
    uint64_t start_ms = start == NULL ? 0 : strtoull(start, NULL, 10), end_ms = end == NULL ? 0 : strtoull(end, NULL, 10);
    swarm_error *error = NULL;
    swarm_call *read = NULL;
    const char *resolution = command_text(command, "resolution");
    if (answered(swarm_master_metrics_history(master, resolution, start_ms, end_ms, command_find(command, "task")), CALL_MS, &read, &error) == SWARM_OK) {
        const char *rows = swarm_call_json(read);
        show_tasks(answer, rows);
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
            uint64_t sum = 0;
            for (const char *row = json_first(rows); row != NULL; row = json_next(row)) sum += number_of(row, names[i]);
            line_number(answer, names[i], sum);
        }
        uint64_t waits = 0, runs = 0;
        for (const char *row = json_first(rows); row != NULL; row = json_next(row)) {
            waits += number_of(json_member(row, "wait"), "count");
            runs += number_of(json_member(row, "run"), "count");
        }
        line_number(answer, "waits", waits);
        line_number(answer, "runs", runs);
    }
    swarm_call_free(read);
    return error;
}

const master_command metrics_commands[] = {{"metric", metric}, {"metrics_history", metrics_history}, {NULL, NULL}};
