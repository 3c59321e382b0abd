/* The conformance driver in C; README.md beside this folder describes the protocol. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "member.h"

/* What this process plays now: at most one of the two. */
static master_driver *master;
static worker_driver *worker;

static void reset(void) {
    if (master != NULL) master_driver_free(master);
    if (worker != NULL) worker_driver_free(worker);
    master = NULL;
    worker = NULL;
}

static void obey(command *command, line *answer) {
    if (strcmp(command->name, "hello") == 0) {
        line_text(answer, "language", "c");
        line_text(answer, "version", swarm_version());
    } else if (strcmp(command->name, "reset") == 0) {
        reset();
    } else if (strcmp(command->name, "master") == 0) {
        reset();
        master = master_driver_new(command, answer);
    } else if (strcmp(command->name, "worker") == 0) {
        reset();
        worker = worker_driver_new(command, answer);
    } else if (master != NULL) {
        master_driver_obey(master, command, answer);
    } else if (worker != NULL) {
        worker_driver_obey(worker, command, answer);
    } else {
        misuse("there is no member to obey", command->name);
    }
}

int main(void) {
    char *text = NULL;
    size_t capacity = 0;
    line answer = {0};
    while (getline(&text, &capacity, stdin) > 0) {
        command command = command_parse(text);
        line_clear(&answer);
        line_add(&answer, "ok");
        obey(&command, &answer);
        puts(answer.data);
        fflush(stdout);
    }
    reset();
    free(answer.data);
    free(text);
    return 0;
}
