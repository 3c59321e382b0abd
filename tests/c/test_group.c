/* Groups: many jobs added at once and all of their outcomes awaited, together or one by one. */
#include <poll.h>

#include "support.h"

enum { JOBS = 40 };

static swarm_options *options;
static swarm_master *master;
static swarm_worker *worker;

/* Completes with the payload, or fails where it is 13. */
static swarm_result *answer(void *user_data, const swarm_job *job) {
  swarm_bytes payload = swarm_job_payload(job);
  (void)user_data;
  if (payload.len == 2 && memcmp(payload.data, "13", 2) == 0) return swarm_result_fail("unlucky");
  return swarm_result_complete(payload, SWARM_CONTENT_JSON);
}

/* The jobs 0 to JOBS - 1, each its own number. */
static swarm_new_job *numbered(void) {
  static char texts[JOBS][12];
  static swarm_new_job jobs[JOBS];
  for (int i = 0; i < JOBS; i++) {
    snprintf(texts[i], sizeof texts[i], "%d", i);
    jobs[i].payload = swarm_bytes_of(texts[i]);
    jobs[i].options = NULL;
  }
  return jobs;
}

static void check_outcome(size_t index, const swarm_outcome *outcome) {
  char expected[12];
  snprintf(expected, sizeof expected, "%d", (int)index);
  swarm_bytes result = swarm_outcome_details(outcome)->result;
  if (index == 13) {
    CHECK(swarm_outcome_details(outcome)->status == SWARM_ERR_JOB_FAILED);
    CHECK_TEXT("unlucky", swarm_outcome_details(outcome)->message);
  } else {
    CHECK(swarm_outcome_details(outcome)->completed && result.len == strlen(expected));
    CHECK(memcmp(result.data, expected, result.len) == 0);
  }
}

static void check_outcomes(const swarm_call *outcomes) {
  CHECK(swarm_call_count(outcomes) == JOBS);
  for (size_t i = 0; i < JOBS; i++) {
    CHECK(swarm_call_outcome_error(outcomes, i) == NULL);
    check_outcome(i, swarm_call_outcome(outcomes, i));
  }
  CHECK(swarm_call_outcome(outcomes, JOBS) == NULL && swarm_call_outcome_error(outcomes, JOBS) == NULL);
}

static void all_outcomes_come_in_the_order_of_the_jobs(void) {
  swarm_call *outcomes = NULL;
  CHECK_OK(answered(swarm_master_run_many(master, numbered(), JOBS, false, NULL, NULL, NULL), DEADLINE_MS, &outcomes, &error));
  check_outcomes(outcomes);
  swarm_call_free(outcomes);
  CHECK_OK(answered(swarm_master_run_many(master, NULL, 0, false, NULL, NULL, NULL), DEADLINE_MS, &outcomes, &error));
  CHECK(swarm_call_count(outcomes) == 0);
  swarm_call_free(outcomes);
}

/* What the callbacks of a group saw. */
typedef struct {
  counter reported, done, destroyed;
  bool seen[JOBS];
  swarm_status last, status;
} group;

#define GROUP_INIT {COUNTER_INIT, COUNTER_INIT, COUNTER_INIT, {false}, SWARM_OK, SWARM_OK}

static void on_each(void *user_data, size_t index, const swarm_error *error, const swarm_outcome *outcome) {
  group *group = user_data;
  CHECK((error == NULL) == (outcome != NULL) && index < JOBS && !group->seen[index] && counter_get(&group->done) == 0);
  group->seen[index] = true;
  group->last = swarm_error_status(error);
  if (outcome != NULL) check_outcome(index, outcome);
  counter_add(&group->reported);
}

static void on_done(void *user_data, const swarm_error *error, const swarm_call *call) {
  (void)call;
  group *group = user_data;
  group->status = swarm_error_status(error);
  counter_add(&group->done);
}

static void on_outcomes(void *user_data, const swarm_error *error, const swarm_call *outcomes) {
  group *group = user_data;
  CHECK(error == NULL || swarm_call_count(outcomes) == 0);
  group->status = swarm_error_status(error);
  if (error == NULL) check_outcomes(outcomes);
  counter_add(&group->done);
}

static void group_destroy(void *user_data) { counter_add(&((group *)user_data)->destroyed); }

static void each_outcome_is_reported_when_its_job_finishes(void) {
  group each = GROUP_INIT;
  CHECK_OK(swarm_call_end(swarm_master_run_many(master, numbered(), JOBS, false, on_each, &each, NULL), DEADLINE_MS, &error));
  CHECK(counter_get(&each.reported) == JOBS);
  CHECK_OK(swarm_call_end(swarm_master_run_many(master, NULL, 0, false, on_each, &each, NULL), DEADLINE_MS, &error));
  CHECK(counter_get(&each.reported) == JOBS);
}

