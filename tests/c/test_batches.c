/* Callbacks for several jobs at once. */
#include <poll.h>

#include "support.h"

static swarm_options *options;
static swarm_master *master;

static void begin(const char *name) {
  options = test_options(name);
  master = start_master(options);
}

static void end(swarm_worker *worker) {
  CHECK(swarm_worker_free(worker) == SWARM_OK);
  end_master(master);
  swarm_options_free(options);
}

/* Keeps the jobs of each batch: their ids in order, separated by commas, and the jobs themselves. */
typedef struct {
  counter begun, deleted, destroyed;
  char ids[16][256];
  swarm_job *jobs[16][16];
  size_t counts[16];
} batches;

static void keep_batch(void *user_data, swarm_job *const *jobs, size_t count) {
  batches *kept = user_data;
  long at = counter_get(&kept->begun);
  CHECK(at < 16 && count > 0 && count <= 16);
  kept->counts[at] = count;
  for (size_t i = 0; i < count; i++) {
    size_t used = strlen(kept->ids[at]);
    snprintf(kept->ids[at] + used, sizeof kept->ids[at] - used, "%s%s", i ? "," : "", swarm_job_id(jobs[i]));
    kept->jobs[at][i] = jobs[i];
  }
  counter_add(&kept->begun);
}

static void count_delete(void *user_data, swarm_job *job, swarm_delete_reason reason) {
  batches *kept = user_data;
  CHECK(swarm_job_cancelled(job) && reason == SWARM_DELETE_DELETED);
  counter_add(&kept->deleted);
}

static void destroy_batches(void *user_data) { counter_add(&((batches *)user_data)->destroyed); }

static void process_batches(swarm_worker *worker, const char *task, uint64_t size, uint64_t wait_ms, batches *kept) {
  swarm_batch_options batch = SWARM_BATCH_OPTIONS_INIT;
  batch.size = size;
  batch.wait_ms = wait_ms;
  CHECK_OK(swarm_worker_process_batches(worker, task, &batch, keep_batch, kept, destroy_batches, &error));
}

static void add(const char *id, const char *task) {
  swarm_job_options job = SWARM_JOB_OPTIONS_INIT;
  job.id = id;
  job.task = task;
  job.result = true;
  add_job(master, "1", &job, NULL);
}

static void check_batch(batches *kept, long at, const char *ids) {
  CHECK(counter_reaches(&kept->begun, at + 1));
  CHECK_TEXT(ids, kept->ids[at]);
}

static void complete(swarm_job *job) {
  CHECK_OK(finish_and_wait(job, swarm_result_complete(swarm_bytes_of("1"), SWARM_CONTENT_JSON), &error));
}

static void complete_batch(batches *kept, long at) {
  for (size_t i = 0; i < kept->counts[at]; i++) complete(kept->jobs[at][i]);
}

static void a_batch_is_full_or_its_wait_is_over(void) {
  begin("batches");
  batches kept = {0}, timed = {0};
  swarm_worker *worker = new_worker(options);
  process_batches(worker, NULL, 2, 60000, &kept);
  process_batches(worker, "timed", 2, 50, &timed);
  start_worker(worker);
  add("a", NULL);
  add("t", "timed");
  check_batch(&timed, 0, "t");
  UNTIL_STATS(master, stats.active == 2);
  CHECK(counter_get(&kept.begun) == 0);
  add("b", NULL);
  check_batch(&kept, 0, "a,b");
  complete_batch(&kept, 0);
  complete_batch(&timed, 0);
  UNTIL_STATS(master, stats.completed == 3 && stats.active == 0);
  end(worker);
  CHECK(counter_get(&kept.destroyed) == 1 && counter_get(&timed.destroyed) == 1);
}

static void a_batch_has_the_jobs_of_one_task_that_are_there(void) {
  begin("batches-there");
  batches kept = {0};
  for (int i = 0; i < 5; i++) add((const char *[]){"a", "b", "c", "d", "e"}[i], i == 1 ? "t" : NULL);
  swarm_options_set(options, "task", "t");
  swarm_options_set(options, "task", "");
  swarm_worker *worker = new_worker(options);
  /* The callback of the rest has the jobs of several tasks, each batch those of one. */
  process_batches(worker, NULL, 3, 200, &kept);
  start_worker(worker);
  check_batch(&kept, 0, "a,c,d");
  CHECK(counter_reaches(&kept.begun, 3));
  CHECK(strcmp(kept.ids[1], "b") == 0 || strcmp(kept.ids[1], "e") == 0);
  CHECK(strcmp(kept.ids[2], "b") == 0 || strcmp(kept.ids[2], "e") == 0);
  for (int i = 0; i < 3; i++) complete_batch(&kept, i);
  UNTIL_STATS(master, stats.completed == 5);
  end(worker);
}

