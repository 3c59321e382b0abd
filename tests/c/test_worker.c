/* Workers: jobs assigned, finished in every way, deleted, drained, terminated. */
#include "support.h"

/* A worker that keeps its jobs until the test finishes them. */
typedef struct {
  counter added, deleted, closed, ready;
  swarm_job *jobs[64];
  swarm_delete_reason reason;
  /* What the delete callback does: nothing, or report that the work stopped. */
  bool stop;
  swarm_options *options;
  swarm_worker *worker;
  swarm_master *master;
} holder;

static void hold(void *user_data, swarm_job *job) {
  holder *holder = user_data;
  pthread_mutex_lock(&holder->added.mutex);
  CHECK(holder->added.count < 64);
  holder->jobs[holder->added.count] = job;
  pthread_mutex_unlock(&holder->added.mutex);
  swarm_job_set_user_data(job, holder);
  counter_add(&holder->added);
}

static void on_delete(void *user_data, swarm_job *job, swarm_delete_reason reason) {
  holder *holder = user_data;
  /* The same pointer as the add callback got, with what was attached to it. */
  CHECK(swarm_job_user_data(job) == holder && swarm_job_cancelled(job));
  holder->reason = reason;
  if (holder->stop) {
    CHECK_OK(swarm_job_finish(job, swarm_result_stopped(), NULL, &error));
    /* Its pointer is valid until the callback returns. */
    CHECK_STATUS(SWARM_ERR_STALE_FENCE, swarm_job_finish(job, swarm_result_complete(swarm_bytes_of("1"), SWARM_CONTENT_JSON), NULL, &error));
    CHECK_STATUS(SWARM_ERR_STALE_FENCE, finish_and_wait(job, swarm_result_stopped(), &error));
  }
  counter_add(&holder->deleted);
}

static void on_ready(void *user_data, const char *incarnation) {
  CHECK(incarnation[0] != 0);
  counter_add(&((holder *)user_data)->ready);
}

static void on_close(void *user_data, const swarm_error *error) {
  CHECK(error == NULL);
  counter_add(&((holder *)user_data)->closed);
}

static void holder_start(holder *holder, const char *name) {
  static const counter fresh = COUNTER_INIT;
  memset(holder, 0, sizeof *holder);
  holder->added = holder->deleted = holder->closed = holder->ready = fresh;
  holder->options = test_options(name);
  holder->worker = new_worker(holder->options);
  swarm_worker_on_add(holder->worker, hold, holder, NULL);
  swarm_worker_on_delete(holder->worker, on_delete, holder, NULL);
  swarm_member_on_ready(swarm_worker_member(holder->worker), on_ready, holder, NULL);
  swarm_member_on_close(swarm_worker_member(holder->worker), on_close, holder, NULL);
  start_worker(holder->worker);
  holder->master = start_master(holder->options);
  CHECK(counter_reaches(&holder->ready, 1));
}

static void holder_end(holder *holder) {
  CHECK(swarm_worker_free(holder->worker) == SWARM_OK);
  end_master(holder->master);
  swarm_options_free(holder->options);
}

/* Adds a job that keeps its result and waits until it is active. */
static swarm_job *active_job(holder *holder, const char *payload, char id[257]) {
  long before = counter_get(&holder->added);
  swarm_job_options job = SWARM_JOB_OPTIONS_INIT;
  job.result = true;
  add_job(holder->master, payload, &job, id);
  CHECK(counter_reaches(&holder->added, before + 1));
  return holder->jobs[before];
}

static void jobs_show_their_fields(void) {
  holder holder;
  holder_start(&holder, "say");
  char id[257], next_id[257];
  swarm_job *job = active_job(&holder, "{\"a\":1}", id);
  CHECK_TEXT(id, swarm_job_id(job));
  CHECK(swarm_job_id(job) == swarm_job_id(job));
  CHECK(swarm_job_payload(job).len == 7 && memcmp(swarm_job_payload(job).data, "{\"a\":1}", 7) == 0);
  CHECK(swarm_job_details(job)->content_type == SWARM_CONTENT_JSON && swarm_job_details(job)->crashes == 0);
  CHECK(!swarm_job_cancelled(job) && swarm_job_user_data(job) == &holder);
  swarm_job *next = active_job(&holder, "", next_id);
  CHECK(swarm_job_payload(next).len == 4 && swarm_job_fence(next) > swarm_job_fence(job));
  swarm_health health = SWARM_HEALTH_INIT;
  CHECK_OK(swarm_member_health(swarm_worker_member(holder.worker), &health, &error));
  CHECK(health.active == 2 && health.healthy);
  CHECK_OK(swarm_job_finish(job, swarm_result_complete(swarm_bytes_of("1"), SWARM_CONTENT_JSON), NULL, &error));
  CHECK_OK(swarm_job_finish(next, swarm_result_release(), NULL, &error));
  CHECK(counter_reaches(&holder.added, 3));
  CHECK_TEXT(next_id, swarm_job_id(holder.jobs[2]));
  CHECK_OK(swarm_job_finish(holder.jobs[2], swarm_result_complete(swarm_bytes_of("2"), SWARM_CONTENT_JSON), NULL, &error));
  holder_end(&holder);
}

