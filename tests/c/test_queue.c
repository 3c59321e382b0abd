/* The options of a job: when, where and how often it runs, what travels with it, and what its worker sees of it. */
#include "support.h"

static swarm_options *options;
static swarm_master *master;

static void begin(const char *name) {
  options = test_options(name);
  master = start_master(options);
}

static void end(void) {
  end_master(master);
  swarm_options_free(options);
}

/* Starts a worker with one slot, so that jobs come one after the other. */
static void one_slot(keeper *kept) {
  swarm_options_set(options, "slots", "1");
  keeper_start(kept, options);
}

/* Completes the next jobs, which must have these ids in this order. */
static void check_order(keeper *kept, long from, const char *const *ids, long count) {
  for (long i = 0; i < count; i++) {
    swarm_job *job = kept_job(kept, from + i);
    CHECK_TEXT(ids[i], swarm_job_id(job));
    CHECK_OK(swarm_job_finish(job, swarm_result_complete(swarm_bytes_of("1"), SWARM_CONTENT_JSON), NULL, &error));
  }
}

static void a_job_shows_the_options_it_was_added_with(void) {
  begin("shows");
  keeper kept;
  swarm_options_set(options, "task", "resize");
  swarm_options_set(options, "task", "");
  keeper_start(&kept, options);
  swarm_header headers[] = {{"trace", "00-ab"}, {"lang", "\xc3\xa9"}, {"empty", ""}};
  swarm_job_options job = SWARM_JOB_OPTIONS_INIT;
  job.priority = -7;
  job.task = "resize";
  job.resource = "disk";
  job.retries = 4;
  job.headers = headers;
  job.header_count = 3;
  add_job(master, "1", &job, NULL);
  swarm_job *assigned = kept_job(&kept, 0);
  CHECK(swarm_job_details(assigned)->priority == -7 && swarm_job_details(assigned)->attempt == 1 && swarm_job_details(assigned)->retries_left == 4);
  CHECK_TEXT("resize", swarm_job_details(assigned)->task);
  CHECK_TEXT("disk", swarm_job_details(assigned)->resource);
  CHECK_TEXT("00-ab", swarm_job_header(assigned, "trace"));
  CHECK_TEXT("\xc3\xa9", swarm_job_header(assigned, "lang"));
  CHECK_TEXT("", swarm_job_header(assigned, "empty"));
  CHECK(swarm_job_header(assigned, "none") == NULL && swarm_job_header(assigned, NULL) == NULL);
  const swarm_header *shown = swarm_job_details(assigned)->headers;
  CHECK(swarm_job_details(assigned)->header_count == 3);
  CHECK_TEXT("empty", shown[0].name);
  CHECK_TEXT("trace", shown[2].name);
  CHECK_TEXT("00-ab", shown[2].value);

  /* What came with a job can be passed on with another. */
  swarm_job_options next = SWARM_JOB_OPTIONS_INIT;
  next.headers = swarm_job_details(assigned)->headers;
  next.header_count = swarm_job_details(assigned)->header_count;
  add_job(master, "2", &next, NULL);
  swarm_job *second = kept_job(&kept, 1);
  CHECK_TEXT("00-ab", swarm_job_header(second, "trace"));
  CHECK(swarm_job_details(second)->priority == 0 && swarm_job_details(second)->retries_left == 0);
  CHECK_TEXT("", swarm_job_details(second)->task);
  CHECK_TEXT("", swarm_job_details(second)->resource);

  /* Most jobs have none of it. */
  add_job(master, "3", NULL, NULL);
  swarm_job *plain = kept_job(&kept, 2);
  CHECK(swarm_job_details(plain)->headers == NULL && swarm_job_details(plain)->header_count == 0);
  CHECK_TEXT("", swarm_job_details(plain)->task);
  for (long i = 0; i < 3; i++) CHECK_OK(swarm_job_finish(kept.jobs[i], swarm_result_complete(swarm_bytes_of("1"), SWARM_CONTENT_JSON), NULL, &error));
  CHECK(swarm_worker_free(kept.worker) == SWARM_OK);
  end();
}

