/* Commands about limits. */
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "member.h"

static swarm_error *limit(swarm_master *master, command *from, line *answer) {
    swarm_limit figures = SWARM_LIMIT_INIT;
    figures.rate = option_limit(from, "rate");
    figures.per = option_limit(from, "per");
    figures.burst = option_limit(from, "burst");
    figures.concurrency = option_limit(from, "concurrency");
    return show_value(swarm_master_limit(master, command_text(from, "name"), &figures), answer, "existed");
}

static swarm_error *remove_limit(swarm_master *master, command *from, line *answer) {
    return show_value(swarm_master_limit(master, command_text(from, "name"), NULL), answer, "existed");
}

static swarm_error *limit_info(swarm_master *master, command *from, line *answer) {
    static const char *const shown[] = {"rate", "per", "burst", "concurrency", "active", "blocked"};
    swarm_error *error = NULL;
    swarm_call *json = NULL;
    if (answered(swarm_master_limit_info(master, command_text(from, "name")), CALL_MS, &json, &error) != SWARM_OK) return error;
    const char *found = swarm_call_json(json);
    for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++) show(answer, found, shown[i]);
    char *next = json_text(json_member(found, "next_in_ms"));
    line_text(answer, "waits", strcmp(next, "0") == 0 ? "false" : "true");
    free(next);
    swarm_call_free(json);
    return NULL;
}

const master_command limit_commands[] = {
    {"limit", limit}, {"remove_limit", remove_limit}, {"limit_info", limit_info}, {NULL, NULL},
};
