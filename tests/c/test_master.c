/* Masters: adding, deleting, awaiting, counting; waiting for it and not. */
#include "support.h"

static swarm_options *options;
static swarm_worker *worker;
static swarm_master *master;

static void ids_are_returned(void) {
  swarm_call *added = NULL;
  CHECK_OK(answered(swarm_master_add(master, swarm_bytes_of("1"), NULL), DEADLINE_MS, &added, &error));
  CHECK(swarm_call_count(added) == 1 && strlen(swarm_call_id(added, 0)) == 20 && !swarm_call_existed(added, 0));
  CHECK(swarm_call_id(added, 1) == NULL && !swarm_call_existed(added, 1));
  swarm_call_free(added);
  CHECK_OK(swarm_call_end(swarm_master_add(master, swarm_bytes_of("1"), NULL), DEADLINE_MS, &error));
}

static void own_ids_exist_once(void) {
  swarm_options *other = test_options("own-ids");
  swarm_master *lonely = start_master(other);
  swarm_job_options job = SWARM_JOB_OPTIONS_INIT;
  job.id = "user-7";
  swarm_new_job jobs[] = {{swarm_bytes_of("1"), &job}, {swarm_bytes_of("2"), NULL}, {swarm_bytes_of("3"), &job}};
  swarm_call *added = NULL;
  CHECK_OK(answered(swarm_master_add_many(lonely, jobs, 3), DEADLINE_MS, &added, &error));
  CHECK(swarm_call_count(added) == 3);
  CHECK_TEXT("user-7", swarm_call_id(added, 0));
  CHECK_TEXT("user-7", swarm_call_id(added, 2));
  CHECK(!swarm_call_existed(added, 0) && !swarm_call_existed(added, 1) && swarm_call_existed(added, 2));
  swarm_call_free(added);
  bool existed = false;
  CHECK_OK(delete_jobs(swarm_master_member(lonely), (const char *const[]){"user-7"}, 1, DEADLINE_MS, &existed, &error));
  CHECK(existed);
  const char *ids[] = {"user-7", "none"};
  bool each[2] = {true, true};
  CHECK_OK(delete_jobs(swarm_master_member(lonely), ids, 2, DEADLINE_MS, each, &error));
  CHECK(!each[0] && !each[1]);
  job.id = "";
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, swarm_call_end(swarm_master_add(lonely, swarm_bytes_of("1"), &job), DEADLINE_MS, &error));
  end_master(lonely);
  swarm_options_free(other);
}

static void results_come_back(void) {
  swarm_call *outcome = NULL;
  CHECK_OK(answered(swarm_master_run(master, swarm_bytes_of("{\"n\":2}"), NULL), DEADLINE_MS, &outcome, &error));
  CHECK(swarm_outcome_details(swarm_call_outcome(outcome, 0))->completed && swarm_outcome_details(swarm_call_outcome(outcome, 0))->reason == NULL && swarm_outcome_details(swarm_call_outcome(outcome, 0))->message == NULL);
  CHECK(swarm_outcome_details(swarm_call_outcome(outcome, 0))->content_type == SWARM_CONTENT_JSON);
  swarm_bytes result = swarm_outcome_details(swarm_call_outcome(outcome, 0))->result;
  CHECK(result.len == 7 && memcmp(result.data, "{\"n\":2}", 7) == 0);
  swarm_call_free(outcome);

  char id[257];
  swarm_job_options job = SWARM_JOB_OPTIONS_INIT;
  job.result = true;
  job.result_ttl = 60000;
  add_job(master, "\"x\"", &job, id);
  CHECK_OK(answered(swarm_master_result(master, id), DEADLINE_MS, &outcome, &error));
  CHECK(swarm_outcome_details(swarm_call_outcome(outcome, 0))->completed && swarm_outcome_details(swarm_call_outcome(outcome, 0))->result.len == 3);
  swarm_call_free(outcome);
  outcome = NULL;
  CHECK_STATUS(SWARM_ERR_NOT_FOUND, answered(swarm_master_result(master, "no-such-job"), DEADLINE_MS, &outcome, &error));
  CHECK(outcome == NULL);
}