static void a_program_of_an_older_header_passes_smaller_structs(void) {
  begin("older");
  keeper kept;
  keeper_start(&kept, options);
  swarm_job_options job;
  memset(&job, 0x55, sizeof job);
  job.struct_size = offsetof(swarm_job_options, priority);
  job.id = "old";
  job.result = true;
  job.content_type = SWARM_CONTENT_JSON;
  job.result_ttl = SWARM_DEFAULT;
  add_job(master, "1", &job, NULL);
  swarm_job *assigned = kept_job(&kept, 0);
  CHECK(swarm_job_details(assigned)->priority == 0 && swarm_job_details(assigned)->retries_left == 0);
  CHECK_OK(finish_and_wait(assigned, swarm_result_complete(swarm_bytes_of("1"), SWARM_CONTENT_JSON), &error));
  swarm_new_message message;
  memset(&message, 0x55, sizeof message);
  message.struct_size = offsetof(swarm_new_message, to_self);
  message.to = SWARM_TO_ALL;
  message.payload = swarm_bytes_of("1");
  message.content_type = SWARM_CONTENT_JSON;
  CHECK_OK(swarm_call_end(swarm_member_send(swarm_master_member(master), &message), DEADLINE_MS, &error));
  swarm_health health;
  memset(&health, 0x55, sizeof health);
  health.struct_size = offsetof(swarm_health, sent);
  CHECK_OK(swarm_member_health(swarm_master_member(master), &health, &error));
  CHECK(health.added == 1 && health.sent == 0x5555555555555555u);
  UNTIL_STATS(master, stats.completed == 1);
  CHECK(swarm_worker_free(kept.worker) == SWARM_OK);
  end();
}

static void higher_priorities_go_first(void) {
  begin("priority");
  static const char *const ids[] = {"a", "b", "c", "d"}, *const order[] = {"c", "d", "a", "b"};
  static const int64_t priorities[] = {0, -1, 9007199254740992, 5};
  for (int i = 0; i < 4; i++) {
    swarm_job_options job = SWARM_JOB_OPTIONS_INIT;
    job.id = ids[i];
    job.priority = priorities[i];
    add_job(master, "1", &job, NULL);
  }
  keeper kept;
  one_slot(&kept);
  check_order(&kept, 0, order, 4);
  CHECK(swarm_worker_free(kept.worker) == SWARM_OK);
  end();
}

static void delayed_jobs_come_when_they_are_due(void) {
  begin("delay");
  keeper kept;
  one_slot(&kept);
  double before = now_ms();
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  swarm_job_options late = SWARM_JOB_OPTIONS_INIT, at = SWARM_JOB_OPTIONS_INIT;
  late.id = "late";
  late.delay = 400;
  at.id = "at";
  at.run_at = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000 + 150;
  swarm_new_job jobs[] = {{swarm_bytes_of("1"), &late}, {swarm_bytes_of("1"), &at}};
  CHECK_OK(swarm_call_end(swarm_master_add_many(master, jobs, 2), DEADLINE_MS, &error));
  static const char *const order[] = {"at", "late"};
  check_order(&kept, 0, order, 2);
  CHECK(now_ms() - before >= 400);
  /* An id may be added again once its job has finished. */
  UNTIL_STATS(master, stats.completed == 2);
  late.delay = 3600 * 1000;
  add_job(master, "1", &late, NULL);
  UNTIL_STATS(master, stats.delayed == 1);
  CHECK(swarm_worker_free(kept.worker) == SWARM_OK);
  end();
}

/* Adds a job with these options and `result`, and checks how it finishes. */
static void check_outcome(swarm_job_options job, swarm_status status, const char *reason) {
  swarm_call *outcome = NULL;
  CHECK_OK(answered(swarm_master_run(master, swarm_bytes_of("1"), &job), DEADLINE_MS, &outcome, &error));
  if (swarm_outcome_details(swarm_call_outcome(outcome, 0))->status != status) fprintf(stderr, "seen %s\n", swarm_status_name(swarm_outcome_details(swarm_call_outcome(outcome, 0))->status));
  CHECK(swarm_outcome_details(swarm_call_outcome(outcome, 0))->status == status && swarm_outcome_details(swarm_call_outcome(outcome, 0))->completed == (status == SWARM_OK));
  if (reason != NULL) CHECK_TEXT(reason, swarm_outcome_details(swarm_call_outcome(outcome, 0))->reason);
  swarm_call_free(outcome);
}

