#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "messages.h"

struct master_driver {
    swarm_master *master;
    events *events;
};

static void on_ready(void *user_data, const char *incarnation) {
    events_push_ready(user_data, incarnation);
}

static void on_error(void *user_data, const swarm_error *error) {
    events_push_error(user_data, error);
}

master_driver *master_driver_new(command *command, line *answer) {
    swarm_options *options = options_of(command);
    swarm_error *error = NULL;
    swarm_master *master = NULL;
    swarm_status status = swarm_master_new(options, &master, &error);
    swarm_options_free(options);
    if (status != SWARM_OK) {
        line_error(answer, error);
        return NULL;
    }
    master_driver *driver = malloc(sizeof *driver);
    if (driver == NULL) misuse("out of memory", "master");
    *driver = (master_driver){master, events_new()};
    swarm_member_on_ready(swarm_master_member(master), on_ready, driver->events, NULL);
    swarm_member_on_error(swarm_master_member(master), on_error, driver->events, NULL);
    return driver;
}

void master_driver_free(master_driver *driver) {
    follow_end();
    swarm_master_free(driver->master);
    events_free(driver->events);
    free(driver);
}

static swarm_error *add(swarm_master *master, command *command, line *answer) {
    swarm_job_options options = job_options(command);
    return show_added(swarm_master_add(master, command_payload(command), &options), answer);
}

/* JSON text at the edges of what can be written or read. */
static swarm_error *add_value(swarm_master *master, command *command, line *answer) {
    static char deep[2 * 10000 + 1];
    memset(deep, '[', 10000);
    memset(deep + 10000, ']', 10000);
    const struct {
        const char *name, *text;
    } values[] = {{"deep", deep}, {"big", "9007199254740993"}, {"surrogate", "\"\\ud800\""}, {"nan", "NaN"}};
    const char *name = command_text(command, "value");
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        if (strcmp(values[i].name, name) != 0) continue;
        swarm_error *error = NULL;
        swarm_call *added = NULL;
        if (answered(swarm_master_add(master, swarm_bytes_of(values[i].text), NULL), CALL_MS, &added, &error) != SWARM_OK) return error;
        line_text(answer, "id", swarm_call_id(added, 0));
        swarm_call_free(added);
        return NULL;
    }
    misuse("no such value", name);
}

static swarm_error *add_many(swarm_master *master, command *command, line *answer) {
    job_list list = job_list_new(command);
    swarm_error *error = show_added_many(swarm_master_add_many(master, list.jobs, list.count), answer);
    job_list_free(&list);
    return error;
}

/* Adds in flight. */
typedef struct flood {
    pthread_mutex_t lock;
    pthread_cond_t finished;
    size_t open, stored;
    int failure;
    line *ids;
} flood;

static void flooded(void *user_data, const swarm_error *error, const swarm_call *added) {
    flood *flood = user_data;
    pthread_mutex_lock(&flood->lock);
    if (error != NULL) flood->failure = swarm_error_status(error);
    else line_item(flood->ids, swarm_call_id(added, 0), flood->stored++ == 0);
    if (--flood->open == 0) pthread_cond_signal(&flood->finished);
    pthread_mutex_unlock(&flood->lock);
}

static swarm_error *flood_all(swarm_master *master, command *command, line *answer) {
    size_t count = command_number(command, "count");
    swarm_bytes payload = command_payload(command);
    swarm_job_options options = job_options(command);
    line_add(answer, " ids=");
    flood flood = {.lock = PTHREAD_MUTEX_INITIALIZER, .finished = PTHREAD_COND_INITIALIZER, .open = count, .ids = answer};
    for (size_t i = 0; i < count; i++) {
        swarm_error *error = NULL;
        if (swarm_call_on_done(swarm_master_add(master, payload, &options), SWARM_NO_TIMEOUT, flooded, &flood, NULL, &error) != SWARM_OK) {
            misuse("adding", swarm_error_message(error));
        }
    }
    pthread_mutex_lock(&flood.lock);
    while (flood.open > 0) pthread_cond_wait(&flood.finished, &flood.lock);
    pthread_mutex_unlock(&flood.lock);
    if (flood.failure != 0) {
        line_clear(answer);
        line_add(answer, "error");
        line_text(answer, "code", swarm_status_name(flood.failure));
        line_text(answer, "message", "adding one of many");
    }
    return NULL;
}

