/* Options of a job, by the names they have in the core's table. */
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "member.h"

static uint64_t number(command *command, const char *name) {
    return command_find(command, name) == NULL ? 0 : command_number(command, name);
}

uint64_t option_limit(command *command, const char *name) {
    return command_find(command, name) == NULL ? SWARM_DEFAULT : command_number(command, name);
}

int32_t option_choice(const char *value, const char *const *names) {
    if (value == NULL) return 0;
    for (int32_t i = 0; names[i] != NULL; i++) {
        if (strcmp(value, names[i]) == 0) return i;
    }
    return -1;
}

static bool flag(command *command, const char *name) {
    const char *value = command_find(command, name);
    return value != NULL && strcmp(value, "true") == 0;
}

/* Limits are a name, or a JSON array of names and {"name": name, "cost": number}. They are valid until the next call. */
static void read_limits(const char *text, swarm_job_options *options) {
    static swarm_job_limit limits[8];
    static char *names[8];
    if (text == NULL) return;
    bool many = text[0] == '[';
    for (const char *item = many ? json_first(text) : text; item != NULL; item = many ? json_next(item) : NULL) {
        if (options->limit_count == sizeof limits / sizeof limits[0]) misuse("too many limits", text);
        char **name = &names[options->limit_count];
        free(*name);
        bool object = item[0] == '{';
        if (many) *name = json_text(object ? json_member(item, "name") : item);
        else *name = strcpy(malloc(strlen(text) + 1), text);
        const char *cost = object ? json_member(item, "cost") : NULL;
        limits[options->limit_count++] = (swarm_job_limit){*name, cost == NULL ? 1 : (uint32_t)strtoul(cost, NULL, 10)};
    }
    options->limits = limits;
}

static uint64_t unique_until(const char *text) {
    if (text == NULL || strcmp(text, "end") == 0) return SWARM_UNTIL_END;
    return strcmp(text, "start") == 0 ? SWARM_UNTIL_START : strtoull(text, NULL, 10);
}

swarm_job_options job_options(command *command) {
    static const char *const growths[] = {"fixed", "exponential", NULL};
    static const char *const conflicts[] = {"drop", "replace", "attach", "latest", NULL};
    static const char *const durabilities[] = {"memory", "fsync", "replica", NULL};
    static swarm_header header;
    static char header_text[4096];
    swarm_job_options options = SWARM_JOB_OPTIONS_INIT;
    options.id = command_find(command, "id");
    options.content_type = command_type(command);
    options.result = flag(command, "result");
    options.result_ttl = option_limit(command, "result_ttl");
    if (command_find(command, "priority") != NULL) options.priority = strtoll(command_find(command, "priority"), NULL, 10);
    options.delay = number(command, "delay");
    options.run_at = number(command, "run_at");
    options.retries = (uint32_t)number(command, "retries");
    options.backoff = option_choice(command_find(command, "backoff"), growths);
    options.backoff_delay = option_limit(command, "backoff_delay");
    options.backoff_max = option_limit(command, "backoff_max");
    if (command_find(command, "backoff_jitter") != NULL) options.backoff_jitter = atof(command_find(command, "backoff_jitter"));
    options.task = command_find(command, "task");
    options.resource = command_find(command, "resource");
    options.group = command_find(command, "group");
    if (command_find(command, "weight") != NULL) options.weight = (uint32_t)number(command, "weight");
    options.unique = command_find(command, "unique");
    options.unique_until = unique_until(command_find(command, "unique_until"));
    options.on_conflict = option_choice(command_find(command, "on_conflict"), conflicts);
    options.debounce = option_limit(command, "debounce");
    options.max_wait = option_limit(command, "max_wait");
    options.assign_timeout = option_limit(command, "assign_timeout");
    options.run_timeout = option_limit(command, "run_timeout");
    options.total_timeout = option_limit(command, "total_timeout");
    read_limits(command_find(command, "limits"), &options);
    const char *text = command_find(command, "header");
    if (text != NULL) {
        strncpy(header_text, text, sizeof header_text - 1);
        char *equals = strchr(header_text, '=');
        if (equals == NULL) misuse("a header is written name=value", text);
        *equals = '\0';
        header = (swarm_header){header_text, equals + 1};
        options.headers = &header;
        options.header_count = 1;
    }
    static const char *const on_failures[] = {"fail", "run", "ignore", NULL};
    static const char *after[64];
    size_t count;
    char **ids = command_list(command, "after", &count);
    for (size_t i = 0; i < count && i < 64; i++) after[i] = ids[i];
    free(ids);
    options.after = count == 0 ? NULL : after;
    options.after_count = count;
    options.on_failure = option_choice(command_find(command, "on_failure"), on_failures);
    options.keep_completed = option_limit(command, "keep_completed");
    options.ephemeral = flag(command, "ephemeral");
    options.durability = option_choice(command_find(command, "durability"), durabilities);
    return options;
}
