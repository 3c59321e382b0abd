/* Adds jobs: many per call, or one per call with a completion callback. */
#define _POSIX_C_SOURCE 200809L
#include "bench.h"

#include <inttypes.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void bulk(const swarm_master *master, uint64_t count) {
    static char texts[CALL][256];
    static swarm_new_job jobs[CALL];
    for (uint64_t from = 0; from < count; from += CALL) {
        size_t some = count - from < CALL ? (size_t)(count - from) : CALL;
        for (size_t i = 0; i < some; i++) {
            size_t length = write_payload(texts[i], FIRST + from + i);
            jobs[i] = (swarm_new_job){{(const uint8_t *)texts[i], length}, NULL};
        }
        swarm_error *error = NULL;
        must(swarm_call_end(swarm_master_add_many(master, jobs, some), SWARM_NO_TIMEOUT, &error), error, "adding many");
    }
}

static void added_one(void *user_data, const swarm_error *error, const swarm_call *added) {
    if (added == NULL) {
        fprintf(stderr, "bench-c: adding: %s\n", swarm_error_message(error));
        exit(1);
    }
    sem_post(user_data);
}

static void one_by_one(const swarm_master *master, uint64_t count) {
    sem_t room;
    sem_init(&room, 0, IN_FLIGHT);
    for (uint64_t n = 0; n < count; n++) {
        char text[256];
        size_t length = write_payload(text, FIRST + n);
        while (sem_wait(&room) != 0) continue;
        swarm_error *error = NULL;
        swarm_bytes payload = {(const uint8_t *)text, length};
        must(swarm_call_on_done(swarm_master_add(master, payload, NULL), SWARM_NO_TIMEOUT, added_one, &room, NULL, &error), error, "adding one");
    }
    for (int n = 0; n < IN_FLIGHT; n++) {
        while (sem_wait(&room) != 0) continue;
    }
    sem_destroy(&room);
}

static void dispatch(const swarm_master *master, uint64_t count, uint64_t pause_us) {
    struct timespec pause = {(time_t)(pause_us / 1000000), (long)(pause_us % 1000000) * 1000};
    for (uint64_t n = 0; n < count; n++) {
        nanosleep(&pause, NULL);
        char text[256];
        size_t length = write_payload(text, monotonic());
        swarm_error *error = NULL;
        swarm_bytes payload = {(const uint8_t *)text, length};
        must(swarm_call_end(swarm_master_add(master, payload, NULL), SWARM_NO_TIMEOUT, &error), error, "adding");
    }
}

int run_producer(const swarm_options *options) {
    swarm_master *master = NULL;
    swarm_error *error = NULL;
    must(swarm_master_new(options, &master, &error), error, "a master");
    must(swarm_call_end(swarm_member_ready(swarm_master_member(master)), SWARM_NO_TIMEOUT, &error), error, "a registered master");
    puts("ready");
    fflush(stdout);
    command next;
    while (next_command(&next)) {
        uint64_t begun = monotonic();
        if (strcmp(next.name, "bulk") == 0) {
            bulk(master, next.numbers[0]);
        } else if (strcmp(next.name, "one") == 0) {
            one_by_one(master, next.numbers[0]);
        } else {
            dispatch(master, next.numbers[0], next.numbers[1]);
        }
        printf("done %" PRIu64 "\n", monotonic() - begun);
        fflush(stdout);
    }
    must(swarm_call_end(swarm_master_close(master), 5000, &error), error, "closing");
    swarm_master_free(master);
    return 0;
}
