/* Help for the tests of programs: clusters whose clock moves, and jobs for callbacks without a cluster. */
#include "support.h"

#define HOUR_MS 3600000

static counter runs = COUNTER_INIT;

static swarm_result *work(void *user_data, const swarm_job *job) {
  (void)user_data;
  CHECK_OK(swarm_job_progress(job, swarm_bytes_of("0.25"), &error));
  CHECK_OK(swarm_job_progress(job, swarm_bytes_of("{\"done\":0.5}"), &error));
  CHECK_OK(swarm_job_checkpoint(job, swarm_bytes_of("[1]"), &error));
  CHECK_OK(swarm_job_log(job, "a \"line\"", &error));
  counter_add(&runs);
  if (swarm_job_details(job)->attempt == 1) return swarm_result_fail("not yet");
  return swarm_result_complete(swarm_job_payload(job), SWARM_CONTENT_JSON);
}

static void delays_and_retries_pass_without_waiting(void) {
  swarm_test_cluster *cluster = NULL;
  CHECK_OK(swarm_test_cluster_new(&cluster, &error));
  swarm_options *options = swarm_options_new(swarm_test_cluster_name(cluster));
  swarm_options_set(options, "url", swarm_test_cluster_url(cluster));
  swarm_worker *worker = new_worker(options);
  CHECK_OK(swarm_worker_process(worker, "mail", work, NULL, NULL, &error));
  start_worker(worker);
  swarm_master *master = start_master(options);
  swarm_job_options job = SWARM_JOB_OPTIONS_INIT;
  job.task = "mail";
  job.delay = HOUR_MS;
  job.retries = 1;
  job.backoff_delay = 60000;
  add_job(master, "7", &job, NULL);
  CHECK_OK(swarm_call_end(swarm_test_cluster_settled(cluster, DEADLINE_MS), DEADLINE_MS, &error));
  CHECK(counter_get(&runs) == 0);
  CHECK_OK(swarm_call_end(swarm_test_cluster_advance(cluster, HOUR_MS), DEADLINE_MS, &error));
  CHECK_OK(swarm_call_end(swarm_test_cluster_settled(cluster, DEADLINE_MS), DEADLINE_MS, &error));
  CHECK(counter_get(&runs) == 1);
  CHECK_OK(swarm_call_end(swarm_test_cluster_advance(cluster, 60000), DEADLINE_MS, &error));
  CHECK_OK(swarm_call_end(swarm_test_cluster_settled(cluster, DEADLINE_MS), DEADLINE_MS, &error));
  CHECK(counter_get(&runs) == 2);
  UNTIL_STATS(master, stats.completed == 1);

  job.task = "nobody";
  job.delay = 0;
  add_job(master, "8", &job, NULL);
  CHECK_STATUS(SWARM_ERR_TIMEOUT, swarm_call_end(swarm_test_cluster_settled(cluster, 50), DEADLINE_MS, &error));
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, swarm_call_end(swarm_test_cluster_advance(cluster, 0), DEADLINE_MS, &error));

  CHECK(swarm_worker_free(worker) == SWARM_OK);
  CHECK(swarm_master_free(master) == SWARM_OK);
  swarm_options_free(options);
  swarm_test_cluster_free(cluster);
}

static void a_job_for_a_callback_records_what_it_does(void) {
  const swarm_header headers[] = {{"trace", "t1"}};
  swarm_job_options options = SWARM_JOB_OPTIONS_INIT;
  options.id = "j";
  options.task = "mail";
  options.retries = 3;
  options.headers = headers;
  options.header_count = 1;
  swarm_test_job *test = NULL;
  CHECK_OK(swarm_test_job_new(swarm_bytes_of("{\"user\":7}"), &options, 2, "5", &test, &error));
  const swarm_job *job = swarm_test_job_job(test);
  CHECK_TEXT("j", swarm_job_id(job));
  const swarm_job_info *info = swarm_job_details(job);
  CHECK(info->attempt == 2 && info->retries_left == 2);
  CHECK_TEXT("mail", info->task);
  CHECK_TEXT("5", info->last_checkpoint);
  CHECK_TEXT("t1", swarm_job_header(job, "trace"));
  swarm_result *result = work(NULL, job);
  CHECK(result != NULL);
  swarm_result_free(result);
  CHECK_TEXT("{\"progress\":[0.25,{\"done\":0.5}],\"checkpoints\":[[1]],\"log\":[\"a \\\"line\\\"\"]}", swarm_test_job_recorded(test));
  CHECK(!swarm_job_cancelled(job));
  swarm_test_job_cancel(test);
  CHECK(swarm_job_cancelled(job));
  swarm_test_job_free(test);

  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, swarm_test_job_new(swarm_bytes_of("1"), NULL, 0, NULL, &test, &error));
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, swarm_test_job_new(swarm_bytes_of("1"), NULL, 1, "{", &test, &error));
}

static void null_is_accepted(void) {
  CHECK_TEXT("", swarm_test_cluster_name(NULL));
  CHECK_TEXT("", swarm_test_cluster_url(NULL));
  CHECK_TEXT("", swarm_test_job_recorded(NULL));
  CHECK(swarm_test_job_job(NULL) == NULL);
  swarm_test_job_cancel(NULL);
  swarm_test_job_free(NULL);
  swarm_test_cluster_free(NULL);
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, swarm_test_cluster_new(NULL, &error));
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, swarm_call_end(swarm_test_cluster_settled(NULL, 1), 1, &error));
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, swarm_call_end(swarm_test_cluster_advance(NULL, 1), 1, &error));
}

int main(void) {
  RUN(delays_and_retries_pass_without_waiting);
  RUN(a_job_for_a_callback_records_what_it_does);
  RUN(null_is_accepted);
  return 0;
}
