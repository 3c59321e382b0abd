/* Flows: jobs that wait for others. */
#include "support.h"

static swarm_options *options;
static swarm_master *master;
static keeper kept;

static void begin(const char *name) {
  options = test_options(name);
  master = start_master(options);
  keeper_start(&kept, options);
}

static void end(void) {
  CHECK(swarm_worker_free(kept.worker) == SWARM_OK);
  end_master(master);
  swarm_options_free(options);
}

static void complete(swarm_job *job, const char *result) {
  CHECK_OK(finish_and_wait(job, swarm_result_complete(swarm_bytes_of(result), SWARM_CONTENT_JSON), &error));
}

static swarm_job_options named(const char *id) {
  swarm_job_options job = SWARM_JOB_OPTIONS_INIT;
  job.id = id;
  return job;
}

static void jobs_wait_and_read_results(void) {
  begin("flows");
  swarm_job_options a = named("a"), b = named("b"), last = named("last");
  swarm_new_job jobs[] = {{swarm_bytes_of("1"), &a}, {swarm_bytes_of("2"), &b}, {swarm_bytes_of("3"), &last}};
  swarm_flow_options flow = SWARM_FLOW_OPTIONS_INIT;
  flow.id = "f";
  flow.shape = SWARM_FLOW_FAN_IN;
  const char *each = "{\"id\":\"a\",\"existed\":%s,\"replaced\":false},{\"id\":\"b\",\"existed\":%s,\"replaced\":false},{\"id\":\"last\",\"existed\":%s,\"replaced\":false}";
  char ids[256], expected[512];
  snprintf(ids, sizeof ids, each, "false", "false", "false");
  snprintf(expected, sizeof expected, "{\"id\":\"f\",\"existed\":false,\"jobs\":[%s]}", ids);
  CHECK_JSON(expected, swarm_master_add_flow(master, jobs, 3, &flow));
  snprintf(ids, sizeof ids, each, "true", "true", "true");
  snprintf(expected, sizeof expected, "{\"id\":\"f\",\"existed\":true,\"jobs\":[%s]}", ids);
  CHECK_JSON(expected, swarm_master_add_flow(master, jobs, 3, &flow));
  CHECK_JSON("{}", swarm_job_inputs(kept_job(&kept, 0)));
  complete(kept_job(&kept, 0), "{\"n\":1}");
  CHECK_OK(finish_and_wait(kept_job(&kept, 1), swarm_result_fail("broken"), &error));
  char json[4096];
  read_json(swarm_master_flow(master, "f"), json);
  CHECK(strstr(json, "\"cancel_rest\":false") != NULL && strstr(json, "{\"id\":\"last\",\"state\":\"failed\",\"after\":[") != NULL);
  CHECK_JSON("", swarm_master_flow(master, "nobody"));
  end();
}

static void failures_are_ignored_or_shown(void) {
  begin("flows-failures");
  const char *before[] = {"a"};
  swarm_job_options a = named("a"), run = named("run"), ignore = named("ignore");
  run.after = ignore.after = before;
  run.after_count = ignore.after_count = 1;
  run.on_failure = SWARM_ON_FAILURE_RUN;
  ignore.on_failure = SWARM_ON_FAILURE_IGNORE;
  add_job(master, "1", &a, NULL);
  add_job(master, "2", &run, NULL);
  CHECK_OK(finish_and_wait(kept_job(&kept, 0), swarm_result_fail("broken"), &error));
  CHECK_JSON("{\"a\":{\"state\":\"failed\",\"reason\":\"failed\",\"error\":\"broken\"}}", swarm_job_inputs(kept_job(&kept, 1)));
  add_job(master, "3", &ignore, NULL);
  CHECK_JSON("{}", swarm_job_inputs(kept_job(&kept, 2)));
  swarm_job_options fails = named("fails");
  fails.result = true;
  fails.after = before;
  fails.after_count = 1;
  add_job(master, "4", &fails, NULL);
  swarm_call *outcome = NULL;
  CHECK_OK(answered(swarm_master_result(master, "fails"), DEADLINE_MS, &outcome, &error));
  CHECK(swarm_outcome_details(swarm_call_outcome(outcome, 0))->status == SWARM_ERR_DEPENDENCY_FAILED);
  CHECK_TEXT("dependency_failed", swarm_outcome_details(swarm_call_outcome(outcome, 0))->reason);
  swarm_call_free(outcome);
  for (int i = 1; i < 3; i++) complete(kept.jobs[i], "1");
  end();
}

static void check_refused(const char *part, swarm_status status, swarm_call *call) {
  swarm_error *why = NULL;
  CHECK(swarm_call_end(call, DEADLINE_MS, &why) == status);
  if (strstr(swarm_error_message(why), part) == NULL) {
    fprintf(stderr, "no %s in %s\n", part, swarm_error_message(why));
    abort();
  }
  swarm_error_free(why);
}

static void wrong_flows_are_named(void) {
  begin("flows-wrong");
  const char *after_b[] = {"b"}, *after_a[] = {"a"};
  swarm_job_options a = named("a"), b = named("b");
  swarm_new_job jobs[] = {{swarm_bytes_of("1"), &a}, {swarm_bytes_of("2"), &b}};
  a.after = after_b;
  a.after_count = 1;
  check_refused("`b`, which is unknown", SWARM_ERR_INVALID_ARGUMENT, swarm_master_add_flow(master, jobs, 1, NULL));
  b.after = after_a;
  b.after_count = 1;
  check_refused("in a cycle", SWARM_ERR_INVALID_ARGUMENT, swarm_master_add_flow(master, jobs, 2, NULL));
  check_refused("no jobs", SWARM_ERR_INVALID_ARGUMENT, swarm_master_add_flow(master, NULL, 0, NULL));
  check_refused("jobs", SWARM_ERR_INVALID_ARGUMENT, swarm_master_add_flow(master, NULL, 2, NULL));
  a.after = NULL;
  check_refused("after", SWARM_ERR_INVALID_ARGUMENT, swarm_master_add_flow(master, jobs, 1, NULL));
  a.after_count = 0;
  a.on_failure = 3;
  check_refused("3 is not a swarm_on_failure", SWARM_ERR_INVALID_ARGUMENT, swarm_master_add_flow(master, jobs, 1, NULL));
  swarm_flow_options flow = SWARM_FLOW_OPTIONS_INIT;
  a.on_failure = SWARM_ON_FAILURE_FAIL;
  flow.shape = 3;
  check_refused("3 is not a swarm_flow_shape", SWARM_ERR_INVALID_ARGUMENT, swarm_master_add_flow(master, jobs, 1, &flow));
  flow.shape = SWARM_FLOW_GRAPH;
  flow.id = "a\nb";
  check_refused("id of the flow", SWARM_ERR_INVALID_ARGUMENT, swarm_master_add_flow(master, jobs, 1, &flow));
  check_refused("id of the flow", SWARM_ERR_INVALID_ARGUMENT, swarm_master_flow(master, ""));
  CHECK(counter_get(&kept.added) == 0);
  end();
}

int main(void) {
  RUN(jobs_wait_and_read_results);
  RUN(failures_are_ignored_or_shown);
  RUN(wrong_flows_are_named);
  return 0;
}
