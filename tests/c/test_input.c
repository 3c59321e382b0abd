/* What a careless program passes in: truth values that are none, text that is not UTF-8, JSON that is not JSON. And what is reported to it. */
#include "support.h"

#include <sys/wait.h>

/* One worker that keeps its jobs, and the outcomes that are reported to it. */
typedef struct {
  counter added, completed, failed, retrying;
  swarm_job *job;
  char text[256];
  swarm_options *options;
  swarm_worker *worker;
  swarm_master *master;
} bench;

static void keep(void *user_data, swarm_job *job) {
  bench *bench = user_data;
  bench->job = job;
  counter_add(&bench->added);
}

static void on_completed(void *user_data, const swarm_job *job) {
  bench *bench = user_data;
  snprintf(bench->text, sizeof bench->text, "%s", swarm_job_id(job));
  counter_add(&bench->completed);
}

static void on_failed(void *user_data, const swarm_job *job, const char *message, const char *traceback) {
  bench *bench = user_data;
  snprintf(bench->text, sizeof bench->text, "%s|%s|%s", swarm_job_id(job), message, traceback);
  counter_add(&bench->failed);
}

static void on_retrying(void *user_data, const swarm_job *job, const char *message, const char *traceback, uint64_t delay_ms) {
  bench *bench = user_data;
  snprintf(bench->text, sizeof bench->text, "%s|%s|%s|%lu", swarm_job_id(job), message, traceback, (unsigned long)delay_ms);
  counter_add(&bench->retrying);
}

static void bench_start(bench *bench, const char *name) {
  static const counter fresh = COUNTER_INIT;
  memset(bench, 0, sizeof *bench);
  bench->added = bench->completed = bench->failed = bench->retrying = fresh;
  bench->options = test_options(name);
  bench->worker = new_worker(bench->options);
  swarm_worker_on_add(bench->worker, keep, bench, NULL);
  start_worker(bench->worker);
  bench->master = start_master(bench->options);
}

static void bench_end(bench *bench) {
  CHECK(swarm_worker_free(bench->worker) == SWARM_OK);
  end_master(bench->master);
  swarm_options_free(bench->options);
}

static swarm_job *assigned_job(bench *bench, const char *id, uint32_t retries) {
  long before = counter_get(&bench->added);
  swarm_job_options job = SWARM_JOB_OPTIONS_INIT;
  job.id = id;
  job.retries = retries;
  add_job(bench->master, "1", &job, NULL);
  CHECK(counter_reaches(&bench->added, before + 1));
  return bench->job;
}

/* What is known of a job, as JSON. */
static void job_json(bench *bench, const char *id, char json[1024]) {
  swarm_call *text = NULL;
  CHECK_OK(answered(swarm_master_job(bench->master, id), DEADLINE_MS, &text, &error));
  CHECK(text != NULL);
  snprintf(json, 1024, "%s", swarm_call_json(text));
  swarm_call_free(text);
}

static void any_byte_that_is_not_zero_is_true(void) {
  bench bench;
  bench_start(&bench, "flags");
  static const unsigned char bytes[] = {1, 2, 0x80, 0xff};
  for (size_t i = 0; i < sizeof bytes; i++) {
    swarm_job_options job = SWARM_JOB_OPTIONS_INIT;
    memcpy((unsigned char *)&job + offsetof(swarm_job_options, result), &bytes[i], 1);
    memcpy((unsigned char *)&job + offsetof(swarm_job_options, ephemeral), &bytes[i], 1);
    char id[257];
    add_job(bench.master, "1", &job, id);
    CHECK(counter_reaches(&bench.added, (long)i + 1));
    CHECK_OK(swarm_job_finish(bench.job, swarm_result_complete(swarm_bytes_of("7"), SWARM_CONTENT_JSON), NULL, &error));
    /* Its result is kept. */
    swarm_call *outcome = NULL;
    CHECK_OK(answered(swarm_master_result(bench.master, id), DEADLINE_MS, &outcome, &error));
    CHECK(swarm_outcome_details(swarm_call_outcome(outcome, 0))->completed);
    swarm_call_free(outcome);
    swarm_new_message message = SWARM_NEW_MESSAGE_INIT;
    message.payload = swarm_bytes_of("1");
    memcpy((unsigned char *)&message + offsetof(swarm_new_message, to_self), &bytes[i], 1);
    swarm_call *receipt = NULL;
    CHECK_OK(answered(swarm_member_send(swarm_master_member(bench.master), &message), DEADLINE_MS, &receipt, &error));
    swarm_call_free(receipt);
  }
  bench_end(&bench);
}

