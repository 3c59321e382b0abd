/* Schedules: jobs that the cluster adds by itself. */
#include <inttypes.h>

#include "support.h"

static swarm_options *options;
static swarm_master *master;

/* With a lease so long that members who wait for their next renewal notice a schedule after the deadline. */
static void begin(const char *name) {
  options = test_options(name);
  swarm_options_set(options, "lease", "600000");
  master = start_master(options);
}

static void end(void) {
  end_master(master);
  swarm_options_free(options);
}

static bool info_has(const char *id, const char *part) {
  char json[4096];
  read_json(swarm_master_schedule_info(master, id), json);
  return strstr(json, part) != NULL;
}

#define CHECK_INFO(id, part) \
  do { \
    char json_[4096]; \
    read_json(swarm_master_schedule_info(master, id), json_); \
    if (strstr(json_, part) == NULL) { \
      fprintf(stderr, "%s:%d: no %s in %s\n", __FILE__, __LINE__, part, json_); \
      abort(); \
    } \
  } while (0)

#define UNTIL(condition) \
  do { \
    double until_ = now_ms() + DEADLINE_MS; \
    while (!(condition)) CHECK(now_ms() < until_); \
  } while (0)

/* A number of the schedule; 0 if it is absent. */
static uint64_t info_number(const char *id, const char *field) {
  char json[4096], name[64];
  uint64_t number = 0;
  read_json(swarm_master_schedule_info(master, id), json);
  snprintf(name, sizeof name, "\"%s\":", field);
  const char *at = strstr(json, name);
  if (at != NULL) sscanf(at + strlen(name), "%" SCNu64, &number);
  return number;
}

/* A schedule with this interval. */
static swarm_schedule_options every(uint64_t ms) {
  swarm_schedule_options schedule = SWARM_SCHEDULE_OPTIONS_INIT;
  schedule.every = ms;
  return schedule;
}

#define HOUR ((uint64_t)3600 * 1000)

static swarm_call *set_schedule(const char *id, const swarm_schedule_options *schedule, const char *payload) {
  return swarm_master_schedule(master, id, schedule, swarm_bytes_of(payload), NULL);
}

/* Completes a job and waits until Redis has accepted it. */
static void complete(swarm_job *job) {
  CHECK_OK(finish_and_wait(job, swarm_result_complete(swarm_bytes_of("1"), SWARM_CONTENT_JSON), &error));
}

static void the_same_again_changes_nothing(void) {
  begin("schedules-same");
  swarm_schedule_options schedule = every(HOUR);
  CHECK_JSON("\"created\"", set_schedule("report", &schedule, "1"));
  uint64_t next_at = info_number("report", "next_at");
  CHECK(next_at != 0);
  CHECK_JSON("\"unchanged\"", set_schedule("report", &schedule, "1"));
  /* Another payload or other options: the slots stay. */
  CHECK_JSON("\"changed\"", set_schedule("report", &schedule, "2"));
  CHECK(info_number("report", "next_at") == next_at);
  schedule.overlap = SWARM_OVERLAP_ALLOW;
  schedule.catch_up = SWARM_CATCH_UP_NONE;
  schedule.limit = 7;
  swarm_job_options job = SWARM_JOB_OPTIONS_INIT;
  job.task = "print";
  job.priority = 3;
  CHECK_JSON("\"changed\"", swarm_master_schedule(master, "report", &schedule, swarm_bytes_of("2"), &job));
  CHECK_JSON("\"unchanged\"", swarm_master_schedule(master, "report", &schedule, swarm_bytes_of("2"), &job));
  CHECK(info_number("report", "next_at") == next_at && info_number("report", "limit") == 7);
  CHECK_INFO("report", "\"overlap\":\"allow\"");
  CHECK_INFO("report", "\"catch_up\":\"none\"");
  CHECK_INFO("report", "\"task\":\"print\"");
  CHECK_INFO("report", "\"priority\":3");
  /* Another time: other slots. */
  schedule = every(2 * HOUR);
  CHECK_JSON("\"changed\"", set_schedule("report", &schedule, "2"));
  CHECK(info_number("report", "next_at") > next_at && info_number("report", "every") == 2 * HOUR);
  schedule = every(SWARM_DEFAULT);
  schedule.cron = "30 2 * * MON#1";
  schedule.tz = "Europe/Berlin";
  CHECK_JSON("\"changed\"", set_schedule("report", &schedule, "2"));
  CHECK_INFO("report", "\"cron\":\"30 2 * * MON#1\"");
  CHECK_INFO("report", "\"tz\":\"Europe/Berlin\"");
  end();
}

