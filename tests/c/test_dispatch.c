/* Callbacks on the caller's own thread: a descriptor to poll and a call that runs what waits. */
#include <poll.h>

#include "support.h"

static pthread_t here;
static long added, deleted, closed, outcomes;

static void count_add(void *user_data, swarm_job *job) {
  (void)user_data;
  CHECK(pthread_equal(pthread_self(), here));
  added++;
  CHECK_OK(swarm_job_finish(job, swarm_result_complete(swarm_job_payload(job), SWARM_CONTENT_JSON), NULL, &error));
}

static void hold(void *user_data, swarm_job *job) {
  CHECK(pthread_equal(pthread_self(), here));
  added++;
  *(swarm_job **)user_data = job;
}

static void on_delete(void *user_data, swarm_job *job, swarm_delete_reason reason) {
  (void)user_data;
  CHECK(pthread_equal(pthread_self(), here) && reason == SWARM_DELETE_TERMINATED);
  deleted++;
  CHECK_OK(swarm_job_finish(job, swarm_result_stopped(), NULL, &error));
}

static void on_close(void *user_data, const swarm_error *error) {
  (void)user_data;
  CHECK(pthread_equal(pthread_self(), here) && error == NULL);
  closed++;
}

static void on_outcome(void *user_data, const swarm_error *error, const swarm_call *outcome) {
  (void)user_data;
  CHECK(pthread_equal(pthread_self(), here) && error == NULL && swarm_outcome_details(swarm_call_outcome(outcome, 0))->completed);
  outcomes++;
}

static void wait_readable(struct pollfd *fds, nfds_t count) { CHECK(poll(fds, count, DEADLINE_MS) > 0); }

static void callbacks_run_on_the_polling_thread(void) {
  enum { JOBS = 300 };
  swarm_options *options = test_options("dispatch");
  swarm_worker *worker = new_worker(options);
  swarm_master *master = NULL;
  CHECK_OK(swarm_master_new(options, &master, &error));
  int worker_fd = -1, master_fd = -1, again = -1;
  CHECK_OK(swarm_member_fd(swarm_worker_member(worker), &worker_fd, &error));
  CHECK_OK(swarm_member_fd(swarm_worker_member(worker), &again, &error));
  CHECK(worker_fd >= 0 && again == worker_fd);
  CHECK_OK(swarm_member_fd(swarm_master_member(master), &master_fd, &error));
  added = outcomes = 0;
  swarm_worker_on_add(worker, count_add, NULL, NULL);
  CHECK_OK(swarm_worker_start(worker, &error));
  for (int i = 0; i < JOBS; i++) {
    CHECK_OK(swarm_call_on_done(swarm_master_run(master, swarm_bytes_of("1"), NULL), DEADLINE_MS, on_outcome, NULL, NULL, &error));
  }
  while (outcomes < JOBS) {
    struct pollfd fds[2] = {{worker_fd, POLLIN, 0}, {master_fd, POLLIN, 0}};
    wait_readable(fds, 2);
    if (fds[0].revents != 0) CHECK_OK(swarm_member_dispatch(swarm_worker_member(worker), &error));
    if (fds[1].revents != 0) CHECK_OK(swarm_member_dispatch(swarm_master_member(master), &error));
  }
  CHECK(added == JOBS && outcomes == JOBS);
  /* With nothing to run, dispatching returns at once. */
  CHECK_OK(swarm_member_dispatch(swarm_worker_member(worker), &error));
  CHECK_OK(swarm_member_dispatch(swarm_master_member(master), &error));
  CHECK(swarm_worker_free(worker) == SWARM_OK);
  end_master(master);
  swarm_options_free(options);
}

static void ending_runs_the_callbacks_inside_the_call(void) {
  swarm_options *options = test_options("dispatch-end");
  swarm_worker *worker = new_worker(options);
  swarm_master *master = start_master(options);
  swarm_job *job = NULL;
  int fd = -1;
  CHECK_OK(swarm_member_fd(swarm_worker_member(worker), &fd, &error));
  swarm_worker_on_add(worker, hold, &job, NULL);
  swarm_worker_on_delete(worker, on_delete, NULL, NULL);
  swarm_member_on_close(swarm_worker_member(worker), on_close, NULL, NULL);
  start_worker(worker);
  added = deleted = closed = 0;
  add_job(master, "1", NULL, NULL);
  while (added == 0) {
    struct pollfd poller = {fd, POLLIN, 0};
    wait_readable(&poller, 1);
    CHECK_OK(swarm_member_dispatch(swarm_worker_member(worker), &error));
  }
  CHECK_STATUS(SWARM_ERR_TIMEOUT, swarm_call_end(swarm_worker_drain(worker), 30, &error));
  CHECK_OK(swarm_call_end(swarm_worker_terminate(worker, DEADLINE_MS), SWARM_NO_TIMEOUT, &error));
  CHECK(deleted == 1 && closed == 1);
  CHECK(swarm_worker_free(worker) == SWARM_OK);
  end_master(master);
  swarm_options_free(options);
}

static void the_choice_is_made_before_the_start(void) {
  swarm_options *options = test_options("dispatch-late");
  swarm_worker *worker = new_worker(options);
  swarm_worker_on_add(worker, echo, NULL, NULL);
  start_worker(worker);
  int fd = -3;
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, swarm_member_fd(swarm_worker_member(worker), &fd, &error));
  swarm_master *master = start_master(options);
  swarm_member_on_error(swarm_master_member(master), NULL, NULL, NULL);
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, swarm_member_fd(swarm_master_member(master), &fd, &error));
  CHECK(fd == -3);
  CHECK(swarm_worker_free(worker) == SWARM_OK);
  end_master(master);
  swarm_options_free(options);
}

static void freeing_with_callbacks_waiting_ends_them(void) {
  swarm_options *options = test_options("dispatch-free");
  swarm_master *master = start_master(options);
  int fd = -1;
  counter destroyed = COUNTER_INIT;
  CHECK_OK(swarm_member_fd(swarm_master_member(master), &fd, &error));
  for (int i = 0; i < 10; i++) {
    CHECK_OK(swarm_call_on_done(swarm_master_add(master, swarm_bytes_of("1"), NULL), SWARM_NO_TIMEOUT, NULL, &destroyed, count_destroy, &error));
  }
  struct pollfd poller = {fd, POLLIN, 0};
  wait_readable(&poller, 1);
  CHECK(counter_get(&destroyed) == 0);
  end_master(master);
  CHECK(counter_get(&destroyed) == 10);
  swarm_options_free(options);
}

int main(void) {
  here = pthread_self();
  RUN(callbacks_run_on_the_polling_thread);
  RUN(ending_runs_the_callbacks_inside_the_call);
  RUN(the_choice_is_made_before_the_start);
  RUN(freeing_with_callbacks_waiting_ends_them);
  return 0;
}