static void invalid_json_is_refused_at_the_call(void) {
  bench bench;
  bench_start(&bench, "json");
  static const char *const wrong[] = {"{", "hello", "{\"a\":1}}", "'a'", "\xff\xfe", "\"\xc3\"", "nul", "1 2"};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    swarm_call *added = NULL;
    CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT,
                 answered(swarm_master_add(bench.master, swarm_bytes_of(wrong[i]), NULL), DEADLINE_MS, &added, &error));
    /* As bytes they are what they are. */
    swarm_job_options bytes = SWARM_JOB_OPTIONS_INIT;
    bytes.content_type = SWARM_CONTENT_BYTES;
    add_job(bench.master, wrong[i], &bytes, NULL);
    CHECK(counter_reaches(&bench.added, (long)i + 1));
    CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, swarm_job_progress(bench.job, swarm_bytes_of(wrong[i]), &error));
    CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, swarm_job_checkpoint(bench.job, swarm_bytes_of(wrong[i]), &error));
    CHECK_OK(swarm_job_finish(bench.job, swarm_result_complete(swarm_bytes_of("1"), SWARM_CONTENT_JSON), NULL, &error));
  }
  /* None of the refused was added; nothing at all stands for null. */
  add_job(bench.master, "", NULL, NULL);
  CHECK(counter_reaches(&bench.added, (long)(sizeof wrong / sizeof *wrong) + 1));
  swarm_bytes payload = swarm_job_payload(bench.job);
  CHECK(payload.len == 4 && memcmp(payload.data, "null", 4) == 0);
  CHECK_OK(swarm_job_finish(bench.job, swarm_result_complete((swarm_bytes){NULL, 0}, SWARM_CONTENT_JSON), NULL, &error));
  bench_end(&bench);
}

static void a_result_that_is_not_json_travels_as_bytes(void) {
  bench bench;
  bench_start(&bench, "result");
  swarm_job_options job = SWARM_JOB_OPTIONS_INIT;
  job.result = true;
  char id[257];
  add_job(bench.master, "1", &job, id);
  CHECK(counter_reaches(&bench.added, 1));
  CHECK_OK(swarm_job_finish(bench.job, swarm_result_complete(swarm_bytes_of("{oops"), SWARM_CONTENT_JSON), NULL, &error));
  swarm_call *outcome = NULL;
  CHECK_OK(answered(swarm_master_result(bench.master, id), DEADLINE_MS, &outcome, &error));
  CHECK(swarm_outcome_details(swarm_call_outcome(outcome, 0))->content_type == SWARM_CONTENT_BYTES && swarm_outcome_details(swarm_call_outcome(outcome, 0))->result.len == 5);
  swarm_call_free(outcome);
  bench_end(&bench);
}

static void an_error_text_that_is_cut_in_a_character_fails_the_job(void) {
  bench bench;
  bench_start(&bench, "cut");
  char json[1024];
  CHECK_OK(swarm_job_finish(assigned_job(&bench, "one", 0), swarm_result_fail("caf\xc3"), NULL, &error));
  UNTIL_STATS(bench.master, stats.failed == 1);
  job_json(&bench, "one", json);
  CHECK(strstr(json, "\"error\":\"caf\xef\xbf\xbd\"") != NULL);
  swarm_result *failure = swarm_result_with_traceback(swarm_result_fail_permanently("\xff"), "line \xff");
  CHECK_OK(finish_and_wait(assigned_job(&bench, "two", 0), failure, &error));
  job_json(&bench, "two", json);
  CHECK(strstr(json, "\"error\":\"\xef\xbf\xbd\"") != NULL);
  CHECK(strstr(json, "\"traceback\":\"line \xef\xbf\xbd\"") != NULL);
  bench_end(&bench);
}

