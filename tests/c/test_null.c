/* NULL where an object is wanted: refused or empty, never a crash; user_data passed with it is destroyed. */
#include "support.h"

static void *const nothing = NULL;

static void null_objects_are_empty_to_read(void) {
  CHECK(swarm_error_status(NULL) == SWARM_OK && !swarm_error_is_retryable(NULL));
  CHECK_TEXT("", swarm_error_message(NULL));
  CHECK_TEXT("", swarm_job_id(NULL));
  CHECK_TEXT("", swarm_job_details(NULL)->task);
  CHECK_TEXT("", swarm_job_details(NULL)->resource);
  CHECK(swarm_job_details(NULL)->attempt == 0 && swarm_job_details(NULL)->retries_left == 0 && swarm_job_details(NULL)->priority == 0);
  CHECK(swarm_job_details(NULL)->headers == NULL && swarm_job_details(NULL)->header_count == 0 && swarm_job_header(NULL, "x") == NULL);
  CHECK(swarm_job_payload(NULL).len == 0 && swarm_job_fence(NULL) == 0 && swarm_job_details(NULL)->crashes == 0);
  CHECK(swarm_job_details(NULL)->scheduled_for == 0);
  CHECK(swarm_job_details(NULL)->content_type == SWARM_CONTENT_JSON && swarm_job_cancelled(NULL));
  CHECK(swarm_job_user_data(NULL) == NULL);
  swarm_job_set_user_data(NULL, NULL);
  CHECK(swarm_call_count(NULL) == 0 && swarm_call_id(NULL, 0) == NULL && !swarm_call_existed(NULL, 0));
  CHECK(!swarm_outcome_details(NULL)->completed && !swarm_outcome_details(NULL)->existed && swarm_outcome_details(NULL)->result.len == 0);
  CHECK(swarm_outcome_details(NULL)->reason == NULL && swarm_outcome_details(NULL)->message == NULL);
  CHECK(swarm_outcome_details(NULL)->content_type == SWARM_CONTENT_JSON);
  CHECK(swarm_outcome_details(NULL)->status == SWARM_ERR_INVALID_ARGUMENT && swarm_call_json(NULL) == NULL && swarm_call_text(NULL) == NULL);
  CHECK(swarm_call_count(NULL) == 0 && swarm_call_outcome(NULL, 0) == NULL && swarm_call_outcome_error(NULL, 0) == NULL);
  CHECK(swarm_call_receipt(NULL) == NULL && swarm_call_stats(NULL) == NULL && swarm_call_id(NULL, 0) == NULL);
  CHECK(swarm_master_member(NULL) == NULL && swarm_worker_member(NULL) == NULL);
  CHECK(swarm_result_with_traceback(NULL, "x") == NULL);
  CHECK(swarm_message_details(NULL)->payload.len == 0 && swarm_message_details(NULL)->content_type == SWARM_CONTENT_JSON);
  CHECK(swarm_message_details(NULL)->from == NULL && !swarm_message_details(NULL)->wants_reply && swarm_message_keep(NULL) == NULL);
  CHECK(swarm_bytes_of(NULL).data == NULL && swarm_bytes_of(NULL).len == 0);
}

static void null_may_be_freed(void) {
  swarm_error_free(NULL);
  swarm_options_free(NULL);
  swarm_call_free(NULL);
  swarm_result_free(NULL);
  swarm_message_free(NULL);
  swarm_job_free(NULL);
  swarm_supervisor_options_free(NULL);
  swarm_program_free(NULL);
  swarm_processes_free(NULL);
  CHECK(swarm_master_free(NULL) == SWARM_OK);
  CHECK(swarm_worker_free(NULL) == SWARM_OK);
  CHECK(swarm_supervisor_free(NULL) == SWARM_OK);
}

#define REFUSED(call) CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, call)

