/* Commands about schedules. */
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "member.h"

/* The options of the jobs are the fields that begin with `job_`; they point into `fields`. */
static swarm_job_options options_of_jobs(command *from, command *fields) {
    for (size_t i = 0; i < from->count; i++) {
        field field = from->fields[i];
        if (strncmp(field.name, "job_", 4) == 0) field.name += 4;
        else if (strcmp(field.name, "type") != 0) continue;
        fields->fields[fields->count++] = field;
    }
    return job_options(fields);
}

static swarm_error *schedule(swarm_master *master, command *from, line *answer) {
    static const char *const overlaps[] = {"skip", "allow", "queue_one", "replace", NULL};
    static const char *const catch_ups[] = {"last", "none", "all", NULL};
    command fields = {0};
    swarm_job_options job = options_of_jobs(from, &fields);
    swarm_schedule_options options = SWARM_SCHEDULE_OPTIONS_INIT;
    options.cron = command_find(from, "cron");
    options.every = option_limit(from, "every");
    options.after_end = option_limit(from, "after_end");
    options.tz = command_find(from, "tz");
    options.start = option_limit(from, "start");
    options.end = option_limit(from, "end");
    options.limit = option_limit(from, "limit");
    if (command_find(from, "jitter") != NULL) options.jitter = command_number(from, "jitter");
    options.overlap = option_choice(command_find(from, "overlap"), overlaps);
    options.catch_up = option_choice(command_find(from, "catch_up"), catch_ups);
    swarm_error *error = NULL;
    swarm_call *set = NULL;
    swarm_call *call = swarm_master_schedule(master, command_text(from, "id"), &options, command_payload(from), &job);
    if (answered(call, CALL_MS, &set, &error) != SWARM_OK) return error;
    char *how = json_text(swarm_call_json(set));
    line_text(answer, "how", how);
    free(how);
    swarm_call_free(set);
    return NULL;
}

static swarm_error *unschedule(swarm_master *master, command *command, line *answer) {
    return show_value(swarm_master_unschedule(master, command_text(command, "id")), answer, "existed");
}

static swarm_error *pause_schedule(swarm_master *master, command *command, line *answer) {
    return show_value(swarm_master_pause_schedule(master, command_text(command, "id"), true), answer, "existed");
}

static swarm_error *resume_schedule(swarm_master *master, command *command, line *answer) {
    return show_value(swarm_master_pause_schedule(master, command_text(command, "id"), false), answer, "existed");
}

static swarm_error *run_schedule(swarm_master *master, command *command, line *answer) {
    return show_value(swarm_master_run_schedule(master, command_text(command, "id")), answer, "id");
}

/* All but the id. */
static const char *const schedule_fields[] = {
    "cron", "every",    "after_end", "tz",      "start",   "end",      "limit",  "jitter", "overlap", "catch_up",
    "task", "priority", "next_at",   "last_at", "last_job", "paused", "ended",  "added",   "skipped",
};

static swarm_error *schedule_info(swarm_master *master, command *command, line *answer) {
    swarm_error *error = NULL;
    swarm_call *json = NULL;
    if (answered(swarm_master_schedule_info(master, command_text(command, "id")), CALL_MS, &json, &error) != SWARM_OK) return error;
    const char *found = swarm_call_json(json);
    if (found == NULL) line_text(answer, "id", "");
    else show(answer, found, "id");
    for (size_t i = 0; found != NULL && i < sizeof schedule_fields / sizeof schedule_fields[0]; i++) {
        show(answer, found, schedule_fields[i]);
    }
    swarm_call_free(json);
    return NULL;
}

static swarm_error *schedules(swarm_master *master, command *command, line *answer) {
    swarm_error *error = NULL;
    swarm_call *json = NULL;
    const char *after = command_find(command, "after");
    if (after != NULL && *after == '\0') after = NULL;
    uint32_t limit = (uint32_t)command_number(command, "limit");
    if (answered(swarm_master_schedules(master, after, limit), CALL_MS, &json, &error) != SWARM_OK) return error;
    const char *page = json_member(swarm_call_json(json), "schedules");
    show_each(answer, "ids", page, (const char *const[]){"id", NULL});
    for (size_t i = 0; json_first(page) != NULL && i < sizeof schedule_fields / sizeof schedule_fields[0]; i++) {
        show_each(answer, schedule_fields[i], page, (const char *const[]){schedule_fields[i], NULL});
    }
    show(answer, swarm_call_json(json), "next");
    swarm_call_free(json);
    return NULL;
}

const master_command schedule_commands[] = {
    {"schedule", schedule},           {"unschedule", unschedule},       {"pause_schedule", pause_schedule},
    {"resume_schedule", resume_schedule}, {"run_schedule", run_schedule}, {"schedule_info", schedule_info},
    {"schedules", schedules},         {NULL, NULL},
};
