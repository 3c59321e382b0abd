/* NULL where an object is wanted: refused or empty, never a crash; user_data given with it is destroyed. */
#include "support.h"

static void *const nothing = NULL;

static void null_objects_are_empty_to_read(void) {
  CHECK(swarm_error_status(NULL) == SWARM_OK && !swarm_error_is_retryable(NULL));
  CHECK_TEXT("", swarm_error_message(NULL));
  CHECK_TEXT("", swarm_job_id(NULL));
  CHECK_TEXT("", swarm_job_task(NULL));
  CHECK_TEXT("", swarm_job_resource(NULL));
  CHECK(swarm_job_attempt(NULL) == 0 && swarm_job_retries_left(NULL) == 0 && swarm_job_priority(NULL) == 0);
  CHECK(swarm_job_headers(NULL, NULL) == NULL && swarm_job_header(NULL, "x") == NULL);
  CHECK(swarm_job_payload(NULL).len == 0 && swarm_job_fence(NULL) == 0 && swarm_job_crashes(NULL) == 0);
  CHECK(swarm_job_content_type(NULL) == SWARM_CONTENT_JSON && swarm_job_cancelled(NULL));
  CHECK(swarm_job_user_data(NULL) == NULL);
  swarm_job_set_user_data(NULL, NULL);
  CHECK(swarm_added_count(NULL) == 0 && swarm_added_id(NULL, 0) == NULL && !swarm_added_existed(NULL, 0));
  CHECK(!swarm_outcome_completed(NULL) && !swarm_outcome_existed(NULL) && swarm_outcome_result(NULL).len == 0);
  CHECK(swarm_outcome_reason(NULL) == NULL && swarm_outcome_message(NULL) == NULL);
  CHECK(swarm_outcome_content_type(NULL) == SWARM_CONTENT_JSON);
  CHECK(swarm_outcome_status(NULL) == SWARM_ERR_INVALID_ARGUMENT && swarm_text_get(NULL) == NULL);
  CHECK(swarm_outcomes_count(NULL) == 0 && swarm_outcomes_get(NULL, 0) == NULL && swarm_outcomes_error(NULL, 0) == NULL);
  CHECK(swarm_receipt_recipient_count(NULL) == 0 && swarm_receipt_recipient(NULL, 0) == NULL && swarm_receipt_dropped(NULL) == 0);
  CHECK(swarm_receipt_reply_count(NULL) == 0 && swarm_receipt_reply_from(NULL, 0) == NULL);
  CHECK(swarm_receipt_reply_payload(NULL, 0).len == 0 && swarm_receipt_reply_content_type(NULL, 0) == SWARM_CONTENT_JSON);
  CHECK(swarm_receipt_missing_count(NULL) == 0 && swarm_receipt_missing(NULL, 0) == NULL);
  CHECK(swarm_message_payload(NULL).len == 0 && swarm_message_content_type(NULL) == SWARM_CONTENT_JSON);
  CHECK(swarm_message_from(NULL) == NULL && !swarm_message_wants_reply(NULL) && swarm_message_keep(NULL) == NULL);
  CHECK(swarm_processes_count(NULL) == 0 && swarm_processes_get(NULL, 0) == NULL);
  CHECK(swarm_bytes_of(NULL).data == NULL && swarm_bytes_of(NULL).len == 0);
}