static void every_finish_arrives(void) {
  holder holder;
  holder_start(&holder, "finish");
  char id[257];
  swarm_call *outcome = NULL;
  swarm_bytes bytes = {(const uint8_t *)"\0\xff", 2};

  CHECK_OK(swarm_job_finish(active_job(&holder, "1", id), swarm_result_complete(bytes, SWARM_CONTENT_BYTES), NULL, &error));
  CHECK_OK(answered(swarm_master_result(holder.master, id), DEADLINE_MS, &outcome, &error));
  CHECK(swarm_outcome_details(swarm_call_outcome(outcome, 0))->completed && swarm_outcome_details(swarm_call_outcome(outcome, 0))->content_type == SWARM_CONTENT_BYTES);
  CHECK(swarm_outcome_details(swarm_call_outcome(outcome, 0))->result.len == 2 && memcmp(swarm_outcome_details(swarm_call_outcome(outcome, 0))->result.data, "\0\xff", 2) == 0);
  swarm_call_free(outcome);

  CHECK_OK(swarm_job_finish(active_job(&holder, "2", id), swarm_result_fail("no such user"), NULL, &error));
  CHECK_OK(answered(swarm_master_result(holder.master, id), DEADLINE_MS, &outcome, &error));
  CHECK(!swarm_outcome_details(swarm_call_outcome(outcome, 0))->completed && swarm_outcome_details(swarm_call_outcome(outcome, 0))->result.len == 0);
  CHECK_TEXT("failed", swarm_outcome_details(swarm_call_outcome(outcome, 0))->reason);
  CHECK_TEXT("no such user", swarm_outcome_details(swarm_call_outcome(outcome, 0))->message);
  swarm_call_free(outcome);

  swarm_result *result = swarm_result_complete(swarm_bytes_of("[3]"), SWARM_CONTENT_JSON);
  CHECK_OK(finish_and_wait(active_job(&holder, "3", id), result, &error));
  CHECK_OK(answered(swarm_master_result(holder.master, id), DEADLINE_MS, &outcome, &error));
  CHECK(swarm_outcome_details(swarm_call_outcome(outcome, 0))->completed && swarm_outcome_details(swarm_call_outcome(outcome, 0))->result.len == 3);
  swarm_call_free(outcome);
  holder_end(&holder);
}

static void a_refused_finish_leaves_the_job_with_its_owner(void) {
  holder holder;
  holder_start(&holder, "refused");
  char id[257];
  swarm_job *job = active_job(&holder, "1", id);
  swarm_bytes bad = {NULL, 1};
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, swarm_job_finish(job, swarm_result_complete(bad, SWARM_CONTENT_JSON), NULL, &error));
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, swarm_job_finish(job, swarm_result_fail(NULL), NULL, &error));
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, finish_and_wait(job, NULL, &error));
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, finish_and_wait(job, swarm_result_complete(swarm_bytes_of("1"), 99), &error));
  size_t size = 128 * 1024 + 1;
  uint8_t *large = calloc(size, 1);
  CHECK(large != NULL);
  swarm_bytes data = {large, size};
  swarm_call *accepted = NULL;
  CHECK_STATUS(SWARM_ERR_TOO_LARGE, swarm_job_finish(job, swarm_result_complete(data, SWARM_CONTENT_BYTES), &accepted, &error));
  CHECK(accepted == NULL);
  data.len = size - 1;
  CHECK_OK(finish_and_wait(job, swarm_result_complete(data, SWARM_CONTENT_BYTES), &error));
  free(large);
  holder_end(&holder);
}

static void count_done(void *user_data, const swarm_error *error, const swarm_call *call) {
  (void)call;
  CHECK(error == NULL);
  counter_add(user_data);
}