static void groups_without_waiting(void) {
  group many = GROUP_INIT, each = GROUP_INIT, alone = GROUP_INIT;
  swarm_new_job *jobs = numbered();
  CHECK_OK(swarm_call_on_done(swarm_master_run_many(master, jobs, JOBS, false, NULL, NULL, NULL), DEADLINE_MS, on_outcomes, &many, group_destroy, &error));
  CHECK_OK(swarm_call_on_done(swarm_master_run_many(master, jobs, JOBS, true, on_each, &each, NULL), DEADLINE_MS, on_done, &each, group_destroy, &error));
  CHECK_OK(swarm_call_on_done(swarm_master_run_many(master, jobs, JOBS, false, on_each, &alone, NULL), DEADLINE_MS, NULL, &alone, group_destroy, &error));
  CHECK(counter_reaches(&many.destroyed, 1) && many.status == SWARM_OK && counter_get(&many.done) == 1);
  CHECK(counter_reaches(&each.destroyed, 1) && each.status == SWARM_OK && counter_get(&each.done) == 1);
  CHECK(counter_get(&each.reported) == JOBS);
  CHECK(counter_reaches(&alone.destroyed, 1) && counter_get(&alone.reported) == JOBS);
}

static void groups_on_the_polling_thread(void) {
  swarm_master *polled = NULL;
  group each = GROUP_INIT;
  int fd = -1;
  CHECK_OK(swarm_master_new(options, &polled, &error));
  CHECK_OK(swarm_member_fd(swarm_master_member(polled), &fd, &error));
  CHECK_OK(
      swarm_call_on_done(swarm_master_run_many(polled, numbered(), JOBS, false, on_each, &each, NULL), DEADLINE_MS, on_done, &each, group_destroy, &error));
  while (counter_get(&each.done) == 0) {
    struct pollfd poller = {fd, POLLIN, 0};
    CHECK(poll(&poller, 1, DEADLINE_MS) > 0);
    CHECK_OK(swarm_member_dispatch(swarm_master_member(polled), &error));
  }
  CHECK(counter_get(&each.reported) == JOBS && counter_get(&each.destroyed) == 1 && each.status == SWARM_OK);
  CHECK(swarm_master_free(polled) == SWARM_OK);
}

static void a_bad_job_keeps_all_from_being_added(void) {
  group refused = GROUP_INIT;
  swarm_call *outcomes = NULL;
  swarm_job_options bad = SWARM_JOB_OPTIONS_INIT;
  bad.retries = 201;
  swarm_new_job jobs[] = {{swarm_bytes_of("0"), NULL}, {swarm_bytes_of("1"), &bad}};
  swarm_error *error = NULL;
  CHECK(answered(swarm_master_run_many(master, jobs, 2, false, NULL, NULL, NULL), DEADLINE_MS, &outcomes, &error) == SWARM_ERR_INVALID_ARGUMENT);
  CHECK(strstr(swarm_error_message(error), "job 1") != NULL && outcomes == NULL);
  swarm_error_free(error);
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, swarm_call_end(swarm_master_run_many(master, jobs, 2, false, on_each, &refused, NULL), DEADLINE_MS, &error));
  /* The data of a callback for each is destroyed, also where there is none. */
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT,
               swarm_call_end(swarm_master_run_many(master, NULL, 1, false, on_each, &refused, group_destroy), DEADLINE_MS, &error));
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT,
               swarm_call_end(swarm_master_run_many(master, jobs, 2, false, NULL, &refused, group_destroy), DEADLINE_MS, &error));
  CHECK(counter_get(&refused.destroyed) == 2);
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, answered(swarm_master_run_many(master, NULL, 1, false, NULL, NULL, NULL), DEADLINE_MS, &outcomes, &error));
  CHECK_OK(swarm_call_on_done(swarm_master_run_many(master, jobs, 2, false, on_each, &refused, NULL), DEADLINE_MS, on_done, &refused, group_destroy, &error));
  CHECK(counter_reaches(&refused.destroyed, 3) && refused.status == SWARM_ERR_INVALID_ARGUMENT);
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, swarm_call_on_done(swarm_master_run_many(master, NULL, 2, false, on_each, &refused, NULL), DEADLINE_MS, on_done, &refused, group_destroy, &error));
  CHECK(counter_get(&refused.destroyed) == 4 && counter_get(&refused.reported) == 0 && counter_get(&refused.done) == 1);
}