static swarm_error *delete_one(swarm_master *master, command *command, line *answer) {
    swarm_error *error = NULL;
    bool existed = false;
    if (delete_jobs(swarm_master_member(master), (const char *const[]){command_text(command, "id")}, 1, CALL_MS, &existed, &error) == SWARM_OK) {
        line_flag(answer, "existed", existed);
    }
    return error;
}

static swarm_error *delete_many(swarm_master *master, command *command, line *answer) {
    size_t count;
    char **ids = command_list(command, "ids", &count);
    bool *existed = calloc(count + 1, sizeof *existed);
    if (existed == NULL) misuse("out of memory", "ids");
    swarm_error *error = NULL;
    if (delete_jobs(swarm_master_member(master), (const char *const *)ids, count, CALL_MS, existed, &error) == SWARM_OK) {
        line_add(answer, " existed_each=");
        for (size_t i = 0; i < count; i++) line_item(answer, existed[i] ? "true" : "false", i == 0);
    }
    free(existed);
    free(ids);
    return error;
}

/* Whether it completed. */
static bool show_outcome(line *answer, swarm_call *outcome) {
    bool completed = swarm_outcome_details(swarm_call_outcome(outcome, 0))->completed;
    if (completed) {
        line_payload(answer, swarm_outcome_details(swarm_call_outcome(outcome, 0))->result, swarm_outcome_details(swarm_call_outcome(outcome, 0))->content_type);
    } else {
        line_clear(answer);
        line_add(answer, "error");
        line_text(answer, "code", swarm_status_name(swarm_outcome_details(swarm_call_outcome(outcome, 0))->status));
        line_text(answer, "message", swarm_outcome_details(swarm_call_outcome(outcome, 0))->message);
    }
    swarm_call_free(outcome);
    return completed;
}

/* The result as its JSON text, or the name of the kind of error. */
static void show_one(line *answer, const swarm_call *outcomes, size_t index) {
    const swarm_outcome *outcome = swarm_call_outcome(outcomes, index);
    if (swarm_outcome_details(outcome)->completed) {
        swarm_bytes result = swarm_outcome_details(outcome)->result;
        char *text = calloc(result.len + 1, 1);
        if (text == NULL) misuse("out of memory", "outcome");
        if (result.len > 0) memcpy(text, result.data, result.len);
        line_item(answer, text, index == 0);
        free(text);
    } else {
        swarm_status status = outcome != NULL ? swarm_outcome_details(outcome)->status : swarm_error_status(swarm_call_outcome_error(outcomes, index));
        line_item(answer, swarm_status_name(status), index == 0);
    }
}

static swarm_error *result(swarm_master *master, command *command, line *answer) {
    swarm_error *error = NULL;
    swarm_call *outcome = NULL;
    uint64_t limit = command_number(command, "timeout");
    if (answered(swarm_master_result(master, command_text(command, "id")), limit, &outcome, &error) != SWARM_OK) return error;
    show_outcome(answer, outcome);
    return NULL;
}

static swarm_error *run(swarm_master *master, command *command, line *answer) {
    swarm_error *error = NULL;
    swarm_call *outcome = NULL;
    swarm_job_options options = job_options(command);
    uint64_t limit = command_number(command, "timeout");
    if (answered(swarm_master_run(master, command_payload(command), &options), limit, &outcome, &error) != SWARM_OK) return error;
    bool existed = swarm_outcome_details(swarm_call_outcome(outcome, 0))->existed;
    if (show_outcome(answer, outcome)) line_flag(answer, "existed", existed);
    return NULL;
}