static void finishing_without_waiting_reports_the_outcome(void) {
  holder holder;
  holder_start(&holder, "async");
  char id[257];
  counter done = COUNTER_INIT, destroyed = COUNTER_INIT;
  swarm_bytes none = {NULL, 0};
  swarm_call *accepted = NULL;
  CHECK_OK(swarm_job_finish(active_job(&holder, "1", id), swarm_result_complete(none, SWARM_CONTENT_JSON), &accepted, &error));
  CHECK_OK(swarm_call_on_done(accepted, DEADLINE_MS, count_done, &done, NULL, &error));
  CHECK(counter_reaches(&done, 1));
  CHECK_OK(swarm_job_finish(active_job(&holder, "2", id), swarm_result_complete(none, SWARM_CONTENT_JSON), &accepted, &error));
  CHECK_OK(swarm_call_on_done(accepted, SWARM_NO_TIMEOUT, NULL, &destroyed, count_destroy, &error));
  CHECK(counter_reaches(&destroyed, 1));
  /* A result that is too large fails the job of a program that does not wait. */
  size_t size = 128 * 1024 + 1;
  uint8_t *large = calloc(size, 1);
  CHECK(large != NULL);
  swarm_bytes data = {large, size};
  CHECK_OK(swarm_job_finish(active_job(&holder, "3", id), swarm_result_complete(data, SWARM_CONTENT_BYTES), NULL, &error));
  free(large);
  swarm_call *outcome = NULL;
  CHECK_OK(answered(swarm_master_result(holder.master, id), DEADLINE_MS, &outcome, &error));
  CHECK(!swarm_outcome_details(swarm_call_outcome(outcome, 0))->completed);
  swarm_call_free(outcome);
  holder_end(&holder);
}

static void a_deleted_job_is_reported_and_keeps_its_slot_until_stopped(void) {
  holder holder;
  holder_start(&holder, "delete");
  char id[257];
  swarm_job *job = active_job(&holder, "1", id);
  bool existed = false;
  CHECK_OK(delete_jobs(swarm_master_member(holder.master), (const char *const[]){id}, 1, DEADLINE_MS, &existed, &error));
  CHECK(existed && counter_reaches(&holder.deleted, 1) && holder.reason == SWARM_DELETE_DELETED);
  swarm_health health = SWARM_HEALTH_INIT;
  CHECK_OK(swarm_member_health(swarm_worker_member(holder.worker), &health, &error));
  CHECK(health.active == 1);
  CHECK_OK(swarm_job_finish(job, swarm_result_stopped(), NULL, &error));
  CHECK_OK(swarm_call_end(swarm_worker_drain(holder.worker), DEADLINE_MS, &error));
  holder_end(&holder);
}

static void a_job_deleted_by_its_worker_is_reported_too(void) {
  holder holder;
  holder_start(&holder, "self-delete");
  holder.stop = true;
  char id[257];
  CHECK_OK(swarm_job_delete(active_job(&holder, "1", id), &error));
  CHECK(counter_reaches(&holder.deleted, 1));
  active_job(&holder, "2", id);
  bool existed = false;
  CHECK_OK(delete_jobs(swarm_worker_member(holder.worker), (const char *const[]){id}, 1, DEADLINE_MS, &existed, &error));
  CHECK(existed && counter_reaches(&holder.deleted, 2));
  CHECK_OK(swarm_call_end(swarm_worker_drain(holder.worker), DEADLINE_MS, &error));
  holder_end(&holder);
}

static void a_late_completion_is_refused(void) {
  holder holder;
  holder_start(&holder, "late");
  char id[257];
  swarm_job *job = active_job(&holder, "1", id);
  CHECK_OK(delete_jobs(swarm_master_member(holder.master), (const char *const[]){id}, 1, DEADLINE_MS, NULL, &error));
  CHECK(counter_reaches(&holder.deleted, 1));
  swarm_error *error = NULL;
  swarm_status status = finish_and_wait(job, swarm_result_complete(swarm_bytes_of("1"), SWARM_CONTENT_JSON), &error);
  CHECK(status == SWARM_ERR_JOB_DELETED || status == SWARM_ERR_STALE_FENCE);
  swarm_error_free(error);
  /* A second finish is refused at once. */
  holder.stop = true;
  active_job(&holder, "2", id);
  CHECK_OK(delete_jobs(swarm_master_member(holder.master), (const char *const[]){id}, 1, DEADLINE_MS, NULL, &error));
  CHECK(counter_reaches(&holder.deleted, 2));
  holder_end(&holder);
}

static void a_freed_job_is_still_active_and_reported(void) {
  holder holder;
  holder_start(&holder, "freed");
  char id[257];
  swarm_job_free(active_job(&holder, "1", id));
  swarm_stats stats = {0};
  CHECK_OK(stats_of(swarm_master_member(holder.master), DEADLINE_MS, &stats, &error));
  CHECK(stats.active == 1);
  CHECK_OK(delete_jobs(swarm_master_member(holder.master), (const char *const[]){id}, 1, DEADLINE_MS, NULL, &error));
  CHECK(counter_reaches(&holder.deleted, 1));
  /* It had no owner any more, so it counts as stopped once it was reported. */
  CHECK_OK(swarm_call_end(swarm_worker_drain(holder.worker), DEADLINE_MS, &error));
  holder_end(&holder);
}