static void a_wait_ends_with_its_time(void) {
  swarm_options *other = test_options("no-worker");
  swarm_master *lonely = start_master(other);
  swarm_call *outcome = NULL;
  double before = now_ms();
  swarm_error *error = NULL;
  CHECK(answered(swarm_master_run(lonely, swarm_bytes_of("1"), NULL), 50, &outcome, &error) == SWARM_ERR_TIMEOUT);
  CHECK(swarm_error_is_retryable(error) && strstr(swarm_error_message(error), "50 ms") != NULL && outcome == NULL);
  swarm_error_free(error);
  CHECK(now_ms() - before >= 50);
  end_master(lonely);
  swarm_options_free(other);
}

static void payloads_over_the_limit_are_refused(void) {
  size_t limit = 512 * 1024;
  uint8_t *bytes = calloc(limit + 1, 1);
  CHECK(bytes != NULL);
  swarm_job_options job = SWARM_JOB_OPTIONS_INIT;
  job.content_type = SWARM_CONTENT_BYTES;
  swarm_bytes payload = {bytes, limit + 1};
  CHECK_STATUS(SWARM_ERR_TOO_LARGE, swarm_call_end(swarm_master_add(master, payload, &job), DEADLINE_MS, &error));
  payload.len = limit;
  CHECK_OK(swarm_call_end(swarm_master_add(master, payload, &job), DEADLINE_MS, &error));
  free(bytes);
}

static void the_cluster_is_counted(void) {
  swarm_stats stats = {0};
  CHECK_OK(stats_of(swarm_master_member(master), DEADLINE_MS, &stats, &error));
  CHECK(stats.struct_size == sizeof stats && stats.members == 2 && stats.added > 0);
  swarm_stats same = {0};
  CHECK_OK(stats_of(swarm_worker_member(worker), DEADLINE_MS, &same, &error));
  CHECK(same.members == 2 && same.added == stats.added);
  swarm_health health = SWARM_HEALTH_INIT;
  CHECK_OK(swarm_member_health(swarm_master_member(master), &health, &error));
  CHECK(health.healthy && health.connected && health.trouble == SWARM_OK && health.trouble_message[0] == 0);
  CHECK(health.incarnation[0] != 0 && health.lease_left > 0);
  /* A program compiled with an older header knows less of the struct; the rest is not touched. */
  memset(&health, 0x55, sizeof health);
  health.struct_size = offsetof(swarm_health, lease_left);
  CHECK_OK(swarm_member_health(swarm_worker_member(worker), &health, &error));
  CHECK(health.healthy && health.lease_left == 0x5555555555555555u && health.incarnation[0] == 0x55);
}

/* What a completion callback saw. */
typedef struct {
  counter called, destroyed;
  swarm_status status;
  bool value;
  char id[257];
  size_t count;
} seen;

#define SEEN_INIT {COUNTER_INIT, COUNTER_INIT, SWARM_OK, false, "", 0}

static void on_added(void *user_data, const swarm_error *error, const swarm_call *added) {
  seen *seen = user_data;
  CHECK((error == NULL) == (swarm_call_count(added) > 0));
  seen->status = swarm_error_status(error);
  seen->count = swarm_call_count(added);
  if (seen->count > 0) snprintf(seen->id, sizeof seen->id, "%s", swarm_call_id(added, 0));
  counter_add(&seen->called);
}

static void on_existed(void *user_data, const swarm_error *error, const swarm_call *call) {
  bool existed = swarm_call_existed(call, 0);
  seen *seen = user_data;
  seen->status = swarm_error_status(error);
  seen->value = existed;
  counter_add(&seen->called);
}

static void on_outcome(void *user_data, const swarm_error *error, const swarm_call *outcome) {
  seen *seen = user_data;
  CHECK((error == NULL) == (swarm_call_outcome(outcome, 0) != NULL));
  seen->status = swarm_error_status(error);
  seen->value = swarm_outcome_details(swarm_call_outcome(outcome, 0))->completed;
  seen->count = swarm_outcome_details(swarm_call_outcome(outcome, 0))->result.len;
  counter_add(&seen->called);
}

