/* Handlers that run a job to its end by what they return, for all jobs or for those of a task. */
#include <poll.h>

#include "support.h"

static swarm_options *options;
static swarm_master *master;

static void begin(const char *name) {
  options = test_options(name);
  master = start_master(options);
}

static void end(swarm_worker *worker) {
  CHECK(swarm_worker_free(worker) == SWARM_OK);
  end_master(master);
  swarm_options_free(options);
}

/* Completes with its own name, which is its user_data, and the payload. */
static swarm_result *describe(void *user_data, const swarm_job *job) {
  swarm_bytes payload = swarm_job_payload(job);
  char *text = malloc(payload.len + 300);
  CHECK(text != NULL);
  int length = snprintf(text, payload.len + 300, "[\"%s\",\"%s\",%.*s]", (const char *)user_data, swarm_job_details(job)->task,
                        (int)payload.len, (const char *)payload.data);
  swarm_bytes text_bytes = {(const uint8_t *)text, (size_t)length};
  swarm_result *result = swarm_result_complete(text_bytes, SWARM_CONTENT_JSON);
  /* The result has its own copy. */
  free(text);
  return result;
}

/* Runs a job of a task and checks its result. */
static void check_run_with(const swarm_job_options *job, const char *expected) {
  swarm_call *outcome = NULL;
  CHECK_OK(answered(swarm_master_run(master, swarm_bytes_of("1"), job), DEADLINE_MS, &outcome, &error));
  swarm_bytes result = swarm_outcome_details(swarm_call_outcome(outcome, 0))->result;
  if (result.len != strlen(expected) || memcmp(result.data, expected, result.len) != 0) {
    fprintf(stderr, "%.*s, not %s (%s)\n", (int)result.len, (const char *)result.data, expected,
            swarm_outcome_details(swarm_call_outcome(outcome, 0))->completed ? "completed" : swarm_outcome_details(swarm_call_outcome(outcome, 0))->message);
    abort();
  }
  swarm_call_free(outcome);
}

static void check_run(const char *task, const char *expected) {
  swarm_job_options job = SWARM_JOB_OPTIONS_INIT;
  job.task = task;
  check_run_with(&job, expected);
}

static void one_handler_runs_all_jobs(void) {
  begin("process");
  swarm_worker *worker = new_worker(options);
  CHECK_OK(swarm_worker_process(worker, NULL, describe, "all", NULL, &error));
  start_worker(worker);
  check_run(NULL, "[\"all\",\"\",1]");
  check_run("", "[\"all\",\"\",1]");
  end(worker);
}

static void each_task_has_its_handler(void) {
  begin("tasks");
  swarm_worker *worker = new_worker(options);
  CHECK_OK(swarm_worker_process(worker, "mail", describe, "post", NULL, &error));
  start_worker(worker);
  check_run("mail", "[\"post\",\"mail\",1]");
  /* More at any time; jobs without a handler are not assigned to the worker. */
  swarm_job_options job = SWARM_JOB_OPTIONS_INIT;
  char plain[257], other[257];
  job.result = true;
  add_job(master, "2", &job, plain);
  job.task = "other";
  add_job(master, "3", &job, other);
  CHECK_OK(swarm_worker_process(worker, "resize", describe, "scale", NULL, &error));
  check_run("resize", "[\"scale\",\"resize\",1]");
  check_run("mail", "[\"post\",\"mail\",1]");
  UNTIL_STATS(master, stats.waiting == 2 && stats.active == 0);
  CHECK_OK(swarm_worker_process(worker, NULL, describe, "rest", NULL, &error));
  check_run(NULL, "[\"rest\",\"\",1]");
  UNTIL_STATS(master, stats.waiting == 1 && stats.active == 0);
  CHECK_OK(swarm_worker_process(worker, "other", describe, "other", NULL, &error));
  UNTIL_STATS(master, stats.waiting == 0 && stats.completed == 6);
  /* A later handler takes the place of the one before. */
  CHECK_OK(swarm_worker_process(worker, "mail", describe, "new", NULL, &error));
  check_run("mail", "[\"new\",\"mail\",1]");
  /* "" names the jobs without a task. */
  CHECK_OK(swarm_worker_process(worker, "", describe, "without", NULL, &error));
  check_run(NULL, "[\"without\",\"\",1]");
  end(worker);
}

