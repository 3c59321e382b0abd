/* Inspection of the cluster, pauses, and the retry and deletion of failed jobs. */
#include "support.h"

static swarm_options *options;
static swarm_master *master;
static keeper kept;

/* The JSON has this text. */
static void check_has(const char *json, const char *part) {
  if (json == NULL || strstr(json, part) == NULL) {
    fprintf(stderr, "no %s in %s\n", part, json ? json : "(NULL)");
    abort();
  }
}

#define CHECK_LOOK(part, call) \
  do { \
    swarm_call *json = NULL; \
    CHECK_OK(call); \
    check_has(swarm_call_json(json), part); \
    swarm_call_free(json); \
  } while (0)

static void a_job_is_seen_where_it_is(void) {
  swarm_header headers[] = {{"trace", "x\"y"}};
  swarm_job_options job = SWARM_JOB_OPTIONS_INIT, bytes = SWARM_JOB_OPTIONS_INIT;
  job.id = "seen";
  job.priority = 3;
  job.retries = 2;
  job.resource = "disk";
  job.delay = 3600 * 1000;
  job.headers = headers;
  job.header_count = 1;
  add_job(master, "{\"n\":[1]}", &job, NULL);
  swarm_call *json = NULL;
  CHECK_OK(answered(swarm_master_job(master, "seen"), DEADLINE_MS, &json, &error));
  static const char *const parts[] = {
      "\"id\":\"seen\"", "\"state\":\"delayed\"", "\"payload\":{\"n\":[1]}", "\"priority\":3",  "\"task\":\"\"",
      "\"resource\":\"disk\"", "\"headers\":{\"trace\":\"x\\\"y\"}", "\"attempt\":1", "\"retries\":2", "\"crashes\":0",
      "\"holder\":\"\"", "\"fence\":0", "\"due_at\":",
  };
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) check_has(swarm_call_json(json), parts[i]);
  swarm_call_free(json);
  CHECK_LOOK("\"jobs\":[{\"id\":\"seen\"", answered(swarm_master_jobs(master, "delayed", NULL, 10), DEADLINE_MS, &json, &error));
  CHECK_OK(delete_jobs(swarm_master_member(master), (const char *const[]){"seen"}, 1, DEADLINE_MS, NULL, &error));
  /* There is no such job any more. */
  CHECK_OK(answered(swarm_master_job(master, "seen"), DEADLINE_MS, &json, &error));
  CHECK(swarm_call_json(json) == NULL && swarm_call_json(NULL) == NULL);
  swarm_call_free(json);
  bytes.id = "bytes";
  bytes.content_type = SWARM_CONTENT_BYTES;
  add_job(master, "\xff", &bytes, NULL);
  CHECK_LOOK("\"payload_base64\":\"/w==\"", answered(swarm_master_job(master, "bytes"), DEADLINE_MS, &json, &error));
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, answered(swarm_master_job(master, ""), DEADLINE_MS, &json, &error));
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, answered(swarm_master_job(master, NULL), DEADLINE_MS, &json, &error));
  CHECK_OK(delete_jobs(swarm_master_member(master), (const char *const[]){"bytes"}, 1, DEADLINE_MS, NULL, &error));
}

static void pages_follow_one_another(void) {
  static const char *const ids[] = {"j0", "j1", "j2", "j3", "j4"};
  for (int i = 0; i < 5; i++) {
    swarm_job_options job = SWARM_JOB_OPTIONS_INIT;
    job.id = ids[i];
    add_job(master, "1", &job, NULL);
  }
  char after[300] = "";
  for (int i = 0; i < 5; i++) {
    char id[32];
    swarm_call *json = NULL;
    CHECK_OK(answered(swarm_master_jobs(master, "waiting", i == 0 ? NULL : after, 1), DEADLINE_MS, &json, &error));
    snprintf(id, sizeof id, "\"id\":\"%s\"", ids[i]);
    check_has(swarm_call_json(json), id);
    const char *next = strstr(swarm_call_json(json), "\"next\":");
    CHECK(next != NULL && (i == 4 || sscanf(next, "\"next\":\"%299[^\"]\"", after) == 1));
    swarm_call_free(json);
  }
  swarm_call *json = NULL;
  swarm_error *error = NULL;
  CHECK(answered(swarm_master_jobs(master, "sleeping", NULL, 1), DEADLINE_MS, &json, &error) == SWARM_ERR_INVALID_ARGUMENT);
  CHECK(strstr(swarm_error_message(error), "waiting, delayed, blocked, active, deleting, failed") != NULL && json == NULL);
  swarm_error_free(error);
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, answered(swarm_master_jobs(master, "active", NULL, 0), DEADLINE_MS, &json, &error));
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, answered(swarm_master_jobs(master, "active", NULL, 1001), DEADLINE_MS, &json, &error));
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, answered(swarm_master_jobs(master, NULL, NULL, 1), DEADLINE_MS, &json, &error));
  CHECK_OK(delete_jobs(swarm_master_member(master), ids, 5, DEADLINE_MS, NULL, &error));
}

