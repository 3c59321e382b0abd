/* Turns each job's text round until it is ended by SIGINT or SIGTERM. What the callback returns ends the job.
 * cc worker.c $(pkg-config --cflags --libs libswarm) -o worker */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <swarm.h>

static swarm_result *turn(void *user_data, const swarm_job *job) {
  (void)user_data;
  swarm_bytes payload = swarm_job_payload(job);
  uint8_t *turned = malloc(payload.len + 1);
  if (turned == NULL) return swarm_result_retry("out of memory", 1000);
  for (size_t i = 0; i < payload.len; i++) turned[i] = payload.data[payload.len - 1 - i];
  swarm_result *result = swarm_result_complete((swarm_bytes){turned, payload.len}, SWARM_CONTENT_BYTES);
  free(turned);
  return result;
}

static void on_error(void *user_data, const swarm_error *error) {
  (void)user_data;
  fprintf(stderr, "worker: %s\n", swarm_error_message(error));
}

static int failed(swarm_error *error) {
  on_error(NULL, error);
  swarm_error_free(error);
  return 1;
}

int main(void) {
  /* Blocked before the library makes its threads, so that only sigwait gets them. */
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGINT);
  sigaddset(&ends, SIGTERM);
  sigprocmask(SIG_BLOCK, &ends, NULL);

  const char *url = getenv("SWARM_REDIS_URL");
  swarm_options *options = swarm_options_new("example");
  swarm_options_set(options, "url", url != NULL ? url : "redis://localhost:6379");
  swarm_worker *worker = NULL;
  swarm_error *error = NULL;
  if (swarm_worker_new(options, &worker, &error) != SWARM_OK) return failed(error);
  swarm_options_free(options);
  if (swarm_worker_process(worker, NULL, turn, NULL, NULL, &error) != SWARM_OK) return failed(error);
  swarm_member_on_error(swarm_worker_member(worker), on_error, NULL, NULL);
  if (swarm_worker_start(worker, &error) != SWARM_OK) return failed(error);

  int signal_number;
  sigwait(&ends, &signal_number);
  swarm_call_end(swarm_worker_drain(worker), 10000, NULL);
  swarm_worker_free(worker);
  return 0;
}
