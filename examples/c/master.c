/* Runs jobs on the workers of a cluster and prints their results: master [words...].
 * cc master.c $(pkg-config --cflags --libs libswarm) -o master */
#include <stdio.h>
#include <stdlib.h>
#include <swarm.h>

static int failed(swarm_error *error) {
  fprintf(stderr, "master: %s\n", swarm_error_message(error));
  swarm_error_free(error);
  return 1;
}

int main(int argc, char **argv) {
  const char *url = getenv("SWARM_REDIS_URL");
  swarm_options *options = swarm_options_new("example");
  swarm_options_set(options, "url", url != NULL ? url : "redis://localhost:6379");
  swarm_master *master = NULL;
  swarm_error *error = NULL;
  if (swarm_master_new(options, &master, &error) != SWARM_OK) return failed(error);
  swarm_options_free(options);

  swarm_job_options keep = SWARM_JOB_OPTIONS_INIT;
  keep.result = true;
  keep.content_type = SWARM_CONTENT_BYTES;
  size_t count = (size_t)argc - 1;
  swarm_new_job *jobs = calloc(count + 1, sizeof *jobs);
  for (size_t i = 0; i < count; i++) {
    jobs[i].payload = swarm_bytes_of(argv[i + 1]);
    jobs[i].options = &keep;
  }
  swarm_call *added = swarm_master_add_many(master, jobs, count);
  free(jobs);
  if (swarm_call_wait(added, 10000, &error) != SWARM_OK) return failed(error);

  for (size_t i = 0; i < count; i++) {
    swarm_call *call = swarm_master_result(master, swarm_call_id(added, i));
    if (swarm_call_wait(call, 30000, &error) != SWARM_OK) return failed(error);
    const swarm_outcome *outcome = swarm_call_outcome(call, 0);
    swarm_bytes result = swarm_outcome_details(outcome)->result;
    if (swarm_outcome_details(outcome)->completed) {
      printf("%s -> %.*s\n", argv[i + 1], (int)result.len, (const char *)result.data);
    } else {
      printf("%s failed: %s\n", argv[i + 1], swarm_outcome_details(outcome)->message);
    }
    swarm_call_free(call);
  }
  swarm_call_free(added);
  if (swarm_call_end(swarm_master_close(master), 5000, &error) != SWARM_OK) return failed(error);
  swarm_master_free(master);
  return 0;
}