static void slots_run_as_jobs(void) {
  begin("schedules-every");
  keeper kept;
  swarm_options_set(options, "task", "tick");
  swarm_options_set(options, "slots", "8");
  keeper_start(&kept, options);
  swarm_header headers[] = {{"from", "clock"}};
  swarm_job_options job = SWARM_JOB_OPTIONS_INIT;
  job.task = "tick";
  job.headers = headers;
  job.header_count = 1;
  add_job(master, "1", &job, NULL);
  CHECK(swarm_job_details(kept_job(&kept, 0))->scheduled_for == 0);
  complete(kept.jobs[0]);
  swarm_schedule_options schedule = every(200);
  schedule.overlap = SWARM_OVERLAP_ALLOW;
  schedule.limit = 3;
  CHECK_JSON("\"created\"", swarm_master_schedule(master, "beat", &schedule, swarm_bytes_of("{\"n\":1}"), &job));
  uint64_t slots[3];
  for (long i = 0; i < 3; i++) {
    swarm_job *beat = kept_job(&kept, 1 + i);
    char id[64];
    slots[i] = swarm_job_details(beat)->scheduled_for;
    snprintf(id, sizeof id, "beat@%" PRIu64, slots[i]);
    CHECK_TEXT(id, swarm_job_id(beat));
    /* On a slow machine a slot may be missed, which the default of catch_up leaves out. */
    CHECK(i == 0 || (slots[i] > slots[i - 1] && (slots[i] - slots[0]) % 200 == 0));
    CHECK(swarm_job_payload(beat).len == 7 && memcmp(swarm_job_payload(beat).data, "{\"n\":1}", 7) == 0);
    CHECK_TEXT("clock", swarm_job_header(beat, "from"));
  }
  for (int i = 0; i < 3; i++) complete(kept.jobs[1 + i]);
  /* The limit is reached. */
  CHECK_INFO("beat", "\"ended\":true");
  CHECK(info_number("beat", "added") == 3 && info_number("beat", "last_at") == slots[2] && info_number("beat", "next_at") == 0);
  CHECK(counter_get(&kept.added) == 4);
  CHECK(swarm_worker_free(kept.worker) == SWARM_OK);
  end();
}

static void the_next_job_follows_when_the_one_before_has_finished(void) {
  begin("schedules-after-end");
  keeper kept;
  keeper_start(&kept, options);
  swarm_schedule_options schedule = SWARM_SCHEDULE_OPTIONS_INIT;
  schedule.after_end = 100;
  CHECK_JSON("\"created\"", set_schedule("sweep", &schedule, "1"));
  uint64_t before = swarm_job_details(kept_job(&kept, 0))->scheduled_for;
  CHECK(before != 0 && info_number("sweep", "next_at") == 0);
  /* However it finishes. */
  CHECK_OK(finish_and_wait(kept.jobs[0], swarm_result_fail("broken"), &error));
  uint64_t next = swarm_job_details(kept_job(&kept, 1))->scheduled_for;
  CHECK(next >= before + 100);
  complete(kept.jobs[1]);
  CHECK(swarm_job_details(kept_job(&kept, 2))->scheduled_for >= next + 100);
  CHECK_INFO("sweep", "\"ended\":false");
  CHECK_JSON("true", swarm_master_unschedule(master, "sweep"));
  complete(kept.jobs[2]);
  CHECK(swarm_worker_free(kept.worker) == SWARM_OK);
  end();
}

