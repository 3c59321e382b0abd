/* Holds long-lived jobs in an event loop of the program's own: callbacks run where it calls swarm_worker_dispatch.
 * cc poll.c $(pkg-config --cflags --libs libswarm) -o poll */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <swarm.h>

static volatile sig_atomic_t ending;

static void end(int signal_number) {
  (void)signal_number;
  ending = 1;
}

/* The handle is not needed for holding the job; on_delete gets it again. */
static void on_add(void *user_data, swarm_job *job) {
  (void)user_data;
  printf("start %s, fence %llu\n", swarm_job_id(job), (unsigned long long)swarm_job_fence(job));
  fflush(stdout);
  swarm_job_free(job);
}

static void on_delete(void *user_data, swarm_job *job, swarm_delete_reason reason) {
  (void)user_data;
  printf("stop %s%s\n", swarm_job_id(job), reason == SWARM_DELETE_DELETED ? "" : ", it goes on elsewhere");
  fflush(stdout);
}

static int failed(swarm_error *error) {
  fprintf(stderr, "poll: %s\n", swarm_error_message(error));
  swarm_error_free(error);
  return 1;
}

int main(void) {
  struct sigaction action = {.sa_handler = end};
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  const char *url = getenv("SWARM_REDIS_URL");
  swarm_options *options = swarm_options_new("example-long-lived");
  swarm_options_set(options, "url", url != NULL ? url : "redis://localhost:6379");
  swarm_worker *worker = NULL;
  swarm_error *error = NULL;
  int fd;
  if (swarm_worker_new(options, &worker, &error) != SWARM_OK) return failed(error);
  swarm_options_free(options);
  swarm_worker_on_add(worker, on_add, NULL, NULL);
  swarm_worker_on_delete(worker, on_delete, NULL, NULL);
  if (swarm_member_fd(swarm_worker_member(worker), &fd, &error) != SWARM_OK) return failed(error);
  if (swarm_worker_start(worker, &error) != SWARM_OK) return failed(error);
  while (!ending) {
    struct pollfd loop = {fd, POLLIN, 0};
    if (poll(&loop, 1, -1) > 0 && swarm_member_dispatch(swarm_worker_member(worker), &error) != SWARM_OK) return failed(error);
  }
  swarm_call_end(swarm_worker_terminate(worker, 1000), SWARM_NO_TIMEOUT, NULL);
  swarm_worker_free(worker);
  return 0;
}
