/* Idle workers with default options, each of a cluster of its own: `idle-c URL PREFIX COUNT`. Writes a line when all are registered, and
   ends with its input. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "swarm.h"

static void fail(swarm_error *error) {
    fprintf(stderr, "%s\n", swarm_error_message(error));
    exit(1);
}

static void on_add(void *user_data, swarm_job *job) {
    (void)user_data;
    swarm_job_free(job);
}

int main(int argc, char **argv) {
    if (argc != 4) return 2;
    int count = atoi(argv[3]);
    swarm_worker **workers = calloc((size_t)count, sizeof *workers);
    if (workers == NULL) return 3;
    swarm_error *error = NULL;
    for (int i = 0; i < count; i++) {
        char name[128];
        snprintf(name, sizeof name, "%s-%d", argv[2], i);
        swarm_options *options = swarm_options_new(name);
        swarm_options_set(options, "url", argv[1]);
        if (swarm_worker_new(options, &workers[i], &error) != SWARM_OK) fail(error);
        swarm_options_free(options);
        swarm_worker_on_add(workers[i], on_add, NULL, NULL);
        if (swarm_worker_start(workers[i], &error) != SWARM_OK) fail(error);
    }
    for (int i = 0; i < count; i++) {
        if (swarm_call_end(swarm_member_ready(swarm_worker_member(workers[i])), 10000, &error) != SWARM_OK) fail(error);
    }
    printf("ready\n");
    fflush(stdout);
    char byte;
    while (read(0, &byte, 1) > 0) continue;
    /* Their leases may run out; the test has seen what it wanted. */
    _exit(0);
}