static void each_timeout_has_its_status(void) {
  begin("timeouts");
  swarm_job_options job = SWARM_JOB_OPTIONS_INIT;
  job.assign_timeout = 50;
  check_outcome(job, SWARM_ERR_ASSIGN_TIMEOUT, "assign_timeout");
  job.assign_timeout = SWARM_DEFAULT;
  job.total_timeout = 50;
  check_outcome(job, SWARM_ERR_TOTAL_TIMEOUT, "total_timeout");
  keeper kept;
  keeper_start(&kept, options);
  job.total_timeout = SWARM_DEFAULT;
  job.run_timeout = 50;
  check_outcome(job, SWARM_ERR_RUN_TIMEOUT, "run_timeout");
  CHECK(counter_reaches(&kept.deleted, 1) && kept.reason == SWARM_DELETE_TIMED_OUT);
  CHECK_OK(swarm_job_finish(kept_job(&kept, 0), swarm_result_stopped(), NULL, &error));
  CHECK(swarm_outcome_details(swarm_call_outcome(NULL, 0))->status == SWARM_ERR_INVALID_ARGUMENT);
  CHECK(swarm_worker_free(kept.worker) == SWARM_OK);
  end();
}

static void failed_attempts_are_repeated_after_their_backoff(void) {
  begin("retries");
  keeper kept;
  one_slot(&kept);
  swarm_job_options job = SWARM_JOB_OPTIONS_INIT;
  job.id = "a";
  job.result = true;
  job.retries = 3;
  job.backoff = SWARM_BACKOFF_EXPONENTIAL;
  job.backoff_delay = 100;
  job.backoff_max = 150;
  job.backoff_jitter = 0.1;
  add_job(master, "1", &job, NULL);
  static const double pauses[] = {0, 90, 135, 200};
  double before = now_ms();
  for (uint32_t attempt = 1; attempt <= 4; attempt++) {
    swarm_job *assigned = kept_job(&kept, attempt - 1);
    CHECK(now_ms() - before >= pauses[attempt - 1]);
    CHECK(swarm_job_details(assigned)->attempt == attempt && swarm_job_details(assigned)->retries_left == 4 - attempt);
    before = now_ms();
    if (attempt < 3) CHECK_OK(swarm_job_finish(assigned, swarm_result_fail("no"), NULL, &error));
    if (attempt == 3) CHECK_OK(swarm_job_finish(assigned, swarm_result_retry("later", 200), NULL, &error));
    if (attempt == 4) CHECK_OK(swarm_job_finish(assigned, swarm_result_retry("enough", 200), NULL, &error));
  }
  swarm_call *outcome = NULL;
  CHECK_OK(answered(swarm_master_result(master, "a"), DEADLINE_MS, &outcome, &error));
  CHECK(swarm_outcome_details(swarm_call_outcome(outcome, 0))->status == SWARM_ERR_JOB_FAILED);
  CHECK_TEXT("enough", swarm_outcome_details(swarm_call_outcome(outcome, 0))->message);
  swarm_call_free(outcome);
  UNTIL_STATS(master, stats.retries == 3 && stats.failures == 1 && stats.failed == 1);
  CHECK(swarm_worker_free(kept.worker) == SWARM_OK);
  end();
}

static void a_job_can_fail_permanently(void) {
  begin("for-good");
  keeper kept;
  one_slot(&kept);
  swarm_job_options job = SWARM_JOB_OPTIONS_INIT;
  job.retries = 3;
  add_job(master, "1", &job, NULL);
  CHECK_OK(swarm_job_finish(kept_job(&kept, 0), swarm_result_fail_permanently("hopeless"), NULL, &error));
  UNTIL_STATS(master, stats.failures == 1);
  /* The same, waited for; and another attempt, waited for. */
  add_job(master, "2", &job, NULL);
  CHECK_OK(finish_and_wait(kept_job(&kept, 1), swarm_result_retry("again", 1), &error));
  CHECK(swarm_job_details(kept_job(&kept, 2))->attempt == 2);
  CHECK_OK(finish_and_wait(kept_job(&kept, 2), swarm_result_fail_permanently("again"), &error));
  UNTIL_STATS(master, stats.failures == 2 && stats.retries == 1);
  CHECK(swarm_worker_free(kept.worker) == SWARM_OK);
  end();
}

