/* Slots and pauses of running workers, and jobs that workers add. */
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

static void add_jobs(int count) {
  for (int i = 0; i < count; i++) add_job(master, "1", NULL, NULL);
}

static void complete(swarm_job *job) {
  CHECK_OK(finish_and_wait(job, swarm_result_complete(swarm_bytes_of("1"), SWARM_CONTENT_JSON), &error));
}

/* Waits until the members, as JSON, contain this text. */
static void until_shown(const char *part) {
  double until = now_ms() + DEADLINE_MS;
  for (bool shown = false; !shown;) {
    swarm_call *answer = NULL;
    CHECK(now_ms() < until);
    CHECK_OK(answered(swarm_master_members(master), DEADLINE_MS, &answer, &error));
    shown = strstr(swarm_call_json(answer), part) != NULL;
    swarm_call_free(answer);
  }
}

static void until_paused(swarm_worker *worker, bool paused) {
  double until = now_ms() + DEADLINE_MS;
  while (swarm_worker_paused(worker) != paused) CHECK(now_ms() < until);
}

/* Whether a worker that an order of a master names exists. */
static void check_order(const char *known, swarm_call *call) {
  swarm_call *answer = NULL;
  CHECK_OK(answered(call, DEADLINE_MS, &answer, &error));
  CHECK_TEXT(known, swarm_call_json(answer));
  swarm_call_free(answer);
}

static void a_worker_is_paused_and_has_its_slots_set(void) {
  begin("control");
  keeper kept;
  swarm_options_set(options, "slots", "4");
  keeper_new(&kept, options);
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, swarm_worker_set_slots(kept.worker, 2, &error));
  CHECK(!swarm_worker_paused(kept.worker));
  start_worker(kept.worker);
  add_jobs(1);
  swarm_job *first = kept_job(&kept, 0);
  CHECK_OK(swarm_worker_pause(kept.worker, true, &error));
  CHECK(swarm_worker_paused(kept.worker));
  until_shown("\"paused\":true,\"tasks\":[\"\"],\"active\":1,\"free\":0");
  add_jobs(5);
  complete(first);
  UNTIL_STATS(master, stats.waiting == 5 && stats.active == 0);
  CHECK_OK(swarm_worker_set_slots(kept.worker, 2, &error));
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, swarm_worker_set_slots(kept.worker, 0, &error));
  CHECK_OK(swarm_worker_pause(kept.worker, false, &error));
  until_shown("\"slots\":2,\"paused\":false,\"tasks\":[\"\"],\"active\":2,\"free\":0");
  for (long i = 1; i <= 5; i++) complete(kept_job(&kept, i));
  CHECK(swarm_worker_free(kept.worker) == SWARM_OK);
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, swarm_worker_pause(NULL, true, &error));
  CHECK(!swarm_worker_paused(NULL));
  end();
}

static void a_master_orders_a_worker(void) {
  begin("orders");
  keeper kept;
  keeper_start(&kept, options);
  char worker[64];
  swarm_health health = SWARM_HEALTH_INIT;
  CHECK_OK(swarm_member_health(swarm_worker_member(kept.worker), &health, &error));
  snprintf(worker, sizeof worker, "%s", health.incarnation);
  check_order("true", swarm_master_pause_worker(master, worker, true));
  until_paused(kept.worker, true);
  add_jobs(3);
  check_order("true", swarm_master_set_worker_slots(master, worker, 2));
  check_order("true", swarm_master_pause_worker(master, worker, false));
  until_paused(kept.worker, false);
  until_shown("\"slots\":2,\"paused\":false,\"tasks\":[\"\"],\"active\":2,\"free\":0");
  check_order("false", swarm_master_pause_worker(master, "nobody", true));
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, swarm_call_end(swarm_master_set_worker_slots(master, worker, 0), DEADLINE_MS, &error));
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, swarm_call_end(swarm_master_pause_worker(master, NULL, true), DEADLINE_MS, &error));
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, swarm_call_end(swarm_master_pause_worker(NULL, worker, false), DEADLINE_MS, &error));
  for (long i = 0; i < 3; i++) complete(kept_job(&kept, i));
  CHECK(swarm_worker_free(kept.worker) == SWARM_OK);
  end();
}

typedef struct {
  swarm_worker *worker;
  counter added;
} adder;

/* Adds two jobs of another task, and waits until they are stored. */
static swarm_result *add_two(void *user_data, const swarm_job *job) {
  adder *adding = (adder *)user_data;
  (void)job;
  swarm_job_options part = SWARM_JOB_OPTIONS_INIT;
  part.task = "part";
  part.id = "first";
  swarm_new_job jobs[2] = {{swarm_bytes_of("1"), &part}, {swarm_bytes_of("2"), &part}};
  swarm_call *added = NULL;
  CHECK_OK(answered(swarm_worker_add_many(adding->worker, jobs, 2), DEADLINE_MS, &added, &error));
  CHECK(swarm_call_count(added) == 2 && !swarm_call_existed(added, 0) && swarm_call_existed(added, 1));
  CHECK_TEXT("first", swarm_call_id(added, 1));
  swarm_call_free(added);
  counter_add(&adding->added);
  return swarm_result_complete(swarm_bytes_of("1"), SWARM_CONTENT_JSON);
}

static void a_worker_adds_jobs(void) {
  begin("adds");
  static const counter fresh = COUNTER_INIT;
  adder adding = {new_worker(options), fresh};
  CHECK_OK(swarm_worker_process(adding.worker, "", add_two, &adding, NULL, &error));
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, swarm_call_end(swarm_worker_add(adding.worker, swarm_bytes_of("1"), NULL), DEADLINE_MS, &error));
  start_worker(adding.worker);
  add_jobs(1);
  CHECK(counter_reaches(&adding.added, 1));
  swarm_job_options ephemeral = SWARM_JOB_OPTIONS_INIT;
  ephemeral.ephemeral = true;
  ephemeral.task = "part";
  CHECK_OK(swarm_call_end(swarm_worker_add(adding.worker, swarm_bytes_of("3"), &ephemeral), DEADLINE_MS, &error));
  UNTIL_STATS(master, stats.completed == 1 && stats.waiting == 2);
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, swarm_call_end(swarm_worker_add_many(adding.worker, NULL, 1), DEADLINE_MS, &error));
  CHECK(swarm_worker_free(adding.worker) == SWARM_OK);
  UNTIL_STATS(master, stats.waiting == 1 && stats.added == 3);
  end();
}

int main(void) {
  RUN(a_worker_is_paused_and_has_its_slots_set);
  RUN(a_master_orders_a_worker);
  RUN(a_worker_adds_jobs);
  return 0;
}