static void named_tasks_go_to_the_handler_of_the_rest(void) {
  begin("named");
  swarm_options_set(options, "task", "a");
  swarm_worker *worker = new_worker(options);
  CHECK_OK(swarm_worker_process(worker, "b", describe, "b", NULL, &error));
  CHECK_OK(swarm_worker_process(worker, NULL, describe, "rest", NULL, &error));
  start_worker(worker);
  check_run("a", "[\"rest\",\"a\",1]");
  check_run("b", "[\"b\",\"b\",1]");
  const char *const tasks[] = {"c", ""};
  CHECK_OK(swarm_worker_set_tasks(worker, tasks, 2, &error));
  check_run("c", "[\"rest\",\"c\",1]");
  check_run(NULL, "[\"rest\",\"\",1]");
  check_run("b", "[\"b\",\"b\",1]");
  swarm_job_options job = SWARM_JOB_OPTIONS_INIT;
  job.task = "a";
  add_job(master, "1", &job, NULL);
  UNTIL_STATS(master, stats.waiting == 1 && stats.active == 0);
  const char *const bad[] = {"x\ny"}, *const none[] = {NULL};
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, swarm_worker_set_tasks(worker, bad, 1, &error));
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, swarm_worker_set_tasks(worker, none, 1, &error));
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, swarm_worker_set_tasks(worker, NULL, 1, &error));
  CHECK_OK(swarm_worker_set_tasks(worker, NULL, 0, &error));
  check_run(NULL, "[\"rest\",\"\",1]");
  CHECK_OK(swarm_worker_set_tasks(worker, (const char *const[]){"a"}, 1, &error));
  UNTIL_STATS(master, stats.waiting == 0 && stats.active == 0);
  end(worker);
}

static void tasks_are_named_without_handlers_of_their_own(void) {
  begin("named-add");
  keeper kept;
  keeper_new(&kept, options);
  CHECK_OK(swarm_worker_set_tasks(kept.worker, (const char *const[]){"t"}, 1, &error));
  start_worker(kept.worker);
  swarm_job_options job = SWARM_JOB_OPTIONS_INIT;
  add_job(master, "1", NULL, NULL);
  job.task = "t";
  add_job(master, "2", &job, NULL);
  CHECK_TEXT("t", swarm_job_details(kept_job(&kept, 0))->task);
  CHECK_OK(swarm_job_finish(kept.jobs[0], swarm_result_complete(swarm_bytes_of("1"), SWARM_CONTENT_JSON), NULL, &error));
  UNTIL_STATS(master, stats.waiting == 1 && stats.active == 0);
  end(kept.worker);
}

/* Finishes its job as the payload asks. */
static swarm_result *obey(void *user_data, const swarm_job *job) {
  swarm_bytes bad = {NULL, 1};
  (void)user_data;
  switch (swarm_job_payload(job).data[0]) {
    case 'b': return swarm_result_complete(swarm_bytes_of("bytes"), SWARM_CONTENT_BYTES);
    case 'e': return swarm_result_complete(swarm_bytes_of(NULL), SWARM_CONTENT_JSON);
    case 'f': return swarm_result_fail("failed");
    case 'g': return swarm_result_fail_permanently("for good");
    case 'n': return NULL;
    case 'w': return swarm_result_complete(bad, SWARM_CONTENT_JSON);
    case 'W': return swarm_result_fail(NULL);
    case 'r': return swarm_job_details(job)->attempt == 1 ? swarm_result_retry("later", 120) : swarm_result_fail_permanently("twice");
    case 'R': return swarm_job_fence(job) % 2 == 0 ? swarm_result_release() : swarm_result_complete(swarm_bytes_of("1"), SWARM_CONTENT_JSON);
    default: return swarm_result_fail_permanently("?");
  }
}

