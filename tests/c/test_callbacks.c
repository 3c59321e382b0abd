/* What is allowed inside a callback, and what is refused without harm. */
#include "support.h"

static swarm_options *options;
static swarm_worker *worker;
static swarm_master *master;
static counter returned;

static void refuse_in_worker(void *user_data, swarm_job *job) {
  (void)user_data;
  CHECK_STATUS(SWARM_ERR_IN_CALLBACK, swarm_call_end(swarm_worker_terminate(worker, 0), SWARM_NO_TIMEOUT, &error));
  CHECK_STATUS(SWARM_ERR_IN_CALLBACK, swarm_call_end(swarm_worker_drain(worker), 0, &error));
  CHECK_STATUS(SWARM_ERR_IN_CALLBACK, swarm_member_dispatch(swarm_worker_member(worker), &error));
  CHECK(swarm_worker_free(worker) == SWARM_ERR_IN_CALLBACK);
  /* Waiting calls of another object are fine, and the worker goes on as if nothing had been tried. */
  CHECK_OK(swarm_call_end(swarm_master_add(master, swarm_bytes_of("\"from a callback\""), NULL), DEADLINE_MS, &error));
  swarm_worker_on_add(worker, echo, &returned, count_destroy);
  CHECK_OK(swarm_job_finish(job, swarm_result_complete(swarm_job_payload(job), SWARM_CONTENT_JSON), NULL, &error));
  counter_add(&returned);
}

static void a_worker_is_not_ended_in_its_own_callback(void) {
  swarm_call *outcome = NULL;
  CHECK_OK(answered(swarm_master_run(master, swarm_bytes_of("1"), NULL), DEADLINE_MS, &outcome, &error));
  CHECK(swarm_outcome_details(swarm_call_outcome(outcome, 0))->completed);
  swarm_call_free(outcome);
  CHECK(counter_reaches(&returned, 1));
  CHECK_OK(answered(swarm_master_run(master, swarm_bytes_of("2"), NULL), DEADLINE_MS, &outcome, &error));
  swarm_call_free(outcome);
}

static void refuse_in_master(void *user_data, const swarm_error *failure, const swarm_call *added) {
  CHECK(failure == NULL && swarm_call_count(added) == 1);
  CHECK_STATUS(SWARM_ERR_IN_CALLBACK, swarm_call_end(swarm_master_close(master), DEADLINE_MS, &error));
  CHECK_STATUS(SWARM_ERR_IN_CALLBACK, swarm_member_dispatch(swarm_master_member(master), &error));
  CHECK(swarm_master_free(master) == SWARM_ERR_IN_CALLBACK);
  /* A waiting call of the same master: its answer does not need the callback thread. */
  swarm_call *outcome = NULL;
  CHECK_OK(answered(swarm_master_run(master, swarm_bytes_of("3"), NULL), DEADLINE_MS, &outcome, &error));
  CHECK(swarm_outcome_details(swarm_call_outcome(outcome, 0))->completed);
  swarm_call_free(outcome);
  counter_add(user_data);
}

static void a_master_is_not_ended_in_its_own_callback(void) {
  counter called = COUNTER_INIT;
  CHECK_OK(swarm_call_on_done(swarm_master_add(master, swarm_bytes_of("1"), NULL), SWARM_NO_TIMEOUT, refuse_in_master, &called, NULL, &error));
  CHECK(counter_reaches(&called, 1));
}

static void terminated(void *user_data, const swarm_error *error, const swarm_call *call) {
  (void)call;
  CHECK(error == NULL);
  counter_add(user_data);
}

static void terminate_inside(void *user_data, swarm_job *job) {
  swarm_worker *own = ((swarm_worker **)user_data)[0];
  counter *done = ((void **)user_data)[1];
  CHECK_OK(swarm_call_on_done(swarm_worker_terminate(own, 0), SWARM_NO_TIMEOUT, terminated, done, NULL, &error));
  CHECK_OK(swarm_job_finish(job, swarm_result_complete(swarm_bytes_of("1"), SWARM_CONTENT_JSON), NULL, &error));
}

static void a_worker_may_end_itself_without_waiting(void) {
  swarm_options *own = test_options("end-itself");
  swarm_worker *ending = new_worker(own);
  counter done = COUNTER_INIT;
  void *data[2] = {ending, &done};
  swarm_worker_on_add(ending, terminate_inside, data, NULL);
  start_worker(ending);
  swarm_master *other = start_master(own);
  add_job(other, "1", NULL, NULL);
  CHECK(counter_reaches(&done, 1));
  CHECK(swarm_worker_free(ending) == SWARM_OK);
  end_master(other);
  swarm_options_free(own);
}

static void free_the_argument(void *user_data, swarm_job *job) {
  /* Another object may be freed inside a callback. */
  swarm_master *victim = *(swarm_master **)user_data;
  if (victim != NULL) {
    CHECK(swarm_master_free(victim) == SWARM_OK);
    *(swarm_master **)user_data = NULL;
  }
  CHECK_OK(swarm_job_finish(job, swarm_result_complete(swarm_bytes_of("1"), SWARM_CONTENT_JSON), NULL, &error));
}