static void a_slot_is_skipped_while_a_job_runs(void) {
  begin("schedules-skip");
  keeper kept;
  swarm_options_set(options, "slots", "8");
  keeper_start(&kept, options);
  swarm_schedule_options schedule = every(100);
  CHECK_JSON("\"created\"", set_schedule("slow", &schedule, "1"));
  swarm_job *first = kept_job(&kept, 0);
  UNTIL(info_number("slow", "skipped") >= 3);
  CHECK_JSON("null", swarm_master_run_schedule(master, "slow"));
  CHECK(info_number("slow", "added") == 1 && counter_get(&kept.added) == 1);
  complete(first);
  CHECK(swarm_job_details(kept_job(&kept, 1))->scheduled_for != 0);
  CHECK_JSON("true", swarm_master_unschedule(master, "slow"));
  complete(kept.jobs[1]);
  CHECK(swarm_worker_free(kept.worker) == SWARM_OK);
  end();
}

static void one_job_waits_or_takes_the_place_of_the_one_before(void) {
  begin("schedules-overlap");
  keeper kept;
  swarm_options_set(options, "slots", "8");
  keeper_start(&kept, options);
  char json[4096];
  swarm_schedule_options schedule = every(HOUR);
  schedule.overlap = SWARM_OVERLAP_QUEUE_ONE;
  CHECK_JSON("\"created\"", set_schedule("one", &schedule, "1"));
  read_json(swarm_master_run_schedule(master, "one"), json);
  CHECK(kept_job(&kept, 0) != NULL);
  /* One waits; a third is skipped. */
  read_json(swarm_master_run_schedule(master, "one"), json);
  CHECK(strncmp(json, "\"one@", 5) == 0);
  CHECK_JSON("null", swarm_master_run_schedule(master, "one"));
  UNTIL_STATS(master, stats.blocked == 1 && stats.active == 1);
  complete(kept.jobs[0]);
  complete(kept_job(&kept, 1));
  schedule.overlap = SWARM_OVERLAP_REPLACE;
  CHECK_JSON("\"created\"", set_schedule("new", &schedule, "1"));
  read_json(swarm_master_run_schedule(master, "new"), json);
  CHECK(kept_job(&kept, 2) != NULL);
  read_json(swarm_master_run_schedule(master, "new"), json);
  CHECK(counter_reaches(&kept.deleted, 1) && kept.reason == SWARM_DELETE_DELETED && counter_get(&kept.added) == 3);
  CHECK_OK(finish_and_wait(kept.jobs[2], swarm_result_stopped(), &error));
  CHECK(strstr(json, swarm_job_id(kept_job(&kept, 3))) != NULL);
  complete(kept.jobs[3]);
  CHECK(swarm_worker_free(kept.worker) == SWARM_OK);
  end();
}

static void a_schedule_is_paused_run_and_removed(void) {
  begin("schedules-pause");
  char json[4096], again[4096], id[300];
  swarm_schedule_options schedule = every(100);
  schedule.overlap = SWARM_OVERLAP_ALLOW;
  CHECK_JSON("\"created\"", set_schedule("a", &schedule, "1"));
  /* A master is enough to fire. */
  UNTIL(info_number("a", "added") >= 2);
  CHECK_JSON("true", swarm_master_pause_schedule(master, "a", true));
  CHECK_JSON("true", swarm_master_pause_schedule(master, "a", true));
  CHECK_INFO("a", "\"paused\":true");
  uint64_t added = info_number("a", "added"), last_at = info_number("a", "last_at");
  read_json(swarm_master_run_schedule(master, "a"), json);
  CHECK(sscanf(json, "\"%299[^\"]\"", id) == 1 && strncmp(id, "a@", 2) == 0);
  CHECK(info_number("a", "added") == added && info_number("a", "last_at") == last_at);
  snprintf(json, sizeof json, "\"last_job\":\"%s\"", id);
  CHECK(info_has("a", json));
  read_json(swarm_master_run_schedule(master, "a"), json);
  read_json(swarm_master_run_schedule(master, "a"), again);
  CHECK(strcmp(json, again) != 0);
  /* A change does not resume it. */
  schedule.every = 150;
  CHECK_JSON("\"changed\"", set_schedule("a", &schedule, "1"));
  CHECK_INFO("a", "\"paused\":true");
  CHECK_JSON("true", swarm_master_pause_schedule(master, "a", false));
  CHECK_INFO("a", "\"paused\":false");
  UNTIL(info_number("a", "added") > added);
  CHECK(info_number("a", "last_at") > last_at);
  CHECK_JSON("true", swarm_master_unschedule(master, "a"));
  CHECK_JSON("false", swarm_master_unschedule(master, "a"));
  CHECK_JSON("", swarm_master_schedule_info(master, "a"));
  CHECK_JSON("false", swarm_master_pause_schedule(master, "a", true));
  CHECK_JSON("false", swarm_master_pause_schedule(master, "a", false));
  /* Its jobs stay. */
  read_json(swarm_master_job(master, id), json);
  CHECK(strstr(json, "\"state\":\"waiting\"") != NULL);
  end();
}