static void null_members_are_refused(void) {
  swarm_bytes empty = {NULL, 0};
  swarm_health health = SWARM_HEALTH_INIT;
  swarm_stats stats = {0};
  swarm_call *outcome = NULL;
  swarm_call *outcomes = NULL;
  swarm_call *json = NULL;
  int fd = -7;
  REFUSED(swarm_call_end(swarm_member_ready(swarm_master_member(NULL)), 1, &error));
  REFUSED(swarm_call_end(swarm_master_add(NULL, empty, NULL), 1, &error));
  REFUSED(swarm_call_end(swarm_master_add_many(NULL, NULL, 0), 1, &error));
  REFUSED(delete_jobs(swarm_master_member(NULL), (const char *const[]){"x"}, 1, 1, NULL, &error));
  REFUSED(delete_jobs(swarm_master_member(NULL), NULL, 0, 1, NULL, &error));
  REFUSED(answered(swarm_master_result(NULL, "x"), 1, &outcome, &error));
  REFUSED(answered(swarm_master_run(NULL, empty, NULL), 1, &outcome, &error));
  REFUSED(stats_of(swarm_master_member(NULL), 1, &stats, &error));
  REFUSED(swarm_member_health(swarm_master_member(NULL), &health, &error));
  REFUSED(swarm_member_fd(swarm_master_member(NULL), &fd, &error));
  REFUSED(swarm_member_dispatch(swarm_master_member(NULL), &error));
  REFUSED(swarm_call_end(swarm_master_obliterate(NULL), 1, &error));
  REFUSED(swarm_call_end(swarm_master_close(NULL), 1, &error));
  REFUSED(answered(swarm_master_run_many(NULL, NULL, 0, false, NULL, NULL, NULL), 1, &outcomes, &error));
  REFUSED(swarm_call_end(swarm_master_run_many(NULL, NULL, 0, false, NULL, NULL, NULL), 1, &error));
  REFUSED(answered(swarm_master_job(NULL, "x"), 1, &json, &error));
  REFUSED(answered(swarm_master_jobs(NULL, "active", NULL, 1), 1, &json, &error));
  REFUSED(answered(swarm_master_queues(NULL), 1, &json, &error));
  REFUSED(answered(swarm_master_members(NULL), 1, &json, &error));
  REFUSED(swarm_call_end(swarm_master_pause(NULL, NULL, true), 1, &error));
  REFUSED(swarm_call_end(swarm_master_pause(NULL, NULL, false), 1, &error));
  REFUSED(swarm_call_end(swarm_master_retry_failed(NULL, NULL, SWARM_ALL), 1, &error));
  REFUSED(swarm_call_end(swarm_master_delete_failed(NULL, NULL, SWARM_ALL), 1, &error));
  REFUSED(swarm_call_end(swarm_master_delete_completed(NULL, NULL, SWARM_ALL), 1, &error));
  REFUSED(swarm_call_end(swarm_master_stop_choosing(NULL), 1, &error));
  REFUSED(answered(swarm_master_limit(NULL, "x", NULL), 1, &json, &error));
  REFUSED(answered(swarm_master_limit_info(NULL, "x"), 1, &json, &error));
  REFUSED(answered(swarm_master_schedule(NULL, "x", NULL, empty, NULL), 1, &json, &error));
  REFUSED(answered(swarm_master_unschedule(NULL, "x"), 1, &json, &error));
  REFUSED(answered(swarm_master_pause_schedule(NULL, "x", true), 1, &json, &error));
  REFUSED(answered(swarm_master_run_schedule(NULL, "x"), 1, &json, &error));
  REFUSED(answered(swarm_master_schedule_info(NULL, "x"), 1, &json, &error));
  REFUSED(answered(swarm_master_schedules(NULL, NULL, 1), 1, &json, &error));
  REFUSED(answered(swarm_master_add_flow(NULL, NULL, 0, NULL), 1, &json, &error));
  REFUSED(answered(swarm_master_flow(NULL, "x"), 1, &json, &error));
  REFUSED(answered(swarm_master_metrics(NULL), 1, &json, &error));
  REFUSED(answered(swarm_master_metrics_history(NULL, "hour", 0, 0, NULL), 1, &json, &error));
  REFUSED(answered(swarm_job_inputs(NULL), 1, &json, &error));
  REFUSED(swarm_call_end(swarm_events_ready(NULL), 1, &error));
  REFUSED(swarm_worker_set_tasks(NULL, NULL, 0, &error));
  REFUSED(swarm_worker_start(NULL, &error));
  REFUSED(swarm_call_end(swarm_member_ready(swarm_worker_member(NULL)), 1, &error));
  REFUSED(delete_jobs(swarm_worker_member(NULL), (const char *const[]){"x"}, 1, 1, NULL, &error));
  REFUSED(stats_of(swarm_worker_member(NULL), 1, &stats, &error));
  REFUSED(swarm_member_health(swarm_worker_member(NULL), &health, &error));
  REFUSED(swarm_member_fd(swarm_worker_member(NULL), &fd, &error));
  REFUSED(swarm_member_dispatch(swarm_worker_member(NULL), &error));
  REFUSED(swarm_call_end(swarm_worker_drain(NULL), 1, &error));
  REFUSED(swarm_call_end(swarm_worker_terminate(NULL, 1), SWARM_NO_TIMEOUT, &error));
  REFUSED(swarm_job_finish(NULL, swarm_result_complete(empty, SWARM_CONTENT_JSON), NULL, &error));
  REFUSED(swarm_job_finish(NULL, swarm_result_complete(empty, SWARM_CONTENT_BYTES), NULL, &error));
  REFUSED(swarm_job_finish(NULL, swarm_result_fail("x"), NULL, &error));
  REFUSED(swarm_job_finish(NULL, swarm_result_retry("x", 1), NULL, &error));
  REFUSED(swarm_job_finish(NULL, swarm_result_fail_permanently("x"), NULL, &error));
  REFUSED(swarm_job_progress(NULL, empty, &error));
  REFUSED(swarm_job_checkpoint(NULL, empty, &error));
  REFUSED(swarm_job_log(NULL, "", &error));
  REFUSED(swarm_job_finish(NULL, swarm_result_release(), NULL, &error));
  REFUSED(swarm_job_finish(NULL, swarm_result_stopped(), NULL, &error));
  REFUSED(swarm_job_delete(NULL, &error));
  swarm_new_message message = SWARM_NEW_MESSAGE_INIT;
  REFUSED(swarm_call_end(swarm_member_send(swarm_master_member(NULL), &message), 1, &error));
  REFUSED(swarm_call_end(swarm_member_send(swarm_worker_member(NULL), &message), 1, &error));
  REFUSED(swarm_call_end(swarm_member_confirm(swarm_master_member(NULL), "x"), 1, &error));
  REFUSED(swarm_call_end(swarm_member_confirm(swarm_worker_member(NULL), "x"), 1, &error));
  REFUSED(answered(swarm_member_confirmations(swarm_master_member(NULL), 1, "x"), 1, &json, &error));
  REFUSED(answered(swarm_member_confirmations(swarm_worker_member(NULL), 1, "x"), 1, &json, &error));
  REFUSED(swarm_call_end(swarm_member_set_data(swarm_master_member(NULL), empty), 1, &error));
  REFUSED(swarm_call_end(swarm_member_set_data(swarm_worker_member(NULL), empty), 1, &error));
  REFUSED(swarm_message_reply(NULL, empty, SWARM_CONTENT_JSON, &error));
  swarm_call *accepted = NULL;
  REFUSED(swarm_job_finish(NULL, swarm_result_release(), &accepted, &error));
  swarm_processes *processes = NULL;
  swarm_options_set(NULL, "name", "x");
  swarm_supervisor_options_set(NULL, "grace", "1");
  swarm_program_set(NULL, "arg", "1");
  REFUSED(swarm_supervisor_fd(NULL, &fd, &error));
  REFUSED(swarm_supervisor_dispatch(NULL, &error));
  REFUSED(swarm_supervisor_spawn(NULL, NULL, NULL, 0, &error));
  REFUSED(swarm_call_end(swarm_supervisor_kill(NULL, 1), 1, &error));
  REFUSED(swarm_call_end(swarm_supervisor_reload(NULL), 1, &error));
  REFUSED(swarm_call_end(swarm_supervisor_stop(NULL), 1, &error));
  REFUSED(swarm_supervisor_handle_signals(NULL, &error));
  REFUSED(swarm_supervisor_list(NULL, &processes, &error));
  CHECK(fd == -7 && outcome == NULL && outcomes == NULL && json == NULL && processes == NULL);
  CHECK(swarm_worker_start(NULL, NULL) == SWARM_ERR_INVALID_ARGUMENT);
}