static void check_obeyed(const char *payload, swarm_status status, const char *expected) {
  swarm_job_options job = SWARM_JOB_OPTIONS_INIT;
  job.content_type = SWARM_CONTENT_BYTES;
  job.retries = 1;
  job.backoff_delay = 1;
  swarm_call *outcome = NULL;
  CHECK_OK(answered(swarm_master_run(master, swarm_bytes_of(payload), &job), DEADLINE_MS, &outcome, &error));
  CHECK(swarm_outcome_details(swarm_call_outcome(outcome, 0))->status == status);
  if (status == SWARM_OK) {
    swarm_bytes result = swarm_outcome_details(swarm_call_outcome(outcome, 0))->result;
    CHECK(result.len == strlen(expected) && (result.len == 0 || memcmp(result.data, expected, result.len) == 0));
    CHECK(swarm_outcome_details(swarm_call_outcome(outcome, 0))->content_type == (payload[0] == 'b' ? SWARM_CONTENT_BYTES : SWARM_CONTENT_JSON));
  } else if (strstr(swarm_outcome_details(swarm_call_outcome(outcome, 0))->message, expected) == NULL) {
    fprintf(stderr, "%s\n", swarm_outcome_details(swarm_call_outcome(outcome, 0))->message);
    abort();
  }
  swarm_call_free(outcome);
}

static void the_returned_value_finishes_the_job(void) {
  begin("results");
  swarm_worker *worker = new_worker(options);
  CHECK_OK(swarm_worker_process(worker, NULL, obey, NULL, NULL, &error));
  start_worker(worker);
  check_obeyed("b", SWARM_OK, "bytes");
  check_obeyed("e", SWARM_OK, "null");
  UNTIL_STATS(master, stats.retries == 0);
  check_obeyed("f", SWARM_ERR_JOB_FAILED, "failed");
  UNTIL_STATS(master, stats.retries == 1);
  check_obeyed("g", SWARM_ERR_JOB_FAILED, "for good");
  UNTIL_STATS(master, stats.retries == 1);
  double before = now_ms();
  check_obeyed("r", SWARM_ERR_JOB_FAILED, "twice");
  CHECK(now_ms() - before >= 120);
  UNTIL_STATS(master, stats.retries == 2);
  /* What is wrong with a result is reported to whoever sees the job fail. */
  check_obeyed("n", SWARM_ERR_JOB_FAILED, "no result");
  check_obeyed("w", SWARM_ERR_JOB_FAILED, "`result`");
  check_obeyed("W", SWARM_ERR_JOB_FAILED, "`message`");
  check_obeyed("R", SWARM_OK, "1");
  end(worker);
  swarm_result_free(swarm_result_complete(swarm_bytes_of("1"), SWARM_CONTENT_JSON));
  swarm_result_free(NULL);
}

static swarm_result *report(void *user_data, const swarm_job *job) {
  CHECK_OK(swarm_job_progress(job, swarm_bytes_of("{\"done\":0.5}"), &error));
  char *digits = malloc(4097);
  CHECK(digits != NULL);
  swarm_bytes large = {(const uint8_t *)memset(digits, '1', 4097), 4097};
  CHECK_STATUS(SWARM_ERR_TOO_LARGE, swarm_job_progress(job, large, &error));
  free(digits);
  /* Until the master has seen it. */
  swarm_call *json = NULL;
  do {
    swarm_call_free(json);
    CHECK_OK(answered(swarm_master_job(user_data, swarm_job_id(job)), DEADLINE_MS, &json, &error));
  } while (strstr(swarm_call_json(json), "\"progress\":{\"done\":0.5}") == NULL);
  swarm_call_free(json);
  return swarm_result_complete(swarm_bytes_of("1"), SWARM_CONTENT_JSON);
}