static void pages_follow_one_another(void) {
  begin("schedules-pages");
  CHECK_JSON("{\"schedules\":[],\"next\":null}", swarm_master_schedules(master, NULL, 1));
  static const char *const ids[] = {"a", "b", "c"};
  swarm_schedule_options schedule = every(HOUR);
  for (int i = 0; i < 3; i++) CHECK_JSON("\"created\"", set_schedule(ids[2 - i], &schedule, "1"));
  char json[4096], after[256] = "", part[64];
  for (int i = 0; i < 3; i++) {
    read_json(swarm_master_schedules(master, i == 0 ? NULL : after, 1), json);
    snprintf(part, sizeof part, "\"id\":\"%s\"", ids[i]);
    CHECK(strstr(json, part) != NULL);
    const char *next = strstr(json, "\"next\":\"");
    CHECK(i == 2 || (next != NULL && sscanf(next, "\"next\":\"%255[^\"]\"", after) == 1));
  }
  read_json(swarm_master_schedules(master, NULL, 1000), json);
  CHECK(strstr(json, "\"id\":\"a\"") != NULL && strstr(json, "\"id\":\"c\"") != NULL && strstr(json, "\"next\":null") != NULL);
  end();
}

/* The call is refused, with a message that has these parts. */
static void check_refused_as(swarm_status expected, const char *part, swarm_call *call) {
  swarm_error *error = NULL;
  swarm_status status = swarm_call_end(call, DEADLINE_MS, &error);
  if (status != expected || strstr(swarm_error_message(error), part) == NULL) {
    fprintf(stderr, "%s: %s, not %s with %s\n", swarm_status_name(status), swarm_error_message(error), swarm_status_name(expected), part);
    abort();
  }
  swarm_error_free(error);
}

static void check_refused(const char *part, swarm_call *call) { check_refused_as(SWARM_ERR_INVALID_ARGUMENT, part, call); }

