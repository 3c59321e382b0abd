/* Fork: what the parent made is refused in the child with a typed error, what the child makes works. */
#include <sys/wait.h>

#include "support.h"

static swarm_options *options;
static swarm_master *master;
static swarm_worker *worker;
static swarm_job *job;
static swarm_message *message;
static counter added = COUNTER_INIT, received = COUNTER_INIT;

static void hold(void *user_data, swarm_job *assigned) {
  (void)user_data;
  job = assigned;
  counter_add(&added);
}

static void keep_message(void *user_data, const swarm_message *lent) {
  (void)user_data;
  message = swarm_message_keep(lent);
  counter_add(&received);
}

/* Runs `child` in a forked process, within the deadline, and checks that it exited with 0. */
static void in_child(void (*child)(void)) {
  fflush(NULL);
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    alarm(DEADLINE_MS / 1000);
    child();
    /* No atexit handlers of the parent's, such as a sanitizer's, in the child. */
    _exit(0);
  }
  int status = 0;
  CHECK(waitpid(pid, &status, 0) == pid);
  if (status != 0) fprintf(stderr, "the child exited with status %d\n", status);
  CHECK(status == 0);
}

#define FORKED(call) CHECK_STATUS(SWARM_ERR_FORKED, call)

static void use_the_parents(void) {
  counter destroyed = COUNTER_INIT;
  swarm_call *outcome = NULL;
  swarm_stats stats = {0};
  swarm_health health = SWARM_HEALTH_INIT;
  FORKED(swarm_call_end(swarm_master_add(master, swarm_bytes_of("1"), NULL), DEADLINE_MS, &error));
  FORKED(swarm_call_on_done(swarm_master_add(master, swarm_bytes_of("1"), NULL), SWARM_NO_TIMEOUT, NULL, &destroyed, count_destroy, &error));
  CHECK(counter_get(&destroyed) == 1);
  FORKED(answered(swarm_master_run(master, swarm_bytes_of("1"), NULL), DEADLINE_MS, &outcome, &error));
  FORKED(stats_of(swarm_master_member(master), DEADLINE_MS, &stats, &error));
  FORKED(swarm_member_health(swarm_master_member(master), &health, &error));
  FORKED(swarm_call_end(swarm_master_stop_choosing(master), DEADLINE_MS, &error));
  FORKED(swarm_call_end(swarm_master_close(master), DEADLINE_MS, &error));
  swarm_events *events = NULL;
  FORKED(swarm_events_new(master, NULL, NULL, NULL, NULL, &events, &error));
  FORKED(swarm_member_health(swarm_worker_member(worker), &health, &error));
  FORKED(swarm_call_end(swarm_worker_drain(worker), DEADLINE_MS, &error));
  FORKED(swarm_call_end(swarm_worker_terminate(worker, DEADLINE_MS), SWARM_NO_TIMEOUT, &error));
  FORKED(swarm_member_dispatch(swarm_worker_member(worker), &error));
  FORKED(swarm_job_finish(job, swarm_result_complete(swarm_bytes_of("1"), SWARM_CONTENT_JSON), NULL, &error));
  FORKED(swarm_message_reply(message, swarm_bytes_of("1"), SWARM_CONTENT_JSON, &error));
  FORKED(swarm_call_end(swarm_member_confirm(swarm_worker_member(worker), "x"), DEADLINE_MS, &error));
  swarm_member_on_message(swarm_worker_member(worker), keep_message, &destroyed, count_destroy);
  CHECK(counter_get(&destroyed) == 2);
  swarm_worker_on_delete(worker, NULL, &destroyed, count_destroy);
  CHECK(counter_get(&destroyed) == 3);
  /* Reading what was there is fine, and so is freeing. */
  CHECK(swarm_job_payload(job).len == 1);
  CHECK(swarm_message_details(message)->payload.len == 1);
  swarm_message_free(message);
  swarm_job_free(job);
  CHECK(swarm_worker_free(worker) == SWARM_OK);
  CHECK(swarm_master_free(master) == SWARM_OK);
  swarm_options_free(options);
}

static void work_in_the_child(void) {
  swarm_options *own = test_options("in-child");
  swarm_worker *new_one = new_worker(own);
  swarm_worker_on_add(new_one, echo, NULL, NULL);
  start_worker(new_one);
  swarm_master *other = start_master(own);
  swarm_call *outcome = NULL;
  CHECK_OK(answered(swarm_master_run(other, swarm_bytes_of("1"), NULL), DEADLINE_MS, &outcome, &error));
  CHECK(swarm_outcome_details(swarm_call_outcome(outcome, 0))->completed);
  swarm_call_free(outcome);
  CHECK(swarm_worker_free(new_one) == SWARM_OK);
  end_master(other);
  swarm_options_free(own);
}

static void fork_again(void) {
  work_in_the_child();
  in_child(work_in_the_child);
}

static void the_parents_objects_are_refused_in_the_child(void) { in_child(use_the_parents); }
static void the_child_makes_its_own(void) { in_child(work_in_the_child); }
static void the_childs_child_does_too(void) { in_child(fork_again); }

static void many_forks_beside_busy_threads(void) {
#ifdef __SANITIZE_ADDRESS__
  /* Before GCC 14 a child that is forked while another thread is inside the sanitizer's allocator waits for that thread's lock for ever. */
  return;
#endif
  for (int i = 0; i < 20; i++) {
    for (int j = 0; j < 20; j++) {
      CHECK_OK(swarm_call_on_done(swarm_master_add(master, swarm_bytes_of("1"), NULL), SWARM_NO_TIMEOUT, NULL, NULL, NULL, &error));
    }
    in_child(use_the_parents);
  }
}

static void the_parent_goes_on(void) {
  CHECK_OK(swarm_job_finish(job, swarm_result_complete(swarm_bytes_of("1"), SWARM_CONTENT_JSON), NULL, &error));
  CHECK_OK(swarm_message_reply(message, swarm_bytes_of("1"), SWARM_CONTENT_JSON, &error));
  swarm_message_free(message);
  add_job(master, "2", NULL, NULL);
}

int main(void) {
  options = test_options("fork");
  swarm_options_set(options, "slots", "1");
  worker = new_worker(options);
  swarm_worker_on_add(worker, hold, NULL, NULL);
  swarm_member_on_message(swarm_worker_member(worker), keep_message, NULL, NULL);
  start_worker(worker);
  master = start_master(options);
  add_job(master, "1", NULL, NULL);
  CHECK(counter_reaches(&added, 1));
  swarm_new_message request = SWARM_NEW_MESSAGE_INIT;
  request.payload = swarm_bytes_of("1");
  request.request_ms = 10 * DEADLINE_MS;
  CHECK_OK(swarm_call_on_done(swarm_member_send(swarm_master_member(master), &request), SWARM_NO_TIMEOUT, NULL, NULL, NULL, &error));
  CHECK(counter_reaches(&received, 1));
  RUN(the_parents_objects_are_refused_in_the_child);
  RUN(the_child_makes_its_own);
  RUN(the_childs_child_does_too);
  RUN(many_forks_beside_busy_threads);
  RUN(the_parent_goes_on);
  CHECK(counter_reaches(&added, 2));
  swarm_job_free(job);
  CHECK(swarm_worker_free(worker) == SWARM_OK);
  end_master(master);
  swarm_options_free(options);
  return 0;
}