static void jobs_of_a_paused_queue_wait(void) {
  swarm_job_options job = SWARM_JOB_OPTIONS_INIT;
  swarm_options_set(options, "name", "ann");
  swarm_options_set(options, "task", "t");
  swarm_options_set(options, "task", "");
  swarm_options_set(options, "slots", "3");
  keeper_start(&kept, options);
  CHECK_LOOK("\"name\":\"ann\"", answered(swarm_master_members(master), DEADLINE_MS, &json, &error));
  CHECK_LOOK("\"slots\":3,\"paused\":false,\"tasks\":[\"\",\"t\"]", answered(swarm_master_members(master), DEADLINE_MS, &json, &error));
  CHECK_OK(swarm_call_end(swarm_master_pause(master, "t", true), DEADLINE_MS, &error));
  CHECK_OK(swarm_call_end(swarm_master_pause(master, NULL, true), DEADLINE_MS, &error));
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, swarm_call_end(swarm_master_pause(master, "a\nb", true), DEADLINE_MS, &error));
  add_job(master, "1", NULL, NULL);
  job.task = "t";
  job.priority = 5;
  add_job(master, "2", &job, NULL);
  CHECK_LOOK("{\"queues\":[{\"priority\":5,\"task\":\"t\",\"waiting\":1,\"groups\":0},{\"priority\":0,\"task\":\"\",\"waiting\":1,\"groups\":0}],"
             "\"limits\":[],\"paused\":[\"*\",\"t\"],\"chooser\":\"\"}",
             answered(swarm_master_queues(master), DEADLINE_MS, &json, &error));
  CHECK_OK(swarm_call_end(swarm_master_pause(master, NULL, false), DEADLINE_MS, &error));
  CHECK(swarm_job_payload(kept_job(&kept, 0)).data[0] == '1');
  CHECK_LOOK("\"state\":\"active\"", answered(swarm_master_jobs(master, "active", NULL, 10), DEADLINE_MS, &json, &error));
  CHECK_OK(swarm_call_end(swarm_master_pause(master, "t", false), DEADLINE_MS, &error));
  CHECK(swarm_job_payload(kept_job(&kept, 1)).data[0] == '2');
  CHECK_OK(swarm_job_finish(kept.jobs[0], swarm_result_complete(swarm_bytes_of("1"), SWARM_CONTENT_JSON), NULL, &error));
  CHECK_OK(swarm_job_finish(kept.jobs[1], swarm_result_complete(swarm_bytes_of("1"), SWARM_CONTENT_JSON), NULL, &error));
}

static void failed_jobs_are_run_again_or_forgotten(void) {
  static const char *const ids[] = {"f0", "f1", "f2", "none"};
  uint64_t changed = 77;
  for (long i = 0; i < 3; i++) {
    swarm_job_options job = SWARM_JOB_OPTIONS_INIT;
    job.id = ids[i];
    add_job(master, "1", &job, NULL);
    CHECK_OK(swarm_job_finish(kept_job(&kept, 2 + i), swarm_result_fail("broken"), NULL, &error));
  }
  UNTIL_STATS(master, stats.failed == 3);
  CHECK_LOOK("\"reason\":\"failed\",\"error\":\"broken\",\"failed_at\":",
             answered(swarm_master_job(master, "f0"), DEADLINE_MS, &json, &error));
  /* None of none; SWARM_ALL stands for all. */
  CHECK_OK(changed_by(swarm_master_retry_failed(master, NULL, 0), DEADLINE_MS, &changed, &error));
  CHECK(changed == 0);
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, changed_by(swarm_master_retry_failed(master, NULL, 1), DEADLINE_MS, &changed, &error));
  CHECK_OK(changed_by(swarm_master_retry_failed(master, ids + 2, 2), DEADLINE_MS, &changed, &error));
  CHECK(changed == 1);
  CHECK_TEXT("f2", swarm_job_id(kept_job(&kept, 5)));
  CHECK_OK(swarm_job_finish(kept.jobs[5], swarm_result_complete(swarm_bytes_of("1"), SWARM_CONTENT_JSON), NULL, &error));
  CHECK_OK(changed_by(swarm_master_delete_failed(master, ids, 1), DEADLINE_MS, &changed, &error));
  CHECK(changed == 1);
  CHECK_OK(changed_by(swarm_master_delete_failed(master, NULL, SWARM_ALL), DEADLINE_MS, &changed, &error));
  CHECK(changed == 1);
  CHECK_OK(swarm_call_end(swarm_master_retry_failed(master, NULL, SWARM_ALL), DEADLINE_MS, &error));
  UNTIL_STATS(master, stats.failed == 0 && stats.revived == 1 && stats.failures == 3);
}

/* What a completion callback saw. */
typedef struct {
  counter destroyed;
  swarm_status status;
  char json[4096];
  uint64_t count;
} seen;

#define SEEN_INIT {COUNTER_INIT, SWARM_OK, "", 77}