static swarm_result *go_on(void *user_data, const swarm_job *job) {
  counter *attempts = user_data;
  const char *last = swarm_job_details(job)->last_checkpoint;
  counter_add(attempts);
  if (counter_get(attempts) == 1) {
    CHECK(last == NULL);
    CHECK_OK(swarm_job_checkpoint(job, swarm_bytes_of("1"), &error));
    CHECK_OK(swarm_job_checkpoint(job, swarm_bytes_of("{\"page\":2}"), &error));
    char *digits = malloc(4097);
    CHECK(digits != NULL);
    swarm_bytes large = {(const uint8_t *)memset(digits, '1', 4097), 4097};
    CHECK_STATUS(SWARM_ERR_TOO_LARGE, swarm_job_checkpoint(job, large, &error));
    free(digits);
    return swarm_result_fail("half way");
  }
  return swarm_result_complete(swarm_bytes_of(last), SWARM_CONTENT_JSON);
}

static void a_checkpoint_is_read_by_the_next_attempt(void) {
  begin("checkpoint");
  counter attempts = {0};
  swarm_worker *worker = new_worker(options);
  CHECK_OK(swarm_worker_process(worker, NULL, go_on, &attempts, NULL, &error));
  start_worker(worker);
  swarm_job_options retried = SWARM_JOB_OPTIONS_INIT;
  retried.retries = 1;
  check_run_with(&retried, "{\"page\":2}");
  end(worker);
}

static swarm_result *write_lines(void *user_data, const swarm_job *job) {
  (void)user_data;
  CHECK_OK(swarm_job_log(job, "begins", &error));
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, swarm_job_log(job, NULL, &error));
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, swarm_job_log(job, "\xff", &error));
  CHECK_OK(swarm_job_log(job, "ends", &error));
  return swarm_result_complete(swarm_bytes_of("{\"n\":1}"), SWARM_CONTENT_JSON);
}

static void a_completed_job_is_kept_with_its_log(void) {
  begin("history");
  swarm_worker *worker = new_worker(options);
  CHECK_OK(swarm_worker_process(worker, NULL, write_lines, NULL, NULL, &error));
  start_worker(worker);
  swarm_job_options kept = SWARM_JOB_OPTIONS_INIT;
  kept.id = "kept";
  kept.keep_completed = 600000;
  add_job(master, "1", &kept, NULL);
  UNTIL_STATS(master, stats.kept == 1 && stats.completed == 1);
  char json[4096];
  read_json(swarm_master_job(master, "kept"), json);
  CHECK(strstr(json, "\"state\":\"completed\"") != NULL && strstr(json, "\"result\":{\"n\":1}") != NULL);
  CHECK(strstr(json, "\"completed_at\":") != NULL && strstr(json, "\"text\":\"begins\"}") != NULL);
  CHECK(strstr(json, "\"text\":\"ends\"}]") != NULL && strstr(json, "result_omitted") == NULL);
  swarm_call *changed = NULL;
  const char *const ids[] = {"kept", "nobody"};
  CHECK_OK(answered(swarm_master_delete_completed(master, ids, 2), DEADLINE_MS, &changed, &error));
  CHECK(swarm_call_count(changed) == 1);
  swarm_call_free(changed);
  end(worker);
}

static void progress_is_seen_while_the_job_runs(void) {
  begin("progress");
  swarm_worker *worker = new_worker(options);
  CHECK_OK(swarm_worker_process(worker, NULL, report, master, NULL, &error));
  start_worker(worker);
  check_run(NULL, "1");
  end(worker);
}

/* A handler that blocks until the test lets it go on, or its job is cancelled. */
typedef struct {
  counter entered, leave, cancelled;
} gate;

static swarm_result *block(void *user_data, const swarm_job *job) {
  gate *gate = user_data;
  counter_add(&gate->entered);
  while (counter_get(&gate->leave) == 0 && !swarm_job_cancelled(job)) {
  }
  if (swarm_job_cancelled(job)) counter_add(&gate->cancelled);
  return swarm_result_complete(swarm_bytes_of("1"), SWARM_CONTENT_JSON);
}

