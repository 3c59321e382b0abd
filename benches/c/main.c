/* libswarm as a C program uses it. `bench-c producer|worker <url> <cluster>`. */
#define _POSIX_C_SOURCE 200809L
#include "bench.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

uint64_t monotonic(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

bool next_command(command *out) {
    char line[128];
    if (fgets(line, sizeof line, stdin) == NULL) return false;
    memset(out, 0, sizeof *out);
    if (sscanf(line, "%15s %" SCNu64 " %" SCNu64, out->name, &out->numbers[0], &out->numbers[1]) < 1) {
        fprintf(stderr, "bench-c: an empty command\n");
        exit(1);
    }
    return true;
}

size_t write_payload(char out[256], uint64_t number) {
    return (size_t)snprintf(out, 256,
                            "{\"n\":%" PRIu64
                            ",\"to\":\"somebody@example.org\",\"text\":\"the quick brown fox jumps over the lazy dog, every single "
                            "day\"}",
                            number);
}

uint64_t number_of(swarm_bytes payload) {
    uint64_t number = 0;
    size_t at = 0;
    while (at < payload.len && (payload.data[at] < '0' || payload.data[at] > '9')) at++;
    for (; at < payload.len && payload.data[at] >= '0' && payload.data[at] <= '9'; at++) {
        number = number * 10 + (uint64_t)(payload.data[at] - '0');
    }
    return number;
}

void must(swarm_status status, swarm_error *error, const char *doing) {
    if (status == SWARM_OK) return;
    fprintf(stderr, "bench-c: %s: %s\n", doing, swarm_error_message(error));
    exit(1);
}

int main(int count, char **arguments) {
    if (count != 4) {
        fprintf(stderr, "usage: bench-c producer|worker url cluster\n");
        return 2;
    }
    swarm_options *options = swarm_options_new(arguments[3]);
    swarm_options_set(options, "url", arguments[2]);
    int code = strcmp(arguments[1], "producer") == 0 ? run_producer(options) : run_worker(options);
    swarm_options_free(options);
    return code;
}
