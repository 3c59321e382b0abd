/* user_data is destroyed exactly once, in every way that a call can go; jobs may outlive their worker. */
#include <dirent.h>

#include "support.h"

static swarm_options *options;

static void replaced_callbacks_are_destroyed_at_once(void) {
  counter first = COUNTER_INIT, second = COUNTER_INIT;
  swarm_worker *worker = new_worker(options);
  swarm_worker_on_add(worker, echo, &first, count_destroy);
  CHECK(counter_get(&first) == 0);
  swarm_worker_on_add(worker, echo, &second, count_destroy);
  CHECK(counter_get(&first) == 1 && counter_get(&second) == 0);
  /* NULL does not remove it, but the data passed with it is not kept. */
  counter ignored = COUNTER_INIT;
  swarm_worker_on_add(worker, NULL, &ignored, count_destroy);
  CHECK(counter_get(&ignored) == 1 && counter_get(&second) == 0);
  CHECK(swarm_worker_free(worker) == SWARM_OK);
  CHECK(counter_get(&first) == 1 && counter_get(&second) == 1);
}

static void ignore_delete(void *user_data, swarm_job *job, swarm_delete_reason reason) {
  (void)user_data, (void)job, (void)reason;
}

static void ignore_ready(void *user_data, const char *incarnation) { (void)user_data, (void)incarnation; }

static void ignore_error(void *user_data, const swarm_error *error) { (void)user_data, (void)error; }

static void freeing_destroys_every_callback(void) {
  counter destroyed = COUNTER_INIT;
  swarm_worker *worker = new_worker(options);
  swarm_worker_on_add(worker, echo, &destroyed, count_destroy);
  swarm_worker_on_delete(worker, ignore_delete, &destroyed, count_destroy);
  swarm_member_on_ready(swarm_worker_member(worker), ignore_ready, &destroyed, count_destroy);
  swarm_member_on_close(swarm_worker_member(worker), ignore_error, &destroyed, count_destroy);
  swarm_member_on_error(swarm_worker_member(worker), ignore_error, &destroyed, count_destroy);
  start_worker(worker);
  CHECK(counter_get(&destroyed) == 0);
  CHECK(swarm_worker_free(worker) == SWARM_OK);
  CHECK(counter_get(&destroyed) == 5);

  counter of_master = COUNTER_INIT;
  swarm_master *master = start_master(options);
  swarm_member_on_ready(swarm_master_member(master), ignore_ready, &of_master, count_destroy);
  swarm_member_on_close(swarm_master_member(master), ignore_error, &of_master, count_destroy);
  swarm_member_on_error(swarm_master_member(master), ignore_error, &of_master, count_destroy);
  CHECK(counter_get(&of_master) == 0);
  /* NULL removes a callback, and the data passed with it is not kept. */
  counter removed = COUNTER_INIT;
  swarm_member_on_error(swarm_master_member(master), NULL, &removed, count_destroy);
  CHECK(counter_get(&of_master) == 1 && counter_get(&removed) == 1);
  CHECK(swarm_master_free(master) == SWARM_OK);
  CHECK(counter_get(&of_master) == 3);
}

static void operations_end_once_when_a_master_is_freed_at_once(void) {
  enum { ROUNDS = 20, ADDS = 50 };
  counter destroyed = COUNTER_INIT;
  for (int round = 0; round < ROUNDS; round++) {
    swarm_master *master = NULL;
    CHECK_OK(swarm_master_new(options, &master, &error));
    for (int i = 0; i < ADDS; i++) {
      CHECK_OK(swarm_call_on_done(swarm_master_add(master, swarm_bytes_of("1"), NULL), SWARM_NO_TIMEOUT, NULL, &destroyed, count_destroy, &error));
    }
    CHECK(swarm_master_free(master) == SWARM_OK);
    CHECK(counter_get(&destroyed) == (long)(round + 1) * ADDS);
  }
}

typedef struct {
  counter added;
  swarm_job *job;
} single;

static void keep(void *user_data, swarm_job *job) {
  single *single = user_data;
  single->job = job;
  counter_add(&single->added);
}