static void null_may_be_freed(void) {
  swarm_error_free(NULL);
  swarm_options_free(NULL);
  swarm_added_free(NULL);
  swarm_outcome_free(NULL);
  swarm_outcomes_free(NULL);
  swarm_result_free(NULL);
  swarm_text_free(NULL);
  swarm_receipt_free(NULL);
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
  swarm_stats stats = SWARM_STATS_INIT;
  swarm_outcome *outcome = NULL;
  swarm_outcomes *outcomes = NULL;
  swarm_text *json = NULL;
  int fd = -7;
  REFUSED(swarm_master_ready(NULL, 1, &error));
  REFUSED(swarm_master_add(NULL, empty, NULL, 1, NULL, &error));
  REFUSED(swarm_master_add_many(NULL, NULL, 0, 1, NULL, &error));
  REFUSED(swarm_master_delete(NULL, "x", 1, NULL, &error));
  REFUSED(swarm_master_delete_many(NULL, NULL, 0, 1, NULL, &error));
  REFUSED(swarm_master_result(NULL, "x", 1, &outcome, &error));
  REFUSED(swarm_master_run(NULL, empty, NULL, 1, &outcome, &error));
  REFUSED(swarm_master_stats(NULL, 1, &stats, &error));
  REFUSED(swarm_master_health(NULL, &health, &error));
  REFUSED(swarm_master_fd(NULL, &fd, &error));
  REFUSED(swarm_master_dispatch(NULL, &error));
  REFUSED(swarm_master_obliterate(NULL, 1, &error));
  REFUSED(swarm_master_close(NULL, 1, &error));
  REFUSED(swarm_master_run_many(NULL, NULL, 0, false, 1, &outcomes, &error));
  REFUSED(swarm_master_run_each(NULL, NULL, 0, false, 1, NULL, NULL, &error));
  REFUSED(swarm_master_job(NULL, "x", 1, &json, &error));
  REFUSED(swarm_master_jobs(NULL, "active", NULL, 1, 1, &json, &error));
  REFUSED(swarm_master_queues(NULL, 1, &json, &error));
  REFUSED(swarm_master_members(NULL, 1, &json, &error));
  REFUSED(swarm_master_pause(NULL, NULL, 1, &error));
  REFUSED(swarm_master_resume(NULL, NULL, 1, &error));
  REFUSED(swarm_master_retry_failed(NULL, NULL, SWARM_ALL, 1, NULL, &error));
  REFUSED(swarm_master_delete_failed(NULL, NULL, SWARM_ALL, 1, NULL, &error));
  REFUSED(swarm_master_stop_choosing(NULL, 1, &error));
  REFUSED(swarm_worker_set_tasks(NULL, NULL, 0, &error));
  REFUSED(swarm_worker_start(NULL, &error));
  REFUSED(swarm_worker_ready(NULL, 1, &error));
  REFUSED(swarm_worker_delete(NULL, "x", 1, NULL, &error));
  REFUSED(swarm_worker_stats(NULL, 1, &stats, &error));
  REFUSED(swarm_worker_health(NULL, &health, &error));
  REFUSED(swarm_worker_fd(NULL, &fd, &error));
  REFUSED(swarm_worker_dispatch(NULL, &error));
  REFUSED(swarm_worker_drain(NULL, 1, &error));
  REFUSED(swarm_worker_terminate(NULL, 1, &error));
  REFUSED(swarm_job_complete(NULL, empty, &error));
  REFUSED(swarm_job_complete_bytes(NULL, empty, &error));
  REFUSED(swarm_job_fail(NULL, "x", &error));
  REFUSED(swarm_job_retry(NULL, "x", 1, &error));
  REFUSED(swarm_job_fail_permanently(NULL, "x", &error));
  REFUSED(swarm_job_progress(NULL, empty, &error));
  REFUSED(swarm_job_release(NULL, &error));
  REFUSED(swarm_job_stopped(NULL, &error));
  REFUSED(swarm_job_delete(NULL, &error));
  swarm_new_message message = SWARM_NEW_MESSAGE_INIT;
  REFUSED(swarm_master_send(NULL, &message, 1, NULL, &error));
  REFUSED(swarm_worker_send(NULL, &message, 1, NULL, &error));
  REFUSED(swarm_master_confirm(NULL, "x", 1, &error));
  REFUSED(swarm_worker_confirm(NULL, "x", 1, &error));
  REFUSED(swarm_master_confirmations(NULL, 1, "x", 1, &json, &error));
  REFUSED(swarm_worker_confirmations(NULL, 1, "x", 1, &json, &error));
  REFUSED(swarm_master_set_data(NULL, empty, 1, &error));
  REFUSED(swarm_worker_set_data(NULL, empty, 1, &error));
  REFUSED(swarm_message_reply(NULL, empty, SWARM_CONTENT_JSON, &error));
  swarm_finish finish = SWARM_FINISH_INIT;
  REFUSED(swarm_job_finish(NULL, &finish, 1, &error));
  swarm_processes *processes = NULL;
  REFUSED(swarm_supervisor_options_set(NULL, "grace", "1", &error));
  REFUSED(swarm_program_set(NULL, "arg", "1", &error));
  REFUSED(swarm_supervisor_fd(NULL, &fd, &error));
  REFUSED(swarm_supervisor_dispatch(NULL, &error));
  REFUSED(swarm_supervisor_spawn(NULL, NULL, NULL, 0, &error));
  REFUSED(swarm_supervisor_kill(NULL, 1, 1, &error));
  REFUSED(swarm_supervisor_reload(NULL, 1, &error));
  REFUSED(swarm_supervisor_stop(NULL, 1, &error));
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
  DESTROYED(REFUSED(swarm_master_add_async(NULL, empty, NULL, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_master_add_many_async(NULL, NULL, 0, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_master_delete_async(NULL, "x", NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_master_result_async(NULL, "x", 1, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_master_run_async(NULL, empty, NULL, 1, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_master_stats_async(NULL, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_master_close_async(NULL, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_master_run_many_async(NULL, NULL, 0, false, 1, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_master_run_each_async(NULL, NULL, 0, false, 1, NULL, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_master_job_async(NULL, "x", NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_master_jobs_async(NULL, "active", NULL, 1, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_master_queues_async(NULL, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_master_members_async(NULL, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_master_pause_async(NULL, NULL, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_master_resume_async(NULL, NULL, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_master_retry_failed_async(NULL, NULL, SWARM_ALL, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_master_delete_failed_async(NULL, NULL, SWARM_ALL, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_master_choose(NULL, 1000, NULL, 0, 1, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_master_choose_async(NULL, 1000, NULL, 0, NULL, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_master_stop_choosing_async(NULL, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_worker_process(NULL, NULL, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_worker_drain_async(NULL, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_worker_terminate_async(NULL, 1, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_job_finish_async(NULL, NULL, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_set_log_callback(6, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_supervisor_kill_async(NULL, 1, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_supervisor_reload_async(NULL, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_supervisor_stop_async(NULL, NULL, data, count_destroy, &error)));
  DESTROYED(swarm_supervisor_on_event(NULL, NULL, data, count_destroy));
  DESTROYED(swarm_master_on_ready(NULL, NULL, data, count_destroy));
  DESTROYED(swarm_master_on_close(NULL, NULL, data, count_destroy));
  DESTROYED(swarm_master_on_error(NULL, NULL, data, count_destroy));
  DESTROYED(swarm_worker_on_add(NULL, NULL, data, count_destroy));
  DESTROYED(swarm_worker_on_delete(NULL, NULL, data, count_destroy));
  DESTROYED(swarm_worker_on_ready(NULL, NULL, data, count_destroy));
  DESTROYED(swarm_worker_on_close(NULL, NULL, data, count_destroy));
  DESTROYED(swarm_worker_on_error(NULL, NULL, data, count_destroy));
  DESTROYED(swarm_master_on_message(NULL, NULL, data, count_destroy));
  DESTROYED(swarm_worker_on_message(NULL, NULL, data, count_destroy));
  DESTROYED(swarm_master_on_member(NULL, NULL, data, count_destroy));
  DESTROYED(swarm_worker_on_member(NULL, NULL, data, count_destroy));
  DESTROYED(REFUSED(swarm_master_send_async(NULL, NULL, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_worker_send_async(NULL, NULL, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_master_confirm_async(NULL, "x", NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_worker_confirm_async(NULL, "x", NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_master_confirmations_async(NULL, 1, "x", 1, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_worker_confirmations_async(NULL, 1, "x", 1, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_master_set_data_async(NULL, empty, NULL, data, count_destroy, &error)));
  DESTROYED(REFUSED(swarm_worker_set_data_async(NULL, empty, NULL, data, count_destroy, &error)));
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
  swarm_stats stats = SWARM_STATS_INIT;
  stats.struct_size = 0;
  REFUSED(swarm_master_add(master, bad, NULL, DEADLINE_MS, NULL, &error));
  REFUSED(swarm_master_add(master, swarm_bytes_of("1"), &sizeless, DEADLINE_MS, NULL, &error));
  REFUSED(swarm_master_add(master, swarm_bytes_of("1"), &typeless, DEADLINE_MS, NULL, &error));
  REFUSED(swarm_master_add_many(master, NULL, 1, DEADLINE_MS, NULL, &error));
  REFUSED(swarm_master_result(master, "x", DEADLINE_MS, NULL, &error));
  REFUSED(swarm_master_run(master, swarm_bytes_of("1"), NULL, DEADLINE_MS, NULL, &error));
  REFUSED(swarm_master_delete(master, NULL, DEADLINE_MS, NULL, &error));
  REFUSED(swarm_master_delete(master, "\xff", DEADLINE_MS, NULL, &error));
  REFUSED(swarm_master_delete_many(master, NULL, 1, DEADLINE_MS, NULL, &error));
  REFUSED(swarm_master_stats(master, DEADLINE_MS, NULL, &error));
  REFUSED(swarm_master_stats(master, DEADLINE_MS, &stats, &error));
  REFUSED(swarm_master_health(master, NULL, &error));
  REFUSED(swarm_master_fd(master, NULL, &error));
  /* None of them added anything. */
  stats.struct_size = sizeof stats;
  CHECK_OK(swarm_master_stats(master, DEADLINE_MS, &stats, &error));
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