static void on_json(void *user_data, const swarm_error *error, const swarm_call *call) {
  const char *json = swarm_call_json(call);
  seen *seen = user_data;
  seen->status = swarm_error_status(error);
  snprintf(seen->json, sizeof seen->json, "%s", json ? json : "(NULL)");
}

static void on_count(void *user_data, const swarm_error *error, const swarm_call *call) {
  uint64_t count = swarm_call_count(call);
  seen *seen = user_data;
  seen->status = swarm_error_status(error);
  seen->count = count;
}

static void on_done(void *user_data, const swarm_error *error, const swarm_call *call) {
  (void)call;
  ((seen *)user_data)->status = swarm_error_status(error);
}

static void seen_destroy(void *user_data) { counter_add(&((seen *)user_data)->destroyed); }

/* The call, with a `seen` of its own as `seen`, has this status in its callback. */
#define CHECK_SEEN(expected, part, call) \
  do { \
    seen seen = SEEN_INIT; \
    CHECK_OK(call); \
    CHECK(counter_reaches(&seen.destroyed, 1) && seen.status == (expected)); \
    check_has(seen.json, part); \
  } while (0)

static void all_of_it_without_waiting(void) {
  swarm_job_options job = SWARM_JOB_OPTIONS_INIT;
  job.id = "later";
  job.delay = 3600 * 1000;
  add_job(master, "1", &job, NULL);
  CHECK_SEEN(SWARM_OK, "\"later\"", swarm_call_on_done(swarm_master_job(master, "later"), SWARM_NO_TIMEOUT, on_json, &seen, seen_destroy, &error));
  CHECK_SEEN(SWARM_OK, "(NULL)", swarm_call_on_done(swarm_master_job(master, "none"), SWARM_NO_TIMEOUT, on_json, &seen, seen_destroy, &error));
  CHECK_SEEN(SWARM_ERR_INVALID_ARGUMENT, "(NULL)", swarm_call_on_done(swarm_master_job(master, ""), SWARM_NO_TIMEOUT, on_json, &seen, seen_destroy, &error));
  CHECK_SEEN(SWARM_OK, "\"next\":null",
             swarm_call_on_done(swarm_master_jobs(master, "delayed", NULL, 10), SWARM_NO_TIMEOUT, on_json, &seen, seen_destroy, &error));
  CHECK_SEEN(SWARM_OK, "\"queues\"", swarm_call_on_done(swarm_master_queues(master), SWARM_NO_TIMEOUT, on_json, &seen, seen_destroy, &error));
  CHECK_SEEN(SWARM_OK, "\"incarnation\"", swarm_call_on_done(swarm_master_members(master), SWARM_NO_TIMEOUT, on_json, &seen, seen_destroy, &error));
  CHECK_SEEN(SWARM_OK, "", swarm_call_on_done(swarm_master_pause(master, "x", true), SWARM_NO_TIMEOUT, on_done, &seen, seen_destroy, &error));
  CHECK_LOOK("\"paused\":[\"x\"]", answered(swarm_master_queues(master), DEADLINE_MS, &json, &error));
  CHECK_SEEN(SWARM_OK, "", swarm_call_on_done(swarm_master_pause(master, "x", false), SWARM_NO_TIMEOUT, on_done, &seen, seen_destroy, &error));
  CHECK_LOOK("\"paused\":[]", answered(swarm_master_queues(master), DEADLINE_MS, &json, &error));
  seen retried = SEEN_INIT, deleted = SEEN_INIT, refused = SEEN_INIT;
  CHECK_OK(swarm_call_on_done(swarm_master_retry_failed(master, NULL, SWARM_ALL), SWARM_NO_TIMEOUT, on_count, &retried, seen_destroy, &error));
  CHECK_OK(swarm_call_on_done(swarm_master_delete_failed(master, NULL, SWARM_ALL), SWARM_NO_TIMEOUT, on_count, &deleted, seen_destroy, &error));
  CHECK(counter_reaches(&retried.destroyed, 1) && retried.count == 0);
  CHECK(counter_reaches(&deleted.destroyed, 1) && deleted.count == 0);
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT,
               swarm_call_on_done(swarm_master_jobs(master, "x", NULL, 1), SWARM_NO_TIMEOUT, on_json, &refused, seen_destroy, &error));
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT,
               swarm_call_on_done(swarm_master_retry_failed(master, NULL, 1), SWARM_NO_TIMEOUT, on_count, &refused, seen_destroy, &error));
  CHECK(counter_get(&refused.destroyed) == 2 && refused.count == 77);
  CHECK_OK(swarm_call_on_done(swarm_master_queues(master), SWARM_NO_TIMEOUT, NULL, NULL, NULL, &error));
}

int main(void) {
  options = test_options("inspect");
  master = start_master(options);
  RUN(a_job_is_seen_where_it_is);
  RUN(pages_follow_one_another);
  RUN(jobs_of_a_paused_queue_wait);
  RUN(failed_jobs_are_run_again_or_forgotten);
  RUN(all_of_it_without_waiting);
  CHECK(swarm_worker_free(kept.worker) == SWARM_OK);
  end_master(master);
  swarm_options_free(options);
  return 0;
}
