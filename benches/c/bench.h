/* What the measured C programs share: commands on standard input, answers on standard output, the clock, the payload.
 * See ../README.md. */
#ifndef SWARM_BENCH_H
#define SWARM_BENCH_H

#include <stdbool.h>
#include <stdint.h>
#include <swarm.h>

enum {
    CALL = 10000,        /* jobs in one call that adds in bulk */
    IN_FLIGHT = 1000,    /* adds under way at once when jobs are added one by one */
    SLOTS = 1000,        /* slots of a worker */
    PAYLOAD = 115,       /* bytes of a payload */
    FIRST = 1000000000,  /* number of the first job */
};

typedef struct {
    char name[16];
    uint64_t numbers[2];
} command;

/* Nanoseconds on the clock that all processes of the machine share. */
uint64_t monotonic(void);

/* Reads the next command; false at the end of the input. */
bool next_command(command *out);

/* Writes a payload of PAYLOAD bytes or, with the longer number of a time, somewhat more; returns its length. */
size_t write_payload(char out[256], uint64_t number);

/* The number in a payload. */
uint64_t number_of(swarm_bytes payload);

/* Ends the program if a call failed. */
void must(swarm_status status, swarm_error *error, const char *doing);

int run_producer(const swarm_options *options);
int run_worker(swarm_options *options);

#endif