static void wrong_times_and_options_are_named(void) {
  begin("schedules-refused");
  const swarm_schedule_options none = SWARM_SCHEDULE_OPTIONS_INIT, good = every(HOUR);
  swarm_schedule_options bad;
#define REFUSED(field, ...) \
  do { \
    __VA_ARGS__; \
    check_refused(field, set_schedule("a", &bad, "1")); \
  } while (0)
  REFUSED("cron, every and after_end, not 0", bad = none);
  REFUSED("cron, every and after_end, not 2", bad = good, bad.cron = "@daily");
  REFUSED("cron, every and after_end, not 2", bad = good, bad.after_end = HOUR);
  REFUSED("cron expression `* * * *`", bad = none, bad.cron = "* * * *");
  REFUSED("field 2 (`24`, hour)", bad = none, bad.cron = "0 24 * * *");
  REFUSED("cron", bad = none, bad.cron = "\xff");
  REFUSED("cron", bad = none, bad.cron = "");
  REFUSED("every", bad = every(99));
  REFUSED("every", bad = every(367 * 24 * HOUR));
  REFUSED("after_end", bad = none, bad.after_end = 0);
  REFUSED("no start", bad = none, bad.after_end = HOUR, bad.start = 1);
  REFUSED("no end", bad = none, bad.after_end = HOUR, bad.end = 1);
  REFUSED("no jitter", bad = none, bad.after_end = HOUR, bad.jitter = 1);
  REFUSED("zone `Mars/Base`", bad = good, bad.tz = "Mars/Base");
  REFUSED("tz", bad = good, bad.tz = "\xff");
  REFUSED("start", bad = good, bad.start = UINT64_MAX - 1);
  REFUSED("end", bad = good, bad.start = 2, bad.end = 1);
  REFUSED("limit", bad = good, bad.limit = 0);
  REFUSED("jitter", bad = good, bad.jitter = 24 * HOUR + 1);
  REFUSED("4 is not a swarm_overlap", bad = good, bad.overlap = 4);
  REFUSED("-1 is not a swarm_overlap", bad = good, bad.overlap = -1);
  REFUSED("3 is not a swarm_catch_up", bad = good, bad.catch_up = 3);
  REFUSED("struct_size of `schedule`", bad = good, bad.struct_size = 0);
  /* A program that was compiled with an older header has fewer fields. */
  bad = good;
  bad.overlap = 9;
  bad.struct_size = offsetof(swarm_schedule_options, overlap);
  CHECK_JSON("\"created\"", set_schedule("old", &bad, "1"));
  CHECK_INFO("old", "\"overlap\":\"skip\"");
  CHECK_JSON("true", swarm_master_unschedule(master, "old"));

  check_refused("`schedule` is NULL", set_schedule("a", NULL, "1"));
  check_refused("`id` is NULL", set_schedule(NULL, &good, "1"));
  check_refused("schedule id", set_schedule("", &good, "1"));
  check_refused("schedule id", set_schedule("a\nb", &good, "1"));
  char longest[202];
  memset(longest, 'x', 201);
  longest[201] = 0;
  check_refused_as(SWARM_ERR_TOO_LARGE, "schedule id", set_schedule(longest, &good, "1"));
  longest[200] = 0;
  CHECK_JSON("\"created\"", set_schedule(longest, &good, "1"));
  CHECK_JSON("true", swarm_master_unschedule(master, longest));
  check_refused("payload", set_schedule("a", &good, "{"));

  /* The schedule sets when a job starts, and its id. */
  swarm_job_options job;
  const swarm_job_options plain = SWARM_JOB_OPTIONS_INIT;
#define JOB_REFUSED(field, ...) \
  do { \
    __VA_ARGS__; \
    check_refused(field, swarm_master_schedule(master, "a", &good, swarm_bytes_of("1"), &job)); \
  } while (0)
  JOB_REFUSED("id", job = plain, job.id = "mine");
  JOB_REFUSED("delay", job = plain, job.delay = 1000);
  JOB_REFUSED("run_at", job = plain, job.run_at = 1000);
  JOB_REFUSED("durability", job = plain, job.durability = SWARM_DURABILITY_FSYNC);
  JOB_REFUSED("ephemeral", job = plain, job.ephemeral = true);
  JOB_REFUSED("retries", job = plain, job.retries = 201);
  JOB_REFUSED("struct_size of `options`", job = plain, job.struct_size = 0);
  bad = good;
  bad.overlap = SWARM_OVERLAP_REPLACE;
  job = plain;
  job.resource = "disk";
  check_refused("resource", swarm_master_schedule(master, "a", &bad, swarm_bytes_of("1"), &job));

  check_refused("there is no schedule `a`", swarm_master_run_schedule(master, "a"));
  check_refused("`id` is NULL", swarm_master_unschedule(master, NULL));
  check_refused("`id` is NULL", swarm_master_pause_schedule(master, NULL, true));
  check_refused("`id` is NULL", swarm_master_run_schedule(master, NULL));
  check_refused("`id` is NULL", swarm_master_schedule_info(master, NULL));
  check_refused("schedule id", swarm_master_schedule_info(master, ""));
  check_refused("limit", swarm_master_schedules(master, NULL, 0));
  check_refused("limit", swarm_master_schedules(master, NULL, 1001));
  check_refused("after", swarm_master_schedules(master, "\xff", 1));
  /* None of them set anything. */
  CHECK_JSON("{\"schedules\":[],\"next\":null}", swarm_master_schedules(master, NULL, 10));
  end();
}

int main(void) {
  RUN(the_same_again_changes_nothing);
  RUN(slots_run_as_jobs);
  RUN(the_next_job_follows_when_the_one_before_has_finished);
  RUN(a_slot_is_skipped_while_a_job_runs);
  RUN(one_job_waits_or_takes_the_place_of_the_one_before);
  RUN(a_schedule_is_paused_run_and_removed);
  RUN(pages_follow_one_another);
  RUN(wrong_times_and_options_are_named);
  return 0;
}