static void freeing_a_deleted_job_reports_that_it_stopped(void) {
  holder holder;
  holder_start(&holder, "free-deleted");
  char id[257];
  swarm_job *job = active_job(&holder, "1", id);
  CHECK_OK(delete_jobs(swarm_master_member(holder.master), (const char *const[]){id}, 1, DEADLINE_MS, NULL, &error));
  CHECK(counter_reaches(&holder.deleted, 1));
  swarm_job_free(job);
  CHECK_OK(swarm_call_end(swarm_worker_drain(holder.worker), DEADLINE_MS, &error));
  holder_end(&holder);
}

static void draining_waits_for_the_active_jobs(void) {
  holder holder;
  holder_start(&holder, "drain");
  char id[257];
  swarm_job *job = active_job(&holder, "1", id);
  CHECK_STATUS(SWARM_ERR_TIMEOUT, swarm_call_end(swarm_worker_drain(holder.worker), 30, &error));
  counter drained = COUNTER_INIT;
  CHECK_OK(swarm_call_on_done(swarm_worker_drain(holder.worker), SWARM_NO_TIMEOUT, count_done, &drained, NULL, &error));
  add_job(holder.master, "2", NULL, NULL);
  CHECK(counter_get(&drained) == 0);
  CHECK_OK(swarm_job_finish(job, swarm_result_complete(swarm_bytes_of("1"), SWARM_CONTENT_JSON), NULL, &error));
  CHECK(counter_reaches(&drained, 1));
  CHECK(counter_get(&holder.added) == 1);
  holder_end(&holder);
}

static void terminating_moves_the_jobs(void) {
  holder holder, other;
  holder_start(&holder, "terminate");
  char ids[8][257];
  for (int i = 0; i < 8; i++) active_job(&holder, "1", ids[i]);
  holder_start(&other, "terminate");
  holder.stop = true;
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, swarm_call_end(swarm_worker_terminate(holder.worker, UINT64_MAX), SWARM_NO_TIMEOUT, &error));
  CHECK(counter_get(&holder.deleted) == 0);
  CHECK_OK(swarm_call_end(swarm_worker_terminate(holder.worker, DEADLINE_MS), SWARM_NO_TIMEOUT, &error));
  /* When it returns, all its callbacks have run. */
  CHECK(counter_get(&holder.deleted) == 8 && holder.reason == SWARM_DELETE_TERMINATED);
  CHECK(counter_get(&holder.closed) == 1);
  CHECK_STATUS(SWARM_ERR_CLOSED, swarm_call_end(swarm_worker_terminate(holder.worker, 0), SWARM_NO_TIMEOUT, &error));
  CHECK(counter_reaches(&other.added, 8));
  for (int i = 0; i < 8; i++) swarm_job_free(other.jobs[i]);
  CHECK(swarm_worker_free(holder.worker) == SWARM_OK);
  CHECK(swarm_master_free(holder.master) == SWARM_OK);
  swarm_options_free(holder.options);
  holder_end(&other);
}

static void start_is_asked_for_in_order(void) {
  swarm_options *options = test_options("order");
  swarm_worker *worker = new_worker(options);
  swarm_health health = SWARM_HEALTH_INIT;
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, swarm_worker_start(worker, &error));
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, swarm_call_end(swarm_worker_drain(worker), 1, &error));
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, swarm_call_end(swarm_worker_terminate(worker, 1), SWARM_NO_TIMEOUT, &error));
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, swarm_call_end(swarm_member_ready(swarm_worker_member(worker)), 1, &error));
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, swarm_member_health(swarm_worker_member(worker), &health, &error));
  swarm_worker_on_add(worker, echo, NULL, NULL);
  swarm_worker_on_add(worker, NULL, NULL, NULL);
  start_worker(worker);
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, swarm_worker_start(worker, &error));
  CHECK(swarm_worker_free(worker) == SWARM_OK);
  swarm_options_free(options);
}

int main(void) {
  RUN(jobs_show_their_fields);
  RUN(every_finish_arrives);
  RUN(a_refused_finish_leaves_the_job_with_its_owner);
  RUN(finishing_without_waiting_reports_the_outcome);
  RUN(a_deleted_job_is_reported_and_keeps_its_slot_until_stopped);
  RUN(a_job_deleted_by_its_worker_is_reported_too);
  RUN(a_late_completion_is_refused);
  RUN(a_freed_job_is_still_active_and_reported);
  RUN(freeing_a_deleted_job_reports_that_it_stopped);
  RUN(draining_waits_for_the_active_jobs);
  RUN(terminating_moves_the_jobs);
  RUN(start_is_asked_for_in_order);
  return 0;
}