static void a_group_is_deleted_with_its_master_unless_kept(void) {
  swarm_options *other = test_options("ephemeral");
  for (int keep = 0; keep <= 1; keep++) {
    swarm_master *leaving = start_master(other), *staying = start_master(other);
    group each = GROUP_INIT;
    CHECK_OK(swarm_call_on_done(swarm_master_run_many(leaving, numbered(), 2, keep != 0, on_each, &each, NULL), SWARM_NO_TIMEOUT, on_done, &each, group_destroy, &error));
    UNTIL_STATS(staying, stats.waiting == 2);
    CHECK_OK(swarm_call_end(swarm_master_close(leaving), DEADLINE_MS, &error));
    /* The waits end with the master. */
    CHECK(counter_reaches(&each.done, 1) && counter_get(&each.reported) == 2 && each.last == SWARM_ERR_CLOSED);
    CHECK(swarm_master_free(leaving) == SWARM_OK);
    keeper kept;
    keeper_start(&kept, other);
    if (keep) {
      for (long i = 0; i < 2; i++) CHECK_OK(swarm_job_finish(kept_job(&kept, i), swarm_result_complete(swarm_bytes_of("1"), SWARM_CONTENT_JSON), NULL, &error));
      UNTIL_STATS(staying, stats.completed == 2 && stats.deleted == 0);
    } else {
      UNTIL_STATS(staying, stats.deleted == 2 && stats.completed == 0 && stats.waiting == 0 && stats.active == 0);
    }
    CHECK(swarm_worker_free(kept.worker) == SWARM_OK);
    end_master(staying);
  }
  swarm_options_free(other);
}

static void a_group_without_workers_ends_with_its_time(void) {
  swarm_options *other = test_options("late");
  swarm_master *lonely = start_master(other);
  swarm_call *outcomes = NULL;
  group each = GROUP_INIT, freed = GROUP_INIT;
  swarm_new_job *jobs = numbered();
  CHECK_STATUS(SWARM_ERR_TIMEOUT, answered(swarm_master_run_many(lonely, jobs, 2, false, NULL, NULL, NULL), 50, &outcomes, &error));
  CHECK_STATUS(SWARM_ERR_TIMEOUT, swarm_call_end(swarm_master_run_many(lonely, jobs, 2, false, on_each, &each, NULL), 50, &error));
  CHECK_OK(swarm_call_on_done(swarm_master_run_many(lonely, jobs, 2, false, on_each, &each, NULL), 50, on_done, &each, group_destroy, &error));
  CHECK(counter_reaches(&each.destroyed, 1) && each.status == SWARM_ERR_TIMEOUT && counter_get(&each.reported) == 0);
  /* Freeing the master ends what is open. */
  CHECK_OK(swarm_call_on_done(swarm_master_run_many(lonely, jobs, 2, false, on_each, &freed, NULL), SWARM_NO_TIMEOUT, on_done, &freed, group_destroy, &error));
  CHECK_OK(swarm_call_end(swarm_master_obliterate(lonely), DEADLINE_MS, &error));
  CHECK(swarm_master_free(lonely) == SWARM_OK);
  CHECK(counter_get(&freed.done) == 1 && counter_get(&freed.destroyed) == 1);
  swarm_options_free(other);
}

/* Deletes a job as soon as it is added. */
static void *delete_soon(void *other) {
  bool existed = false;
  while (!existed) CHECK_OK(delete_jobs(swarm_master_member(other), (const char *const[]){"deleted"}, 1, DEADLINE_MS, &existed, &error));
  return NULL;
}

static void outcomes_that_cannot_be_learnt_have_errors(void) {
  swarm_options *other = test_options("errors");
  swarm_master *lonely = start_master(other);
  swarm_job_options quick = SWARM_JOB_OPTIONS_INIT, deleted = SWARM_JOB_OPTIONS_INIT;
  quick.total_timeout = 20;
  deleted.id = "deleted";
  swarm_new_job jobs[] = {{swarm_bytes_of("1"), &deleted}, {swarm_bytes_of("1"), &quick}};
  swarm_call *outcomes = NULL;
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, delete_soon, lonely) == 0);
  CHECK_OK(answered(swarm_master_run_many(lonely, jobs, 2, false, NULL, NULL, NULL), DEADLINE_MS, &outcomes, &error));
  CHECK(pthread_join(thread, NULL) == 0);
  CHECK(swarm_call_outcome(outcomes, 0) == NULL);
  CHECK(swarm_error_status(swarm_call_outcome_error(outcomes, 0)) == SWARM_ERR_JOB_DELETED);
  CHECK(swarm_outcome_details(swarm_call_outcome(outcomes, 1))->status == SWARM_ERR_TOTAL_TIMEOUT);
  swarm_call_free(outcomes);
  end_master(lonely);
  swarm_options_free(other);
}

