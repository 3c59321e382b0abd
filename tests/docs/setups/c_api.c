#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <swarm.h>

/* What a program of its own has. */
#define use(...) ((void)(__VA_ARGS__))
#define note use
#define complain use
swarm_bytes work(swarm_bytes payload);
char *shrink(swarm_bytes payload);
bool pick(const char *job, const char *workers, char *answer);
void wake_up_main(void *user_data);
int failed(swarm_error *error);

/* FUNCTIONS */

int example(swarm_options *options, swarm_master *master, swarm_worker *worker, const swarm_member *member, const swarm_new_job *jobs, size_t count,
            swarm_bytes payload, const char *trace, char *answer, bool running, swarm_error *error);

int example(swarm_options *options, swarm_master *master, swarm_worker *worker, const swarm_member *member, const swarm_new_job *jobs, size_t count,
            swarm_bytes payload, const char *trace, char *answer, bool running, swarm_error *error) {
  {
    /* BLOCK */
  }
  return 0;
}

int main(void) { return 0; }
swarm_bytes work(swarm_bytes payload) { return payload; }
char *shrink(swarm_bytes payload) { (void)payload; return NULL; }
bool pick(const char *job, const char *workers, char *answer) { return job == workers && answer != NULL; }
void wake_up_main(void *user_data) { (void)user_data; }
int failed(swarm_error *error) { swarm_error_free(error); return 1; }
