/* Limits: how many jobs of a kind start in a time, and how many are active. */
#include "support.h"

static swarm_options *options;
static swarm_master *master;

static void begin(const char *name) {
  options = test_options(name);
  master = start_master(options);
}

static void end(void) {
  end_master(master);
  swarm_options_free(options);
}

static void set_concurrency(const char *name, uint64_t concurrency) {
  swarm_limit limit = SWARM_LIMIT_INIT;
  limit.concurrency = concurrency;
  CHECK_OK(swarm_call_end(swarm_master_limit(master, name, &limit), DEADLINE_MS, &error));
}

static bool info_has(const char *name, const char *part) {
  char json[4096];
  read_json(swarm_master_limit_info(master, name), json);
  return strstr(json, part) != NULL;
}

static void figures_are_set_changed_and_removed(void) {
  begin("limit-figures");
  swarm_limit limit = SWARM_LIMIT_INIT;
  limit.rate = 100;
  limit.per = 60000;
  CHECK_JSON("false", swarm_master_limit(master, "api", &limit));
  CHECK_JSON("true", swarm_master_limit(master, "api", &limit));
  CHECK(info_has("api", "\"rate\":100") && info_has("api", "\"per\":60000") && info_has("api", "\"burst\":1"));
  char json[4096];
  read_json(swarm_master_queues(master), json);
  CHECK(strstr(json, "\"limits\":[{\"name\":\"api\"") != NULL);
  CHECK_JSON("true", swarm_master_limit(master, "api", NULL));
  CHECK_JSON("false", swarm_master_limit(master, "api", NULL));
  CHECK(info_has("api", "\"active\":0") && !info_has("api", "rate"));
  end();
}

static void jobs_wait_for_their_limits(void) {
  begin("limit-jobs");
  set_concurrency("api", 1);
  keeper kept;
  keeper_start(&kept, options);
  const swarm_job_limit limits[] = {{"api", 1}, {"other", 3}};
  swarm_job_options job = SWARM_JOB_OPTIONS_INIT;
  job.limits = limits;
  job.limit_count = 2;
  add_job(master, "1", &job, NULL);
  add_job(master, "2", &job, NULL);
  UNTIL_STATS(master, stats.active == 1 && stats.blocked == 1);
  CHECK(info_has("api", "\"active\":1,\"blocked\":1"));
  CHECK_OK(finish_and_wait(kept_job(&kept, 0), swarm_result_complete(swarm_bytes_of("1"), SWARM_CONTENT_JSON), &error));
  CHECK(swarm_job_payload(kept_job(&kept, 1)).data[0] == '2');
  CHECK_OK(finish_and_wait(kept.jobs[1], swarm_result_complete(swarm_bytes_of("1"), SWARM_CONTENT_JSON), &error));
  CHECK(info_has("api", "\"active\":0,\"blocked\":0"));
  CHECK(swarm_worker_free(kept.worker) == SWARM_OK);
  end();
}

static void a_handler_lets_a_limit_wait(void) {
  begin("limit-wait");
  keeper kept;
  keeper_start(&kept, options);
  const swarm_job_limit limit = {"api", 1};
  swarm_job_options job = SWARM_JOB_OPTIONS_INIT;
  job.limits = &limit;
  job.limit_count = 1;
  add_job(master, "1", &job, NULL);
  double start = now_ms();
  CHECK_OK(finish_and_wait(kept_job(&kept, 0), swarm_result_rate_limited(200, NULL), &error));
  swarm_job *again = kept_job(&kept, 1);
  CHECK(now_ms() - start >= 200 && swarm_job_details(again)->attempt == 1);
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, swarm_job_finish(again, swarm_result_rate_limited(200, "\xff"), NULL, &error));
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, finish_and_wait(again, swarm_result_rate_limited(200, "a\nb"), &error));
  CHECK(swarm_worker_free(kept.worker) == SWARM_OK);
  end();
}

static void check_refused(swarm_call *call) {
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, swarm_call_end(call, DEADLINE_MS, &error));
}

static void values_out_of_bounds_are_refused(void) {
  begin("limit-bounds");
  swarm_limit limit = SWARM_LIMIT_INIT;
  check_refused(swarm_master_limit(master, "api", &limit));
  const uint64_t bad[] = {0, 1000001, (uint64_t)1 << 40};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    limit = (swarm_limit)SWARM_LIMIT_INIT;
    limit.rate = bad[i];
    check_refused(swarm_master_limit(master, "api", &limit));
    limit.rate = 1;
    limit.burst = bad[i];
    check_refused(swarm_master_limit(master, "api", &limit));
    limit = (swarm_limit)SWARM_LIMIT_INIT;
    limit.concurrency = bad[i];
    check_refused(swarm_master_limit(master, "api", &limit));
  }
  limit = (swarm_limit)SWARM_LIMIT_INIT;
  limit.rate = 1;
  limit.per = 86400001;
  check_refused(swarm_master_limit(master, "api", &limit));
  limit.per = 1000;
  check_refused(swarm_master_limit(master, "a*", &limit));
  check_refused(swarm_master_limit(master, NULL, &limit));
  limit.struct_size = 1;
  check_refused(swarm_master_limit(master, "api", &limit));

  swarm_job_limit of_job[] = {{"a", 1}, {"b", 1}, {"c", 1}, {"d", 1}, {"e", 1}};
  swarm_job_options job = SWARM_JOB_OPTIONS_INIT;
  job.limits = of_job;
  job.limit_count = 5;
  check_refused(swarm_master_add(master, swarm_bytes_of("1"), &job));
  job.limit_count = 1;
  of_job[0].cost = 0;
  check_refused(swarm_master_add(master, swarm_bytes_of("1"), &job));
  of_job[0] = (swarm_job_limit){NULL, 1};
  check_refused(swarm_master_add(master, swarm_bytes_of("1"), &job));
  job.limits = NULL;
  check_refused(swarm_master_add(master, swarm_bytes_of("1"), &job));
  end();
}

int main(void) {
  RUN(figures_are_set_changed_and_removed);
  RUN(jobs_wait_for_their_limits);
  RUN(a_handler_lets_a_limit_wait);
  RUN(values_out_of_bounds_are_refused);
  return 0;
}