static swarm_error *run_many(swarm_master *master, command *command, line *answer) {
    job_list list = job_list_new(command);
    const char *keep = command_find(command, "keep");
    bool is_kept = keep != NULL && strcmp(keep, "true") == 0;
    swarm_error *error = NULL;
    swarm_call *outcomes = NULL;
    uint64_t limit = command_number(command, "timeout");
    if (answered(swarm_master_run_many(master, list.jobs, list.count, is_kept, NULL, NULL, NULL), limit, &outcomes, &error) == SWARM_OK) {
        line_add(answer, " outcomes=");
        for (size_t i = 0; i < swarm_call_count(outcomes); i++) show_one(answer, outcomes, i);
        line_add(answer, " existed_each=");
        for (size_t i = 0; i < swarm_call_count(outcomes); i++) {
            line_item(answer, swarm_outcome_details(swarm_call_outcome(outcomes, i))->existed ? "true" : "false", i == 0);
        }
    }
    swarm_call_free(outcomes);
    job_list_free(&list);
    return error;
}

static swarm_error *health(swarm_master *master, command *command, line *answer) {
    (void)command;
    swarm_error *error = NULL;
    swarm_health health = SWARM_HEALTH_INIT;
    if (swarm_member_health(swarm_master_member(master), &health, &error) == SWARM_OK) line_health(answer, &health);
    return error;
}

static swarm_error *stats(swarm_master *master, command *command, line *answer) {
    (void)command;
    swarm_error *error = NULL;
    swarm_stats stats = {0};
    if (stats_of(swarm_master_member(master), CALL_MS, &stats, &error) == SWARM_OK) line_stats(answer, &stats);
    return error;
}

static swarm_error *ready(swarm_master *master, command *command, line *answer) {
    (void)command;
    swarm_error *error = NULL;
    swarm_health health = SWARM_HEALTH_INIT;
    if (swarm_call_end(swarm_member_ready(swarm_master_member(master)), CALL_MS, &error) != SWARM_OK) return error;
    if (swarm_member_health(swarm_master_member(master), &health, &error) == SWARM_OK) line_text(answer, "incarnation", health.incarnation);
    return error;
}

static swarm_error *obliterate(swarm_master *master, command *command, line *answer) {
    (void)command, (void)answer;
    swarm_error *error = NULL;
    swarm_call_end(swarm_master_obliterate(master), CALL_MS, &error);
    return error;
}

static swarm_error *close_master(swarm_master *master, command *command, line *answer) {
    (void)command, (void)answer;
    swarm_error *error = NULL;
    swarm_call_end(swarm_master_close(master), CALL_MS, &error);
    return error;
}

void master_driver_obey(master_driver *driver, command *command, line *answer) {
    static const master_command commands[] = {
        {"ready", ready},       {"health", health},         {"stats", stats},   {"add", add},
        {"add_many", add_many}, {"flood", flood_all},       {"delete", delete_one}, {"delete_many", delete_many},
        {"add_value", add_value}, {"result", result},     {"run", run},               {"obliterate", obliterate}, {"close", close_master},
        {"run_many", run_many}, {NULL, NULL},
    };
    if (strcmp(command->name, "event") == 0) {
        events_next(driver->events, command_number(command, "timeout"), answer);
        return;
    }
    if (messages_obey((messenger){swarm_master_member(driver->master), driver->events}, command, answer)) return;
    const master_command *const tables[] = {commands, look_commands, choose_commands, control_commands, schedule_commands, limit_commands,
                                            flow_commands, follow_commands, metrics_commands};
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        for (const master_command *known = tables[i]; known->name != NULL; known++) {
            if (strcmp(known->name, command->name) == 0) {
                swarm_error *error = known->obey(driver->master, command, answer);
                if (error != NULL) line_error(answer, error);
                return;
            }
        }
    }
    misuse("no such command for a master", command->name);
}