static void one_job_of_a_resource_runs_at_a_time(void) {
  begin("resource");
  keeper kept;
  keeper_start(&kept, options);
  swarm_job_options job = SWARM_JOB_OPTIONS_INIT;
  job.resource = "printer";
  add_job(master, "1", &job, NULL);
  add_job(master, "2", &job, NULL);
  UNTIL_STATS(master, stats.active == 1 && stats.blocked == 1);
  CHECK_OK(swarm_job_finish(kept_job(&kept, 0), swarm_result_complete(swarm_bytes_of("1"), SWARM_CONTENT_JSON), NULL, &error));
  CHECK(swarm_job_payload(kept_job(&kept, 1)).data[0] == '2');
  CHECK_OK(swarm_job_finish(kept.jobs[1], swarm_result_complete(swarm_bytes_of("1"), SWARM_CONTENT_JSON), NULL, &error));
  CHECK(swarm_worker_free(kept.worker) == SWARM_OK);
  end();
}

static void groups_take_turns(void) {
  begin("groups");
  swarm_job_options job = SWARM_JOB_OPTIONS_INIT;
  job.group = "a";
  for (int i = 0; i < 3; i++) add_job(master, "1", &job, NULL);
  job.group = "b";
  job.weight = 2;
  add_job(master, "2", &job, NULL);
  keeper kept;
  one_slot(&kept);
  for (long i = 0; i < 4; i++) {
    swarm_job *assigned = kept_job(&kept, i);
    CHECK_TEXT(i == 1 ? "b" : "a", swarm_job_details(assigned)->group);
    CHECK_OK(swarm_job_finish(assigned, swarm_result_complete(swarm_bytes_of("1"), SWARM_CONTENT_JSON), NULL, &error));
  }
  CHECK(swarm_worker_free(kept.worker) == SWARM_OK);
  end();
}

static void attached_jobs_finish_with_the_outcome_of_the_first(void) {
  begin("attached");
  keeper kept;
  keeper_start(&kept, options);
  swarm_job_options job = SWARM_JOB_OPTIONS_INIT;
  job.unique = "report";
  job.on_conflict = SWARM_ON_CONFLICT_ATTACH;
  job.result = true;
  char first[257], second[257];
  add_job(master, "1", &job, first);
  add_job(master, "2", &job, second);
  UNTIL_STATS(master, stats.active == 1 && stats.blocked == 1);
  CHECK_OK(swarm_job_finish(kept_job(&kept, 0), swarm_result_complete(swarm_bytes_of("42"), SWARM_CONTENT_JSON), NULL, &error));
  swarm_call *outcome = NULL;
  CHECK_OK(answered(swarm_master_result(master, second), DEADLINE_MS, &outcome, &error));
  CHECK(swarm_outcome_details(swarm_call_outcome(outcome, 0))->result.len == 2 && counter_get(&kept.added) == 1);
  swarm_call_free(outcome);
  CHECK(swarm_worker_free(kept.worker) == SWARM_OK);
  end();
}

/* Adds a job; its id is `id`, and it existed or was replaced. */
static void check_added(const char *payload, const swarm_job_options *job, const char *id, bool existed, bool replaced) {
  swarm_call *added = NULL;
  CHECK_OK(answered(swarm_master_add(master, swarm_bytes_of(payload), job), DEADLINE_MS, &added, &error));
  CHECK(strcmp(swarm_call_id(added, 0), id) == 0);
  CHECK(swarm_call_existed(added, 0) == existed && swarm_call_replaced(added, 0) == replaced);
  swarm_call_free(added);
}

