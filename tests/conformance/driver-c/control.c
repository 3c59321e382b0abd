/* Slots and pauses of running workers. */
#include <string.h>

#include "member.h"

static swarm_error *set_worker_slots(swarm_master *master, command *command, line *answer) {
    uint32_t slots = (uint32_t)command_number(command, "slots");
    return show_value(swarm_master_set_worker_slots(master, command_text(command, "worker"), slots), answer, "existed");
}

static swarm_error *pause_worker(swarm_master *master, command *command, line *answer) {
    return show_value(swarm_master_pause_worker(master, command_text(command, "worker"), true), answer, "existed");
}

static swarm_error *resume_worker(swarm_master *master, command *command, line *answer) {
    return show_value(swarm_master_pause_worker(master, command_text(command, "worker"), false), answer, "existed");
}

const master_command control_commands[] = {
    {"set_worker_slots", set_worker_slots}, {"pause_worker", pause_worker}, {"resume_worker", resume_worker}, {NULL, NULL},
};

bool control_obey(swarm_worker *worker, command *command, line *answer, swarm_error **error) {
    const char *name = command->name;
    if (strcmp(name, "set_slots") == 0) {
        swarm_worker_set_slots(worker, (uint32_t)command_number(command, "slots"), error);
    } else if (strcmp(name, "pause") == 0) {
        swarm_worker_pause(worker, true, error);
    } else if (strcmp(name, "resume") == 0) {
        swarm_worker_pause(worker, false, error);
    } else if (strcmp(name, "paused") == 0) {
        line_flag(answer, "paused", swarm_worker_paused(worker));
    } else if (strcmp(name, "add") == 0) {
        swarm_job_options options = job_options(command);
        *error = show_added(swarm_worker_add(worker, command_payload(command), &options), answer);
    } else if (strcmp(name, "add_many") == 0) {
        job_list list = job_list_new(command);
        *error = show_added_many(swarm_worker_add_many(worker, list.jobs, list.count), answer);
        job_list_free(&list);
    } else {
        return false;
    }
    return true;
}