static void null_members_destroy_the_user_data(void) {
  swarm_bytes empty = {NULL, 0};
  counter destroyed = COUNTER_INIT;
  void *data = &destroyed;
  long calls = 0;
#define DESTROYED(call) \
  do { \
    call; \
    CHECK(counter_get(&destroyed) == ++calls); \
  } while (0)
  DESTROYED(REFUSED(swarm_call_on_done(swarm_master_add(NULL, empty, NULL), SWARM_NO_TIMEOUT, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_call_on_done(swarm_master_add_many(NULL, NULL, 0), SWARM_NO_TIMEOUT, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_call_on_done(swarm_member_delete(swarm_master_member(NULL), (const char *const[]){"x"}, 1), SWARM_NO_TIMEOUT, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_call_on_done(swarm_master_result(NULL, "x"), 1, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_call_on_done(swarm_master_run(NULL, empty, NULL), 1, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_call_on_done(swarm_member_stats(swarm_master_member(NULL)), SWARM_NO_TIMEOUT, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_call_on_done(swarm_master_close(NULL), SWARM_NO_TIMEOUT, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_call_on_done(swarm_master_run_many(NULL, NULL, 0, false, NULL, NULL, NULL), 1, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_call_end(swarm_master_run_many(NULL, NULL, 0, false, NULL, data, count_destroy), 1, &error)));
  DESTROYED(REFUSED(swarm_call_on_done(swarm_master_job(NULL, "x"), SWARM_NO_TIMEOUT, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_call_on_done(swarm_master_jobs(NULL, "active", NULL, 1), SWARM_NO_TIMEOUT, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_call_on_done(swarm_master_queues(NULL), SWARM_NO_TIMEOUT, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_call_on_done(swarm_master_members(NULL), SWARM_NO_TIMEOUT, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_call_on_done(swarm_master_pause(NULL, NULL, true), SWARM_NO_TIMEOUT, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_call_on_done(swarm_master_pause(NULL, NULL, false), SWARM_NO_TIMEOUT, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_call_on_done(swarm_master_retry_failed(NULL, NULL, SWARM_ALL), SWARM_NO_TIMEOUT, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_call_on_done(swarm_master_delete_failed(NULL, NULL, SWARM_ALL), SWARM_NO_TIMEOUT, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_call_end(swarm_master_choose(NULL, 1000, NULL, 0, NULL, data, count_destroy), 1, &error)));
  DESTROYED(REFUSED(swarm_call_on_done(swarm_master_choose(NULL, 1000, NULL, 0, NULL, data, count_destroy), SWARM_NO_TIMEOUT, NULL, data, NULL, &error)));
  DESTROYED(REFUSED(swarm_call_on_done(swarm_master_stop_choosing(NULL), SWARM_NO_TIMEOUT, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_call_on_done(swarm_master_limit(NULL, "x", NULL), SWARM_NO_TIMEOUT, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_call_on_done(swarm_master_limit_info(NULL, "x"), SWARM_NO_TIMEOUT, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_call_on_done(swarm_master_schedule(NULL, "x", NULL, empty, NULL), SWARM_NO_TIMEOUT, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_call_on_done(swarm_master_unschedule(NULL, "x"), SWARM_NO_TIMEOUT, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_call_on_done(swarm_master_pause_schedule(NULL, "x", true), SWARM_NO_TIMEOUT, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_call_on_done(swarm_master_run_schedule(NULL, "x"), SWARM_NO_TIMEOUT, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_call_on_done(swarm_master_schedule_info(NULL, "x"), SWARM_NO_TIMEOUT, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_call_on_done(swarm_master_schedules(NULL, NULL, 1), SWARM_NO_TIMEOUT, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_call_on_done(swarm_master_add_flow(NULL, NULL, 0, NULL), SWARM_NO_TIMEOUT, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_call_on_done(swarm_master_flow(NULL, "x"), SWARM_NO_TIMEOUT, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_call_on_done(swarm_master_metrics(NULL), SWARM_NO_TIMEOUT, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_call_on_done(swarm_master_metrics_history(NULL, "hour", 0, 0, NULL), SWARM_NO_TIMEOUT, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_call_on_done(swarm_job_inputs(NULL), SWARM_NO_TIMEOUT, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_call_on_done(swarm_events_ready(NULL), SWARM_NO_TIMEOUT, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_events_new(NULL, NULL, NULL, data, count_destroy, NULL, &error)));
  DESTROYED(REFUSED(swarm_worker_process(NULL, NULL, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_call_on_done(swarm_worker_drain(NULL), SWARM_NO_TIMEOUT, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_call_on_done(swarm_worker_terminate(NULL, 1), SWARM_NO_TIMEOUT, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_call_on_done(NULL, 1, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_set_log_callback(6, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_call_on_done(swarm_supervisor_kill(NULL, 1), SWARM_NO_TIMEOUT, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_call_on_done(swarm_supervisor_reload(NULL), SWARM_NO_TIMEOUT, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_call_on_done(swarm_supervisor_stop(NULL), SWARM_NO_TIMEOUT, NULL, data, count_destroy, &error)));
  DESTROYED(swarm_supervisor_on_event(NULL, NULL, data, count_destroy));
  DESTROYED(swarm_member_on_ready(swarm_master_member(NULL), NULL, data, count_destroy));
  DESTROYED(swarm_member_on_close(swarm_master_member(NULL), NULL, data, count_destroy));
  DESTROYED(swarm_member_on_error(swarm_master_member(NULL), NULL, data, count_destroy));
  DESTROYED(swarm_worker_on_add(NULL, NULL, data, count_destroy));
  DESTROYED(swarm_worker_on_delete(NULL, NULL, data, count_destroy));
  DESTROYED(swarm_member_on_ready(swarm_worker_member(NULL), NULL, data, count_destroy));
  DESTROYED(swarm_member_on_close(swarm_worker_member(NULL), NULL, data, count_destroy));
  DESTROYED(swarm_member_on_error(swarm_worker_member(NULL), NULL, data, count_destroy));
  DESTROYED(swarm_member_on_message(swarm_master_member(NULL), NULL, data, count_destroy));
  DESTROYED(swarm_member_on_message(swarm_worker_member(NULL), NULL, data, count_destroy));
  DESTROYED(swarm_member_on_peer(swarm_master_member(NULL), NULL, data, count_destroy));
  DESTROYED(swarm_member_on_peer(swarm_worker_member(NULL), NULL, data, count_destroy));
  DESTROYED(REFUSED(swarm_call_on_done(swarm_member_send(swarm_master_member(NULL), NULL), SWARM_NO_TIMEOUT, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_call_on_done(swarm_member_send(swarm_worker_member(NULL), NULL), SWARM_NO_TIMEOUT, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_call_on_done(swarm_member_confirm(swarm_master_member(NULL), "x"), SWARM_NO_TIMEOUT, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_call_on_done(swarm_member_confirm(swarm_worker_member(NULL), "x"), SWARM_NO_TIMEOUT, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_call_on_done(swarm_member_confirmations(swarm_master_member(NULL), 1, "x"), 1, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_call_on_done(swarm_member_confirmations(swarm_worker_member(NULL), 1, "x"), 1, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_call_on_done(swarm_member_set_data(swarm_master_member(NULL), empty), SWARM_NO_TIMEOUT, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_call_on_done(swarm_member_set_data(swarm_worker_member(NULL), empty), SWARM_NO_TIMEOUT, NULL, data, count_destroy, &error)));
}

static void null_places_and_bad_bytes_are_refused(void) {
  swarm_options *options = test_options("null");
  REFUSED(swarm_master_new(options, nothing, &error));
  REFUSED(swarm_worker_new(options, nothing, &error));
  REFUSED(swarm_supervisor_new(NULL, nothing, &error));
  swarm_master *master = start_master(options);
  swarm_bytes bad = {NULL, 5};
  swarm_job_options sizeless = SWARM_JOB_OPTIONS_INIT;
  sizeless.struct_size = 0;
  swarm_job_options typeless = SWARM_JOB_OPTIONS_INIT;
  typeless.content_type = 9;
  swarm_stats stats = {0};
  swarm_health health = SWARM_HEALTH_INIT;
  health.struct_size = 0;
  REFUSED(swarm_call_end(swarm_master_add(master, bad, NULL), DEADLINE_MS, &error));
  REFUSED(swarm_call_end(swarm_master_add(master, swarm_bytes_of("1"), &sizeless), DEADLINE_MS, &error));
  REFUSED(swarm_call_end(swarm_master_add(master, swarm_bytes_of("1"), &typeless), DEADLINE_MS, &error));
  REFUSED(swarm_call_end(swarm_master_add_many(master, NULL, 1), DEADLINE_MS, &error));
  REFUSED(swarm_call_end(swarm_master_result(master, NULL), DEADLINE_MS, &error));
  REFUSED(swarm_call_end(swarm_master_run(master, bad, NULL), DEADLINE_MS, &error));
  REFUSED(delete_jobs(swarm_master_member(master), (const char *const[]){NULL}, 1, DEADLINE_MS, NULL, &error));
  REFUSED(delete_jobs(swarm_master_member(master), (const char *const[]){"\xff"}, 1, DEADLINE_MS, NULL, &error));
  REFUSED(delete_jobs(swarm_master_member(master), NULL, 1, DEADLINE_MS, NULL, &error));
  REFUSED(swarm_member_health(swarm_master_member(master), &health, &error));
  REFUSED(swarm_member_health(swarm_master_member(master), NULL, &error));
  REFUSED(swarm_member_fd(swarm_master_member(master), NULL, &error));
  /* None of them added anything. */
  CHECK_OK(stats_of(swarm_master_member(master), DEADLINE_MS, &stats, &error));
  CHECK(stats.added == 0 && stats.members == 1);
  end_master(master);
  swarm_options_free(options);
}

int main(void) {
  RUN(null_objects_are_empty_to_read);
  RUN(null_may_be_freed);
  RUN(null_members_are_refused);
  RUN(null_members_destroy_the_user_data);
  RUN(null_places_and_bad_bytes_are_refused);
  return 0;
}