static void jobs_outlive_their_worker(void) {
  single keeper = {COUNTER_INIT, NULL};
  swarm_options *own = test_options("outlive");
  swarm_worker *worker = new_worker(own);
  swarm_worker_on_add(worker, keep, &keeper, NULL);
  start_worker(worker);
  swarm_master *master = start_master(own);
  char id[257];
  add_job(master, "\"still here\"", NULL, id);
  CHECK(counter_reaches(&keeper.added, 1));
  CHECK(swarm_worker_free(worker) == SWARM_OK);
  CHECK_TEXT(id, swarm_job_id(keeper.job));
  CHECK(swarm_job_payload(keeper.job).len == 12 && swarm_job_cancelled(keeper.job));
  swarm_error *error = NULL;
  swarm_status status = swarm_job_finish(keeper.job, swarm_result_complete(swarm_bytes_of("1"), SWARM_CONTENT_JSON), NULL, &error);
  CHECK(status == SWARM_ERR_CLOSED);
  swarm_error_free(error);
  swarm_job_free(keeper.job);
  end_master(master);
  swarm_options_free(own);
}

static void given_back(bool terminate_first) {
  single first = {COUNTER_INIT, NULL}, second = {COUNTER_INIT, NULL};
  swarm_options *own = test_options("requeued");
  swarm_worker *worker = new_worker(own), *next = new_worker(own);
  swarm_worker_on_add(worker, keep, &first, NULL);
  swarm_worker_on_add(next, keep, &second, NULL);
  start_worker(worker);
  swarm_master *master = start_master(own);
  char id[257];
  add_job(master, "1", NULL, id);
  CHECK(counter_reaches(&first.added, 1));
  start_worker(next);
  double before = now_ms();
  if (terminate_first) CHECK_OK(swarm_call_on_done(swarm_worker_terminate(worker, 0), SWARM_NO_TIMEOUT, NULL, NULL, NULL, &error));
  CHECK(swarm_worker_free(worker) == SWARM_OK);
  CHECK(counter_reaches(&second.added, 1));
  CHECK(now_ms() - before < 10000);
  CHECK_TEXT(id, swarm_job_id(second.job));
  CHECK(swarm_job_fence(second.job) > swarm_job_fence(first.job));
  swarm_job_free(first.job);
  CHECK_OK(swarm_job_finish(second.job, swarm_result_complete(swarm_bytes_of("1"), SWARM_CONTENT_JSON), NULL, &error));
  CHECK(swarm_worker_free(next) == SWARM_OK);
  end_master(master);
  swarm_options_free(own);
}

/* Freeing a worker requeues its jobs at once, without waiting for its lease. */
static void the_job_of_a_freed_worker_goes_to_another(void) { given_back(false); }
static void the_job_of_a_terminating_worker_goes_to_another(void) { given_back(true); }

/* Threads or descriptors of this process; 0 where the system does not list them. */
static long entries(const char *path) {
  DIR *directory = opendir(path);
  long count = 0;
  if (directory == NULL) return 0;
  while (readdir(directory) != NULL) count++;
  closedir(directory);
  return count;
}

static void members_come_and_go(void) {
  const char *const lists[] = {"/proc/self/task", "/proc/self/fd"};
  long before[2] = {entries(lists[0]), entries(lists[1])};
  for (int i = 0; i < 30; i++) {
    swarm_worker *worker = new_worker(options);
    swarm_worker_on_add(worker, echo, NULL, NULL);
    if (i % 3 > 0) CHECK_OK(swarm_worker_start(worker, &error));
    if (i % 3 > 1) CHECK_OK(swarm_call_end(swarm_member_ready(swarm_worker_member(worker)), DEADLINE_MS, &error));
    CHECK(swarm_worker_free(worker) == SWARM_OK);
  }
  /* With the last member the runtime has ended; the system may list a thread for a moment after it was joined. */
  double until = now_ms() + DEADLINE_MS;
  for (int i = 0; i < 2; i++) {
    while (entries(lists[i]) > before[i]) CHECK(now_ms() < until);
  }
}

int main(void) {
  options = test_options("ownership");
  RUN(replaced_callbacks_are_destroyed_at_once);
  RUN(freeing_destroys_every_callback);
  RUN(operations_end_once_when_a_master_is_freed_at_once);
  RUN(jobs_outlive_their_worker);
  RUN(the_job_of_a_freed_worker_goes_to_another);
  RUN(the_job_of_a_terminating_worker_goes_to_another);
  RUN(members_come_and_go);
  end_master(start_master(options));
  swarm_options_free(options);
  return 0;
}