static void a_unique_key_is_that_of_one_job(void) {
  begin("unique");
  swarm_job_options job = SWARM_JOB_OPTIONS_INIT;
  job.unique = "report";
  job.id = "first";
  check_added("1", &job, "first", false, false);
  job.id = NULL;
  check_added("2", &job, "first", true, false);
  job.on_conflict = SWARM_ON_CONFLICT_REPLACE;
  job.unique_until = SWARM_UNTIL_START;
  check_added("3", &job, "first", true, true);
  keeper kept;
  keeper_start(&kept, options);
  CHECK(swarm_job_payload(kept_job(&kept, 0)).data[0] == '3');
  job.id = "second";
  job.unique_until = 60000;
  check_added("4", &job, "second", false, false);
  CHECK(swarm_job_payload(kept_job(&kept, 1)).data[0] == '4');
  for (size_t i = 0; i < 2; i++) {
    CHECK_OK(swarm_job_finish(kept.jobs[i], swarm_result_complete(swarm_bytes_of("1"), SWARM_CONTENT_JSON), NULL, &error));
  }
  UNTIL_STATS(master, stats.completed == 2);
  job.id = NULL;
  check_added("5", &job, "second", true, false);
  /* Each add delays it again, until its longest wait is over. */
  job = (swarm_job_options)SWARM_JOB_OPTIONS_INIT;
  job.unique = "index";
  job.debounce = 40;
  job.max_wait = 200;
  job.id = "debounced";
  check_added("6", &job, "debounced", false, false);
  job.id = NULL;
  check_added("7", &job, "debounced", true, true);
  CHECK(swarm_job_payload(kept_job(&kept, 2)).data[0] == '7');
  CHECK_OK(swarm_job_finish(kept.jobs[2], swarm_result_complete(swarm_bytes_of("1"), SWARM_CONTENT_JSON), NULL, &error));
  CHECK(swarm_worker_free(kept.worker) == SWARM_OK);
  end();
}

static void ephemeral_jobs_are_deleted_with_their_master(void) {
  begin("ephemeral");
  swarm_master *leaving = start_master(options);
  swarm_job_options job = SWARM_JOB_OPTIONS_INIT;
  job.ephemeral = true;
  add_job(leaving, "1", &job, NULL);
  add_job(leaving, "2", NULL, NULL);
  CHECK_OK(swarm_call_end(swarm_master_close(leaving), DEADLINE_MS, &error));
  CHECK(swarm_master_free(leaving) == SWARM_OK);
  keeper kept;
  one_slot(&kept);
  CHECK(swarm_job_payload(kept_job(&kept, 0)).data[0] == '2');
  CHECK_OK(swarm_job_finish(kept.jobs[0], swarm_result_complete(swarm_bytes_of("1"), SWARM_CONTENT_JSON), NULL, &error));
  UNTIL_STATS(master, stats.deleted == 1 && stats.waiting == 0 && stats.active == 0);
  CHECK(swarm_worker_free(kept.worker) == SWARM_OK);
  end();
}

static void jobs_move_to_a_worker_that_asks_for_its_share(void) {
  begin("moved");
  keeper first, joined;
  keeper_start(&first, options);
  swarm_job_options job = SWARM_JOB_OPTIONS_INIT;
  swarm_new_job jobs[10];
  for (int i = 0; i < 10; i++) jobs[i] = (swarm_new_job){swarm_bytes_of("1"), &job};
  CHECK_OK(swarm_call_end(swarm_master_add_many(master, jobs, 10), DEADLINE_MS, &error));
  kept_job(&first, 9);
  swarm_options_set(options, "rebalance", "true");
  keeper_start(&joined, options);
  CHECK(counter_reaches(&first.deleted, 5) && first.reason == SWARM_DELETE_MOVED);
  bool moved[10];
  for (int i = 0; i < 10; i++) {
    moved[i] = swarm_job_cancelled(first.jobs[i]);
    if (moved[i]) CHECK_OK(swarm_job_finish(first.jobs[i], swarm_result_stopped(), NULL, &error));
  }
  /* The first still has its half, so the others go to the worker that has fewer. */
  for (long i = 0; i < 5; i++) CHECK_OK(swarm_job_finish(kept_job(&joined, i), swarm_result_complete(swarm_bytes_of("1"), SWARM_CONTENT_JSON), NULL, &error));
  for (int i = 0; i < 10; i++) {
    if (!moved[i]) CHECK_OK(swarm_job_finish(first.jobs[i], swarm_result_complete(swarm_bytes_of("1"), SWARM_CONTENT_JSON), NULL, &error));
  }
  UNTIL_STATS(master, stats.completed == 10 && stats.active == 0);
  CHECK(swarm_worker_free(first.worker) == SWARM_OK);
  CHECK(swarm_worker_free(joined.worker) == SWARM_OK);
  end();
}

static void less_durable_than_asked_for_is_an_error(void) {
  begin("durable");
  swarm_job_options job = SWARM_JOB_OPTIONS_INIT;
  job.durability = SWARM_DURABILITY_REPLICA;
  CHECK_STATUS(SWARM_ERR_NOT_DURABLE, swarm_call_end(swarm_master_add(master, swarm_bytes_of("1"), &job), DEADLINE_MS, &error));
  /* It was added all the same. */
  UNTIL_STATS(master, stats.waiting == 1);
  end();
}

