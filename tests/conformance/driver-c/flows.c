/* Commands about flows. */
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "member.h"

/* Dependencies of one job, and jobs, at most. */
#define MOST 64

/* Splits a text at each +. */
static size_t split(char *text, const char *parts[MOST]) {
    size_t count = 0;
    for (char *part = strtok(text, "+"); part != NULL && count < MOST; part = strtok(NULL, "+")) parts[count++] = part;
    return count;
}

static swarm_error *add_flow(swarm_master *master, command *command, line *answer) {
    static const char *const shapes[] = {"graph", "chain", "fan_in", NULL};
    swarm_job_options options[MOST];
    swarm_new_job jobs[MOST];
    const char *after[MOST][MOST];
    size_t count, id_count, after_count;
    char **payloads = command_list(command, "payloads", &count), **ids = command_list(command, "ids", &id_count);
    char **after_each = command_list(command, "after_each", &after_count);
    if (count > MOST) misuse("too many jobs", "payloads");
    for (size_t i = 0; i < count; i++) {
        options[i] = job_options(command);
        options[i].id = i < id_count ? ids[i] : NULL;
        options[i].after_count = i < after_count ? split(after_each[i], after[i]) : 0;
        options[i].after = options[i].after_count == 0 ? NULL : after[i];
        jobs[i] = (swarm_new_job){bytes_of_hex(payloads[i]), &options[i]};
    }
    swarm_flow_options flow = SWARM_FLOW_OPTIONS_INIT;
    flow.id = command_find(command, "id");
    flow.shape = option_choice(command_find(command, "shape"), shapes);
    const char *cancel = command_find(command, "cancel_rest");
    flow.cancel_rest = cancel != NULL && strcmp(cancel, "true") == 0;
    swarm_error *error = NULL;
    swarm_call *added = NULL;
    if (answered(swarm_master_add_flow(master, jobs, count, &flow), CALL_MS, &added, &error) == SWARM_OK) {
        const char *json = swarm_call_json(added), *each = json_member(json, "jobs");
        show(answer, json, "id");
        show(answer, json, "existed");
        show_each(answer, "ids", each, (const char *const[]){"id", NULL});
        show_each(answer, "existed_each", each, (const char *const[]){"existed", NULL});
    }
    swarm_call_free(added);
    free(payloads);
    free(ids);
    free(after_each);
    return error;
}

static int compare(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The dependencies of a job, sorted. */
static void show_after(line *answer, const char *job, bool first) {
    char *ids[MOST];
    size_t count = 0;
    for (const char *id = json_first(json_member(job, "after")); id != NULL && count < MOST; id = json_next(id)) ids[count++] = json_text(id);
    qsort(ids, count, sizeof *ids, compare);
    line joined = {0};
    line_add(&joined, "");
    for (size_t i = 0; i < count; i++) {
        if (i > 0) line_add(&joined, "+");
        line_add(&joined, ids[i]);
        free(ids[i]);
    }
    line_item(answer, joined.data == NULL ? "" : joined.data, first);
    free(joined.data);
}

static swarm_error *flow(swarm_master *master, command *command, line *answer) {
    swarm_error *error = NULL;
    swarm_call *found = NULL;
    if (answered(swarm_master_flow(master, command_text(command, "id")), CALL_MS, &found, &error) != SWARM_OK) return error;
    const char *json = swarm_call_json(found);
    if (json == NULL) {
        line_text(answer, "id", "");
    } else {
        const char *jobs = json_member(json, "jobs");
        show(answer, json, "id");
        show(answer, json, "cancel_rest");
        show_each(answer, "ids", jobs, (const char *const[]){"id", NULL});
        show_each(answer, "states", jobs, (const char *const[]){"state", NULL});
        line_add(answer, " after_each=");
        for (const char *job = json_first(jobs); job != NULL; job = json_next(job)) show_after(answer, job, job == json_first(jobs));
    }
    swarm_call_free(found);
    return NULL;
}

const master_command flow_commands[] = {{"add_flow", add_flow}, {"flow", flow}, {NULL, NULL}};