static void add_to_group(const char *id, const char *group) {
  swarm_job_options job = SWARM_JOB_OPTIONS_INIT;
  job.id = id;
  job.group = group;
  add_job(master, "1", &job, NULL);
}

static void a_batch_by_group_has_the_jobs_of_one_group(void) {
  begin("batches-group");
  batches kept = {0};
  swarm_worker *worker = new_worker(options);
  swarm_batch_options batch = SWARM_BATCH_OPTIONS_INIT;
  batch.size = 2;
  batch.wait_ms = 60000;
  batch.by = SWARM_BATCH_BY_GROUP;
  CHECK_OK(swarm_worker_process_batches(worker, NULL, &batch, keep_batch, &kept, destroy_batches, &error));
  start_worker(worker);
  add_to_group("x1", "x");
  add_to_group("y1", "y");
  add_to_group("1", NULL);
  add_to_group("y2", "y");
  check_batch(&kept, 0, "y1,y2");
  add_to_group("2", NULL);
  check_batch(&kept, 1, "1,2");
  add_to_group("x2", "x");
  check_batch(&kept, 2, "x1,x2");
  for (int i = 0; i < 3; i++) complete_batch(&kept, i);
  UNTIL_STATS(master, stats.completed == 6);
  end(worker);
}

static void each_job_has_its_own_outcome(void) {
  begin("batches-outcomes");
  batches kept = {0};
  swarm_worker *worker = new_worker(options);
  swarm_worker_on_delete(worker, count_delete, &kept, NULL);
  process_batches(worker, NULL, 4, 60000, &kept);
  start_worker(worker);
  for (int i = 0; i < 4; i++) add((const char *[]){"a", "b", "c", "d"}[i], NULL);
  check_batch(&kept, 0, "a,b,c,d");
  swarm_job **jobs = kept.jobs[0];
  complete(jobs[0]);
  CHECK_OK(finish_and_wait(jobs[1], swarm_result_fail_permanently("no"), &error));
  UNTIL_STATS(master, stats.completed == 1 && stats.failed == 1 && stats.active == 2);
  /* One is deleted in the batch, with its pointer; it keeps its slot until its owner frees it. */
  CHECK_OK(delete_jobs(swarm_master_member(master), (const char *const[]){"c"}, 1, DEADLINE_MS, NULL, &error));
  CHECK(counter_reaches(&kept.deleted, 1) && swarm_job_cancelled(jobs[2]));
  UNTIL_STATS(master, stats.deleting == 1);
  swarm_job_free(jobs[2]);
  UNTIL_STATS(master, stats.deleting == 0 && stats.active == 1);
  CHECK_OK(finish_and_wait(jobs[3], swarm_result_release(), &error));
  /* Assigned again, it waits for others. */
  UNTIL_STATS(master, stats.active == 1);
  CHECK(counter_get(&kept.begun) == 1);
  end(worker);
}

static void waiting_jobs_are_deleted_or_requeued(void) {
  begin("batches-waiting");
  batches kept = {0};
  swarm_worker *worker = new_worker(options);
  swarm_worker_on_delete(worker, count_delete, &kept, NULL);
  process_batches(worker, NULL, 3, 60000, &kept);
  start_worker(worker);
  add("a", NULL);
  UNTIL_STATS(master, stats.active == 1);
  CHECK_OK(delete_jobs(swarm_master_member(master), (const char *const[]){"a"}, 1, DEADLINE_MS, NULL, &error));
  UNTIL_STATS(master, stats.active == 0 && stats.deleting == 0);
  add("b", NULL);
  add("c", NULL);
  UNTIL_STATS(master, stats.active == 2);
  CHECK_OK(swarm_call_end(swarm_worker_drain(worker), DEADLINE_MS, &error));
  UNTIL_STATS(master, stats.waiting == 2 && stats.active == 0);
  CHECK(counter_get(&kept.begun) == 0 && counter_get(&kept.deleted) == 0);
  CHECK(swarm_worker_free(worker) == SWARM_OK);
  /* A worker that is terminated while a batch waits requeues its jobs, too. */
  worker = new_worker(options);
  process_batches(worker, NULL, 3, 60000, &kept);
  start_worker(worker);
  UNTIL_STATS(master, stats.active == 2);
  CHECK_OK(swarm_call_end(swarm_worker_terminate(worker, 10000), DEADLINE_MS, &error));
  UNTIL_STATS(master, stats.waiting == 2 && stats.active == 0);
  CHECK(counter_get(&kept.begun) == 0);
  end(worker);
}