static void on_stats(void *user_data, const swarm_error *error, const swarm_call *call) {
  const swarm_stats *stats = swarm_call_stats(call);
  seen *seen = user_data;
  seen->status = swarm_error_status(error);
  seen->count = stats->members;
  counter_add(&seen->called);
}

static void on_done(void *user_data, const swarm_error *error, const swarm_call *call) {
  (void)call;
  seen *seen = user_data;
  seen->status = swarm_error_status(error);
  counter_add(&seen->called);
}

static void seen_destroy(void *user_data) { counter_add(&((seen *)user_data)->destroyed); }

/* Called and destroyed once, with this status. */
static void check_seen(seen *seen, swarm_status status) {
  CHECK(counter_reaches(&seen->destroyed, 1));
  CHECK(counter_get(&seen->called) == 1 && counter_get(&seen->destroyed) == 1);
  if (seen->status != status) fprintf(stderr, "seen %s\n", swarm_status_name(seen->status));
  CHECK(seen->status == status);
}

static void all_of_it_without_waiting(void) {
  seen added = SEEN_INIT, many = SEEN_INIT, deleted = SEEN_INIT, result = SEEN_INIT, ran = SEEN_INIT, late = SEEN_INIT,
       counted = SEEN_INIT, refused = SEEN_INIT;
  swarm_job_options job = SWARM_JOB_OPTIONS_INIT;
  job.result = true;
  CHECK_OK(swarm_call_on_done(swarm_master_add(master, swarm_bytes_of("12"), &job), SWARM_NO_TIMEOUT, on_added, &added, seen_destroy, &error));
  check_seen(&added, SWARM_OK);
  CHECK(added.count == 1 && strlen(added.id) == 20);
  CHECK_OK(swarm_call_on_done(swarm_master_result(master, added.id), DEADLINE_MS, on_outcome, &result, seen_destroy, &error));
  check_seen(&result, SWARM_OK);
  CHECK(result.value && result.count == 2);
  swarm_new_job jobs[] = {{swarm_bytes_of("1"), NULL}, {swarm_bytes_of("2"), NULL}};
  CHECK_OK(swarm_call_on_done(swarm_master_add_many(master, jobs, 2), SWARM_NO_TIMEOUT, on_added, &many, seen_destroy, &error));
  check_seen(&many, SWARM_OK);
  CHECK(many.count == 2);
  CHECK_OK(swarm_call_on_done(swarm_member_delete(swarm_master_member(master), (const char *const[]){"none"}, 1), SWARM_NO_TIMEOUT, on_existed, &deleted, seen_destroy, &error));
  check_seen(&deleted, SWARM_OK);
  CHECK(!deleted.value);
  CHECK_OK(swarm_call_on_done(swarm_master_run(master, swarm_bytes_of("345"), NULL), DEADLINE_MS, on_outcome, &ran, seen_destroy, &error));
  check_seen(&ran, SWARM_OK);
  CHECK(ran.value && ran.count == 3);
  CHECK_OK(swarm_call_on_done(swarm_master_result(master, "never-added"), SWARM_NO_TIMEOUT, on_outcome, &late, seen_destroy, &error));
  check_seen(&late, SWARM_ERR_NOT_FOUND);
  CHECK_OK(swarm_call_on_done(swarm_member_stats(swarm_master_member(master)), SWARM_NO_TIMEOUT, on_stats, &counted, seen_destroy, &error));
  check_seen(&counted, SWARM_OK);
  CHECK(counted.count == 2);
  /* A failure that only shows later comes through the callback; one that shows at once does not call it. */
  job.id = "a\nb";
  CHECK_OK(swarm_call_on_done(swarm_master_add(master, swarm_bytes_of("1"), &job), SWARM_NO_TIMEOUT, on_added, &refused, seen_destroy, &error));
  check_seen(&refused, SWARM_ERR_INVALID_ARGUMENT);
  seen never = SEEN_INIT;
  job.content_type = 77;
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT,
               swarm_call_on_done(swarm_master_add(master, swarm_bytes_of("1"), &job), SWARM_NO_TIMEOUT, on_added, &never, seen_destroy, &error));
  CHECK(counter_get(&never.called) == 0 && counter_get(&never.destroyed) == 1);
  /* Without a callback. */
  CHECK_OK(swarm_call_on_done(swarm_master_add(master, swarm_bytes_of("1"), NULL), SWARM_NO_TIMEOUT, NULL, NULL, NULL, &error));
}