static void outcomes_are_reported_with_their_tracebacks(void) {
  bench bench;
  bench_start(&bench, "outcomes");
  swarm_worker_on_completed(bench.worker, on_completed, &bench, NULL);
  swarm_worker_on_failed(bench.worker, on_failed, &bench, NULL);
  swarm_worker_on_retrying(bench.worker, on_retrying, &bench, NULL);
  CHECK_OK(swarm_job_finish(assigned_job(&bench, "good", 0), swarm_result_complete(swarm_bytes_of("1"), SWARM_CONTENT_JSON), NULL, &error));
  CHECK(counter_reaches(&bench.completed, 1));
  CHECK_TEXT("good", bench.text);
  CHECK_OK(swarm_job_finish(assigned_job(&bench, "bad", 0), swarm_result_with_traceback(swarm_result_fail("broken"), "main.c:7"), NULL, &error));
  CHECK(counter_reaches(&bench.failed, 1));
  CHECK_TEXT("bad|broken|main.c:7", bench.text);
  CHECK_OK(swarm_job_finish(assigned_job(&bench, "again", 1), swarm_result_with_traceback(swarm_result_retry("busy", 60000), NULL), NULL, &error));
  CHECK(counter_reaches(&bench.retrying, 1));
  CHECK_TEXT("again|busy||60000", bench.text);
  CHECK_OK(swarm_job_finish(assigned_job(&bench, "worse", 3), swarm_result_with_traceback(swarm_result_fail_permanently("never"), "here"), NULL, &error));
  CHECK(counter_reaches(&bench.failed, 2));
  CHECK_TEXT("worse|never|here", bench.text);
  char json[1024];
  job_json(&bench, "bad", json);
  CHECK(strstr(json, "\"traceback\":\"main.c:7\"") != NULL);
  bench_end(&bench);
}

/* A program that knows nothing of the log, or silences it, runs to its end. Returns what it wrote to stderr. */
static void stderr_of_a_failing_program(bool silent, char written[4096]) {
  int ends[2];
  CHECK(pipe(ends) == 0);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    dup2(ends[1], STDERR_FILENO);
    close(ends[0]);
    close(ends[1]);
    if (silent) CHECK_OK(swarm_set_log_callback(0, NULL, NULL, NULL, &error));
    bench bench;
    bench_start(&bench, silent ? "silent" : "stderr");
    CHECK_OK(swarm_job_finish(assigned_job(&bench, "lost", 0), swarm_result_with_traceback(swarm_result_fail("broken"), "main.c:7"), NULL, &error));
    UNTIL_STATS(bench.master, stats.failed == 1);
    bench_end(&bench);
    /* Not _exit: what was logged last is to be written, too. */
    exit(0);
  }
  close(ends[1]);
  size_t length = 0;
  ssize_t got;
  while ((got = read(ends[0], written + length, 4095 - length)) > 0) length += (size_t)got;
  written[length] = 0;
  close(ends[0]);
  int status;
  CHECK(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void failures_go_to_stderr_unless_configured_otherwise(void) {
  char written[4096];
  stderr_of_a_failing_program(false, written);
  CHECK(strstr(written, "ERROR libswarm::jobs: job `lost` failed at attempt 1, no next try: broken\nmain.c:7\n") != NULL);
  stderr_of_a_failing_program(true, written);
  CHECK_TEXT("", written);
}

int main(void) {
  /* First: it forks, and has nothing of the library's before. */
  RUN(failures_go_to_stderr_unless_configured_otherwise);
  RUN(any_byte_that_is_not_zero_is_true);
  RUN(invalid_json_is_refused_at_the_call);
  RUN(a_result_that_is_not_json_travels_as_bytes);
  RUN(an_error_text_that_is_cut_in_a_character_fails_the_job);
  RUN(outcomes_are_reported_with_their_tracebacks);
  return 0;
}