static swarm_result *ignore(void *user_data, const swarm_job *job) {
  (void)job;
  counter_add(user_data);
  return swarm_result_complete(swarm_bytes_of("1"), SWARM_CONTENT_JSON);
}

static void a_callback_is_replaced_while_jobs_wait_for_it(void) {
  begin("batches-replaced");
  batches kept = {0};
  counter run = COUNTER_INIT;
  swarm_worker *worker = new_worker(options);
  process_batches(worker, NULL, 2, 500, &kept);
  start_worker(worker);
  add("a", NULL);
  UNTIL_STATS(master, stats.active == 1);
  CHECK_OK(swarm_worker_process(worker, NULL, ignore, &run, NULL, &error));
  CHECK(counter_reaches(&run, 1) && counter_get(&kept.begun) == 0);
  end(worker);
}

/* The wait ends on a thread of the program, too. */
static void batches_start_on_the_polling_thread(void) {
  begin("batches-polled");
  batches kept = {0};
  swarm_worker *worker = new_worker(options);
  int fd = -1;
  CHECK_OK(swarm_member_fd(swarm_worker_member(worker), &fd, &error));
  process_batches(worker, NULL, 2, 50, &kept);
  CHECK_OK(swarm_worker_start(worker, &error));
  add("a", NULL);
  while (counter_get(&kept.begun) == 0) {
    struct pollfd poller = {fd, POLLIN, 0};
    CHECK(poll(&poller, 1, DEADLINE_MS) == 1);
    CHECK_OK(swarm_member_dispatch(swarm_worker_member(worker), &error));
  }
  check_batch(&kept, 0, "a");
  CHECK_OK(swarm_job_finish(kept.jobs[0][0], swarm_result_complete(swarm_bytes_of("1"), SWARM_CONTENT_JSON), NULL, &error));
  UNTIL_STATS(master, stats.completed == 1);
  end(worker);
}

static void values_out_of_bounds_are_refused(void) {
  begin("batches-bounds");
  batches kept = {0};
  swarm_worker *worker = new_worker(options);
  const swarm_batch_options bad[] = {
    SWARM_BATCH_OPTIONS_INIT,
    {sizeof(swarm_batch_options), 1001, 0, SWARM_BATCH_BY_TASK},
    {sizeof(swarm_batch_options), UINT64_MAX, 0, SWARM_BATCH_BY_TASK},
    {sizeof(swarm_batch_options), 1, 60001, SWARM_BATCH_BY_TASK},
    {sizeof(swarm_batch_options), 1, 0, 99},
    {0, 1, 0, SWARM_BATCH_BY_TASK},
  };
  const size_t count = sizeof bad / sizeof *bad;
  for (size_t i = 0; i < count; i++) {
    CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, swarm_worker_process_batches(worker, NULL, &bad[i], keep_batch, &kept, destroy_batches, &error));
  }
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, swarm_worker_process_batches(worker, NULL, NULL, keep_batch, &kept, destroy_batches, &error));
  swarm_batch_options good = SWARM_BATCH_OPTIONS_INIT;
  good.size = 2;
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, swarm_worker_process_batches(worker, NULL, &good, NULL, &kept, destroy_batches, &error));
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, swarm_worker_process_batches(NULL, NULL, &good, keep_batch, &kept, destroy_batches, &error));
  CHECK(counter_get(&kept.destroyed) == (long)count + 3);
  /* Nothing has changed: the worker has no callback. */
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, swarm_worker_start(worker, &error));
  end(worker);
}

int main(void) {
  RUN(a_batch_is_full_or_its_wait_is_over);
  RUN(a_batch_has_the_jobs_of_one_task_that_are_there);
  RUN(a_batch_by_group_has_the_jobs_of_one_group);
  RUN(each_job_has_its_own_outcome);
  RUN(waiting_jobs_are_deleted_or_requeued);
  RUN(a_callback_is_replaced_while_jobs_wait_for_it);
  RUN(batches_start_on_the_polling_thread);
  RUN(values_out_of_bounds_are_refused);
  return 0;
}