static void another_object_may_be_freed(void) {
  swarm_options *own = test_options("free-other");
  swarm_worker *freeing = new_worker(own);
  swarm_master *victim = start_master(own), *other = start_master(own);
  swarm_worker_on_add(freeing, free_the_argument, &victim, NULL);
  start_worker(freeing);
  swarm_call *outcome = NULL;
  CHECK_OK(answered(swarm_master_run(other, swarm_bytes_of("1"), NULL), DEADLINE_MS, &outcome, &error));
  CHECK(victim == NULL);
  swarm_call_free(outcome);
  CHECK(swarm_worker_free(freeing) == SWARM_OK);
  end_master(other);
  swarm_options_free(own);
}

/* A callback that blocks until the test lets it go on. */
typedef struct {
  counter entered, leave;
} gate;

static void block(void *user_data, swarm_job *job) {
  gate *gate = user_data;
  counter_add(&gate->entered);
  CHECK(counter_reaches(&gate->leave, 1));
  CHECK_OK(swarm_job_finish(job, swarm_result_complete(swarm_bytes_of("1"), SWARM_CONTENT_JSON), NULL, &error));
}

static void a_blocked_callback_loses_no_lease(void) {
  swarm_options *own = test_options("blocked");
  swarm_options_set(own, "lease", "1000");
  gate gate = {COUNTER_INIT, COUNTER_INIT};
  swarm_worker *blocked = new_worker(own);
  swarm_worker_on_add(blocked, block, &gate, NULL);
  start_worker(blocked);
  swarm_master *other = start_master(own);
  char id[257];
  swarm_job_options job = SWARM_JOB_OPTIONS_INIT;
  job.result = true;
  add_job(other, "1", &job, id);
  CHECK(counter_reaches(&gate.entered, 1));
  /* Four leases pass: renewals go on without the callback thread. */
  swarm_call *outcome = NULL;
  CHECK_STATUS(SWARM_ERR_TIMEOUT, answered(swarm_master_result(other, id), 4000, &outcome, &error));
  counter_add(&gate.leave);
  CHECK_OK(answered(swarm_master_result(other, id), DEADLINE_MS, &outcome, &error));
  CHECK(swarm_outcome_details(swarm_call_outcome(outcome, 0))->completed);
  swarm_call_free(outcome);
  CHECK(counter_get(&gate.entered) == 1);
  CHECK(swarm_worker_free(blocked) == SWARM_OK);
  end_master(other);
  swarm_options_free(own);
}

static void block_on_second(void *user_data, swarm_job *job) {
  gate *gate = user_data;
  if (swarm_job_payload(job).len == 1) {
    CHECK_OK(swarm_job_finish(job, swarm_result_complete(swarm_bytes_of("1"), SWARM_CONTENT_JSON), NULL, &error));
  } else {
    block(gate, job);
  }
}

static void a_finished_job_does_not_wait_for_a_blocked_one(void) {
  swarm_options *own = test_options("beside");
  gate gate = {COUNTER_INIT, COUNTER_INIT};
  swarm_master *other = start_master(own);
  swarm_job_options keep = SWARM_JOB_OPTIONS_INIT;
  keep.result = true;
  swarm_new_job jobs[2] = {{swarm_bytes_of("1"), &keep}, {swarm_bytes_of("22"), &keep}};
  swarm_call *added = NULL;
  /* Both wait already, so that they come in one batch. */
  CHECK_OK(answered(swarm_master_add_many(other, jobs, 2), DEADLINE_MS, &added, &error));
  swarm_worker *blocked = new_worker(own);
  swarm_worker_on_add(blocked, block_on_second, &gate, NULL);
  start_worker(blocked);
  CHECK(counter_reaches(&gate.entered, 1));
  swarm_call *outcome = NULL;
  CHECK_OK(answered(swarm_master_result(other, swarm_call_id(added, 0)), DEADLINE_MS, &outcome, &error));
  swarm_call_free(outcome);
  counter_add(&gate.leave);
  CHECK_OK(answered(swarm_master_result(other, swarm_call_id(added, 1)), DEADLINE_MS, &outcome, &error));
  swarm_call_free(outcome);
  swarm_call_free(added);
  CHECK(swarm_worker_free(blocked) == SWARM_OK);
  end_master(other);
  swarm_options_free(own);
}

int main(void) {
  static const counter fresh = COUNTER_INIT;
  returned = fresh;
  options = test_options("callbacks");
  worker = new_worker(options);
  swarm_worker_on_add(worker, refuse_in_worker, NULL, NULL);
  start_worker(worker);
  master = start_master(options);
  RUN(a_worker_is_not_ended_in_its_own_callback);
  RUN(a_master_is_not_ended_in_its_own_callback);
  RUN(a_worker_may_end_itself_without_waiting);
  RUN(another_object_may_be_freed);
  RUN(a_blocked_callback_loses_no_lease);
  RUN(a_finished_job_does_not_wait_for_a_blocked_one);
  CHECK(swarm_worker_free(worker) == SWARM_OK);
  CHECK(counter_get(&returned) == 2);
  end_master(master);
  swarm_options_free(options);
  return 0;
}