static void deleted_jobs_are_not_run(void) {
  begin("deleted-jobs");
  gate gate = {COUNTER_INIT, COUNTER_INIT, COUNTER_INIT};
  swarm_worker *worker = new_worker(options);
  CHECK_OK(swarm_worker_process(worker, NULL, block, &gate, NULL, &error));
  start_worker(worker);
  char first[257], second[257];
  add_job(master, "1", NULL, first);
  CHECK(counter_reaches(&gate.entered, 1));
  add_job(master, "2", NULL, second);
  UNTIL_STATS(master, stats.active == 2);
  /* The second is deleted before its turn, the first while it runs. */
  CHECK_OK(delete_jobs(swarm_master_member(master), (const char *const[]){second}, 1, DEADLINE_MS, NULL, &error));
  CHECK_OK(delete_jobs(swarm_master_member(master), (const char *const[]){first}, 1, DEADLINE_MS, NULL, &error));
  CHECK(counter_reaches(&gate.cancelled, 1));
  UNTIL_STATS(master, stats.deleted == 2 && stats.deleting == 0 && stats.active == 0);
  CHECK(counter_get(&gate.entered) == 1);
  end(worker);
}

static void handlers_run_on_the_polling_thread(void) {
  enum { JOBS = 300 };
  begin("polled");
  swarm_worker *worker = new_worker(options);
  int fd = -1;
  CHECK_OK(swarm_member_fd(swarm_worker_member(worker), &fd, &error));
  CHECK_OK(swarm_worker_process(worker, "t", describe, "here", NULL, &error));
  CHECK_OK(swarm_worker_start(worker, &error));
  swarm_job_options job = SWARM_JOB_OPTIONS_INIT;
  job.task = "t";
  swarm_new_job jobs[JOBS];
  for (int i = 0; i < JOBS; i++) jobs[i] = (swarm_new_job){swarm_bytes_of("1"), &job};
  CHECK_OK(swarm_call_end(swarm_master_add_many(master, jobs, JOBS), DEADLINE_MS, &error));
  swarm_stats stats = {0};
  while (stats.completed < JOBS) {
    struct pollfd poller = {fd, POLLIN, 0};
    if (poll(&poller, 1, 10) > 0) CHECK_OK(swarm_member_dispatch(swarm_worker_member(worker), &error));
    CHECK_OK(stats_of(swarm_master_member(master), DEADLINE_MS, &stats, &error));
  }
  end(worker);
}

static void handlers_are_destroyed_once(void) {
  begin("destroy");
  counter first = COUNTER_INIT, second = COUNTER_INIT, plain = COUNTER_INIT, refused = COUNTER_INIT;
  swarm_worker *worker = new_worker(options);
  CHECK_OK(swarm_worker_process(worker, "t", describe, &first, count_destroy, &error));
  CHECK_OK(swarm_worker_process(worker, "t", describe, &second, count_destroy, &error));
  CHECK(counter_get(&first) == 1 && counter_get(&second) == 0);
  /* The two ways to take the rest of the jobs take each other's place. */
  CHECK_OK(swarm_worker_process(worker, NULL, describe, &plain, count_destroy, &error));
  swarm_worker_on_add(worker, echo, &plain, count_destroy);
  CHECK(counter_get(&plain) == 1);
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, swarm_worker_process(worker, "t", NULL, &refused, count_destroy, &error));
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, swarm_worker_process(worker, "a\nb", describe, &refused, count_destroy, &error));
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, swarm_worker_process(worker, "\xff", describe, &refused, count_destroy, &error));
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, swarm_worker_process(NULL, "t", describe, &refused, count_destroy, &error));
  CHECK(counter_get(&refused) == 4 && counter_get(&second) == 0);
  end(worker);
  CHECK(counter_get(&second) == 1 && counter_get(&plain) == 2 && counter_get(&first) == 1);
}

int main(void) {
  RUN(one_handler_runs_all_jobs);
  RUN(each_task_has_its_handler);
  RUN(named_tasks_go_to_the_handler_of_the_rest);
  RUN(tasks_are_named_without_handlers_of_their_own);
  RUN(the_returned_value_finishes_the_job);
  RUN(progress_is_seen_while_the_job_runs);
  RUN(a_checkpoint_is_read_by_the_next_attempt);
  RUN(a_completed_job_is_kept_with_its_log);
  RUN(deleted_jobs_are_not_run);
  RUN(handlers_run_on_the_polling_thread);
  RUN(handlers_are_destroyed_once);
  return 0;
}
