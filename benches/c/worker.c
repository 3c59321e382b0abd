/* Completes every job in its add callback, on the library's thread. */
#define _POSIX_C_SOURCE 200809L
#include "bench.h"

#include <inttypes.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    uint64_t handled;
    uint64_t wanted;
    uint64_t *samples; /* NULL if times are not wanted */
    sem_t all;
} tally;

static void on_add(void *user_data, swarm_job *job) {
    tally *tally = user_data;
    if (tally->samples != NULL && tally->handled < tally->wanted) {
        tally->samples[tally->handled] = monotonic() - number_of(swarm_job_payload(job));
    }
    swarm_error *error = NULL;
    must(swarm_job_finish(job, swarm_result_complete((swarm_bytes){NULL, 0}, SWARM_CONTENT_JSON), NULL, &error), error, "completing");
    if (++tally->handled == tally->wanted) sem_post(&tally->all);
}

static void until_none_is_active(const swarm_worker *worker) {
    uint64_t active;
    do {
        swarm_error *error = NULL;
        swarm_call *call = swarm_member_stats(swarm_worker_member(worker));
        must(swarm_call_wait(call, SWARM_NO_TIMEOUT, &error), error, "stats");
        active = swarm_call_stats(call)->active;
        swarm_call_free(call);
    } while (active > 0);
}

int run_worker(swarm_options *options) {
    char slots[16];
    snprintf(slots, sizeof slots, "%d", SLOTS);
    swarm_options_set(options, "slots", slots);
    puts("ready");
    fflush(stdout);
    command next;
    if (!next_command(&next)) return 0;
    tally tally = {.wanted = next.numbers[0]};
    if (strcmp(next.name, "dispatch") == 0) tally.samples = calloc(tally.wanted, sizeof *tally.samples);
    sem_init(&tally.all, 0, 0);
    uint64_t begun = monotonic();
    swarm_worker *worker = NULL;
    swarm_error *error = NULL;
    must(swarm_worker_new(options, &worker, &error), error, "a worker");
    swarm_worker_on_add(worker, on_add, &tally, NULL);
    must(swarm_worker_start(worker, &error), error, "starting");
    must(swarm_call_end(swarm_member_ready(swarm_worker_member(worker)), SWARM_NO_TIMEOUT, &error), error, "a registered worker");
    puts("started");
    fflush(stdout);
    /* `idle` wants no job at all: that wait ends with the process. */
    while (sem_wait(&tally.all) != 0) continue;
    if (tally.samples != NULL) {
        printf("done");
        for (uint64_t n = 0; n < tally.wanted; n++) printf(" %" PRIu64, tally.samples[n]);
        printf("\n");
    } else {
        until_none_is_active(worker);
        printf("done %" PRIu64 "\n", monotonic() - begun);
    }
    fflush(stdout);
    next_command(&next);
    must(swarm_call_end(swarm_worker_terminate(worker, 0), SWARM_NO_TIMEOUT, &error), error, "terminating");
    swarm_worker_free(worker);
    sem_destroy(&tally.all);
    free(tally.samples);
    return 0;
}