static void values_out_of_bounds_are_refused(void) {
  begin("bounds");
  char longest[258];
  memset(longest, 'x', 257);
  longest[257] = 0;
  swarm_header nameless[] = {{NULL, "x"}}, bad_text[] = {{"x", "\xff"}}, large[] = {{"x", NULL}};
  char *value = calloc(40000, 1);
  CHECK(value != NULL);
  memset(value, 'v', 39999);
  large[0].value = value;
#define REFUSED_WITH(status, field, bad) \
  do { \
    swarm_job_options job = SWARM_JOB_OPTIONS_INIT; \
    job.field = (bad); \
    if (sizeof job.field == sizeof(void *)) job.header_count = job.headers == NULL ? 0 : 1; \
    CHECK_STATUS(status, swarm_call_end(swarm_master_add(master, swarm_bytes_of("1"), &job), DEADLINE_MS, &error)); \
  } while (0)
#define REFUSED(field, bad) REFUSED_WITH(SWARM_ERR_INVALID_ARGUMENT, field, bad)
  REFUSED(priority, 9007199254740993);
  REFUSED(priority, -9007199254740993);
  REFUSED(retries, 201);
  REFUSED(delay, UINT64_MAX);
  REFUSED(run_at, UINT64_MAX);
  REFUSED(backoff, 2);
  REFUSED(backoff, -1);
  REFUSED(backoff_jitter, 1.5);
  REFUSED(backoff_delay, UINT64_MAX - 1);
  REFUSED(backoff_max, UINT64_MAX - 1);
  REFUSED(durability, 3);
  /* 0 is no default. */
  REFUSED(result_ttl, 0);
  REFUSED(assign_timeout, UINT64_MAX - 1);
  REFUSED(run_timeout, UINT64_MAX - 1);
  REFUSED(total_timeout, UINT64_MAX - 1);
  REFUSED(task, "a\nb");
  REFUSED(task, "\xff");
  REFUSED(resource, "a\nb");
  REFUSED(unique, "a\nb");
  REFUSED(unique, "");
  REFUSED(unique_until, SWARM_UNTIL_START);
  REFUSED(on_conflict, 4);
  REFUSED(on_conflict, SWARM_ON_CONFLICT_REPLACE);
  REFUSED(debounce, 50);
  REFUSED(max_wait, 50);
  REFUSED(headers, nameless);
  REFUSED(headers, bad_text);
  REFUSED_WITH(SWARM_ERR_TOO_LARGE, headers, large);
  REFUSED_WITH(SWARM_ERR_TOO_LARGE, task, longest);
  swarm_job_options job = SWARM_JOB_OPTIONS_INIT;
  job.header_count = 1;
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, swarm_call_end(swarm_master_add(master, swarm_bytes_of("1"), &job), DEADLINE_MS, &error));
  job.header_count = 0;
  job.delay = job.run_at = 1;
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, swarm_call_end(swarm_master_add(master, swarm_bytes_of("1"), &job), DEADLINE_MS, &error));
  free(value);
  swarm_stats stats = {0};
  CHECK_OK(stats_of(swarm_master_member(master), DEADLINE_MS, &stats, &error));
  CHECK(stats.added == 0);
  end();
}

int main(void) {
  RUN(a_job_shows_the_options_it_was_added_with);
  RUN(a_program_of_an_older_header_passes_smaller_structs);
  RUN(higher_priorities_go_first);
  RUN(delayed_jobs_come_when_they_are_due);
  RUN(each_timeout_has_its_status);
  RUN(failed_attempts_are_repeated_after_their_backoff);
  RUN(a_job_can_fail_permanently);
  RUN(one_job_of_a_resource_runs_at_a_time);
  RUN(groups_take_turns);
  RUN(attached_jobs_finish_with_the_outcome_of_the_first);
  RUN(a_unique_key_is_that_of_one_job);
  RUN(ephemeral_jobs_are_deleted_with_their_master);
  RUN(jobs_move_to_a_worker_that_asks_for_its_share);
  RUN(less_durable_than_asked_for_is_an_error);
  RUN(values_out_of_bounds_are_refused);
  return 0;
}
