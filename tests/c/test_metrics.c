/* Metrics: what happened to jobs, counted without keeping them. */
#include "support.h"

static void jobs_are_counted(void) {
  swarm_options *options = test_options("metrics");
  swarm_master *master = start_master(options);
  keeper kept;
  keeper_start(&kept, options);
  swarm_new_job jobs[] = {{swarm_bytes_of("1"), NULL}, {swarm_bytes_of("2"), NULL}};
  CHECK_OK(swarm_call_end(swarm_master_add_many(master, jobs, 2), DEADLINE_MS, &error));
  for (int i = 0; i < 2; i++) {
    CHECK_OK(finish_and_wait(kept_job(&kept, i), swarm_result_complete(swarm_bytes_of("1"), SWARM_CONTENT_JSON), &error));
  }
  swarm_call *read = swarm_master_metrics(master);
  CHECK_OK(swarm_call_wait(read, DEADLINE_MS, &error));
  const char *text = swarm_call_text(read);
  CHECK(text != NULL && strstr(text, "\nswarm_jobs_total{task=\"\",outcome=\"completed\"} 2\n") != NULL);
  CHECK(strstr(text, "# TYPE swarm_job_run_seconds histogram\n") != NULL && swarm_call_json(read) == NULL);
  swarm_call_free(read);
  char json[4096];
  read_json(swarm_master_metrics_history(master, "hour", 0, 0, ""), json);
  CHECK(strstr(json, "\"task\":\"\"") != NULL && strstr(json, "\"buckets\":[") != NULL && strstr(json, "\"p50_ms\":") != NULL);
  CHECK_JSON("[]", swarm_master_metrics_history(master, "minute", 0, 0, "nobody"));
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, swarm_call_end(swarm_master_metrics_history(master, "day", 0, 0, NULL), DEADLINE_MS, &error));
  CHECK(swarm_worker_free(kept.worker) == SWARM_OK);
  end_master(master);
  swarm_options_free(options);
}

int main(void) {
  RUN(jobs_are_counted);
  return 0;
}