static void many_adds_one_by_one(void) {
  enum { JOBS = 2000 };
  counter called = COUNTER_INIT, destroyed = COUNTER_INIT;
  (void)called;
  for (int i = 0; i < JOBS; i++) {
    CHECK_OK(swarm_call_on_done(swarm_master_add(master, swarm_bytes_of("1"), NULL), SWARM_NO_TIMEOUT, NULL, &destroyed, count_destroy, &error));
  }
  CHECK(counter_reaches(&destroyed, JOBS));
  CHECK(counter_get(&destroyed) == JOBS);
}

static void on_ready(void *user_data, const char *incarnation) {
  CHECK(incarnation[0] != 0);
  counter_add(user_data);
}

static void on_close(void *user_data, const swarm_error *error) {
  CHECK(error == NULL);
  counter_add(user_data);
}

static void calls_of_a_closed_master_fail(void) {
  counter ready = COUNTER_INIT, closed = COUNTER_INIT;
  swarm_master *other = start_master(options);
  swarm_member_on_ready(swarm_master_member(other), on_ready, &ready, NULL);
  swarm_member_on_close(swarm_master_member(other), on_close, &closed, NULL);
  CHECK(counter_reaches(&ready, 1));
  CHECK_OK(swarm_call_end(swarm_master_close(other), DEADLINE_MS, &error));
  CHECK(counter_reaches(&closed, 1));
  CHECK_STATUS(SWARM_ERR_CLOSED, swarm_call_end(swarm_master_add(other, swarm_bytes_of("1"), NULL), DEADLINE_MS, &error));
  seen add = SEEN_INIT;
  CHECK_OK(swarm_call_on_done(swarm_master_add(other, swarm_bytes_of("1"), NULL), SWARM_NO_TIMEOUT, on_added, &add, seen_destroy, &error));
  check_seen(&add, SWARM_ERR_CLOSED);
  CHECK(swarm_master_free(other) == SWARM_OK);

  other = start_master(options);
  seen close = SEEN_INIT;
  CHECK_OK(swarm_call_on_done(swarm_master_close(other), SWARM_NO_TIMEOUT, on_done, &close, seen_destroy, &error));
  check_seen(&close, SWARM_OK);
  CHECK(swarm_master_free(other) == SWARM_OK);
}

static void freeing_a_master_ends_what_is_open(void) {
  swarm_options *other = test_options("open");
  swarm_master *lonely = start_master(other);
  seen wait = SEEN_INIT;
  CHECK_OK(swarm_call_on_done(swarm_master_run(lonely, swarm_bytes_of("1"), NULL), SWARM_NO_TIMEOUT, on_outcome, &wait, seen_destroy, &error));
  CHECK(swarm_master_free(lonely) == SWARM_OK);
  CHECK(counter_get(&wait.called) == 1 && counter_get(&wait.destroyed) == 1 && wait.status == SWARM_ERR_CLOSED);
  lonely = start_master(other);
  end_master(lonely);
  swarm_options_free(other);
}

int main(void) {
  options = test_options("master");
  worker = new_worker(options);
  swarm_worker_on_add(worker, echo, NULL, NULL);
  start_worker(worker);
  master = start_master(options);
  RUN(ids_are_returned);
  RUN(own_ids_exist_once);
  RUN(results_come_back);
  RUN(a_wait_ends_with_its_time);
  RUN(payloads_over_the_limit_are_refused);
  RUN(the_cluster_is_counted);
  RUN(all_of_it_without_waiting);
  RUN(many_adds_one_by_one);
  RUN(calls_of_a_closed_master_fail);
  RUN(freeing_a_master_ends_what_is_open);
  CHECK(swarm_worker_free(worker) == SWARM_OK);
  end_master(master);
  swarm_options_free(options);
  return 0;
}