/* Whether it existed, and its result, of the outcome of the job `same`: -1 until it is reported. */
typedef struct {
  counter reported;
  int existed;
  char result[8];
} same;

static void note_same(same *seen, const swarm_error *failure, const swarm_outcome *outcome) {
  swarm_bytes result = swarm_outcome_details(outcome)->result;
  CHECK(failure == NULL && result.len < sizeof seen->result);
  memcpy(seen->result, result.data, result.len);
  seen->existed = swarm_outcome_details(outcome)->existed;
  counter_add(&seen->reported);
}

static void on_same(void *user_data, const swarm_error *failure, const swarm_call *call) {
  note_same(user_data, failure, swarm_call_outcome(call, 0));
}

static void on_each_same(void *user_data, size_t index, const swarm_error *failure, const swarm_outcome *outcome) {
  if (index == 1) note_same(user_data, failure, outcome);
  else CHECK(!swarm_outcome_details(outcome)->existed);
}

static void outcomes_report_that_a_job_with_this_id_existed(void) {
  swarm_options *other = test_options("existed");
  swarm_master *master = start_master(other);
  char id[257];
  swarm_job_options job = SWARM_JOB_OPTIONS_INIT;
  job.id = "same";
  job.result = true;
  add_job(master, "1", &job, id);
  /* Without a worker yet, so that all find the job. */
  same alone = {COUNTER_INIT, -1, ""}, grouped = {COUNTER_INIT, -1, ""};
  swarm_new_job jobs[] = {{swarm_bytes_of("2"), NULL}, {swarm_bytes_of("3"), &job}};
  CHECK_OK(swarm_call_on_done(swarm_master_run(master, swarm_bytes_of("4"), &job), DEADLINE_MS, on_same, &alone, NULL, &error));
  CHECK_OK(swarm_call_on_done(swarm_master_run_many(master, jobs, 2, true, on_each_same, &grouped, NULL), DEADLINE_MS, NULL, &grouped, NULL, &error));
  /* Calls keep their order: once the job of the group is stored, both have found theirs. */
  swarm_stats stats = {0};
  while (stats.waiting < 2) CHECK_OK(stats_of(swarm_master_member(master), DEADLINE_MS, &stats, &error));
  swarm_worker *worker = new_worker(other);
  CHECK_OK(swarm_worker_process(worker, NULL, answer, NULL, NULL, &error));
  start_worker(worker);
  CHECK(counter_reaches(&alone.reported, 1) && counter_reaches(&grouped.reported, 1));
  CHECK(alone.existed == 1 && grouped.existed == 1);
  CHECK_TEXT("1", alone.result);
  CHECK_TEXT("1", grouped.result);

  swarm_call *outcome = NULL;
  CHECK_OK(answered(swarm_master_run(master, swarm_bytes_of("5"), &job), DEADLINE_MS, &outcome, &error));
  CHECK(!swarm_outcome_details(swarm_call_outcome(outcome, 0))->existed && memcmp(swarm_outcome_details(swarm_call_outcome(outcome, 0))->result.data, "5", 1) == 0);
  swarm_call_free(outcome);
  CHECK_OK(answered(swarm_master_result(master, "same"), DEADLINE_MS, &outcome, &error));
  CHECK(!swarm_outcome_details(swarm_call_outcome(outcome, 0))->existed);
  swarm_call_free(outcome);
  CHECK(swarm_worker_free(worker) == SWARM_OK);
  end_master(master);
  swarm_options_free(other);
}

int main(void) {
  options = test_options("group");
  worker = new_worker(options);
  CHECK_OK(swarm_worker_process(worker, NULL, answer, NULL, NULL, &error));
  start_worker(worker);
  master = start_master(options);
  RUN(all_outcomes_come_in_the_order_of_the_jobs);
  RUN(each_outcome_is_reported_when_its_job_finishes);
  RUN(groups_without_waiting);
  RUN(groups_on_the_polling_thread);
  RUN(a_bad_job_keeps_all_from_being_added);
  RUN(a_group_is_deleted_with_its_master_unless_kept);
  RUN(a_group_without_workers_ends_with_its_time);
  RUN(outcomes_that_cannot_be_learnt_have_errors);
  RUN(outcomes_report_that_a_job_with_this_id_existed);
  CHECK(swarm_worker_free(worker) == SWARM_OK);
  end_master(master);
  swarm_options_free(options);
  return 0;
}
