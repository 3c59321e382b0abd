/* What the tests share: waiting for a state with a deadline, and members of a cluster of their own. */
#ifndef SUPPORT_H
#define SUPPORT_H

#include <pthread.h>
#include <stdbool.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

/* Longer than anything takes, also under valgrind on a busy machine. */
#define DEADLINE_MS 60000

/* Counts what happened on other threads. */
typedef struct {
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  long count;
} counter;

#define COUNTER_INIT {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0}

static inline void counter_add(counter *counter) {
  pthread_mutex_lock(&counter->mutex);
  counter->count++;
  pthread_cond_broadcast(&counter->changed);
  pthread_mutex_unlock(&counter->mutex);
}

static inline long counter_get(counter *counter) {
  pthread_mutex_lock(&counter->mutex);
  long count = counter->count;
  pthread_mutex_unlock(&counter->mutex);
  return count;
}

static inline struct timespec deadline(void) {
  struct timespec at;
  clock_gettime(CLOCK_REALTIME, &at);
  at.tv_sec += DEADLINE_MS / 1000;
  return at;
}

/* Waits until the counter is at least `count`; false if the deadline came first. */
static inline bool counter_reaches(counter *counter, long count) {
  struct timespec until = deadline();
  int failed = 0;
  pthread_mutex_lock(&counter->mutex);
  while (counter->count < count && failed == 0) failed = pthread_cond_timedwait(&counter->changed, &counter->mutex, &until);
  bool reached = counter->count >= count;
  pthread_mutex_unlock(&counter->mutex);
  return reached;
}

/* A destroy callback whose user_data is a counter. */
static inline void count_destroy(void *user_data) { counter_add((counter *)user_data); }

static inline double now_ms(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return (double)at.tv_sec * 1e3 + (double)at.tv_nsec / 1e6;
}

/* Waits for a call. SWARM_OK: it is written to `answer`, for its answer to be read, and to be freed. */
static inline swarm_status answered(swarm_call *call, uint64_t timeout_ms, swarm_call **answer, swarm_error **error) {
  swarm_status status = swarm_call_wait(call, timeout_ms, error);
  if (status == SWARM_OK) {
    *answer = call;
  } else {
    swarm_call_free(call);
  }
  return status;
}

/* Deletes jobs; `existed`, unless NULL, has a place for each answer. */
static inline swarm_status delete_jobs(const swarm_member *member, const char *const *ids, size_t count, uint64_t timeout_ms,
                                       bool *existed, swarm_error **error) {
  swarm_call *deleted = NULL;
  swarm_status status = answered(swarm_member_delete(member, ids, count), timeout_ms, &deleted, error);
  CHECK(status != SWARM_OK || swarm_call_count(deleted) == count);
  if (status == SWARM_OK && existed != NULL) {
    for (size_t i = 0; i < count; i++) existed[i] = swarm_call_existed(deleted, i);
  }
  swarm_call_free(deleted);
  return status;
}

/* Copies the counts of the cluster. */
static inline swarm_status stats_of(const swarm_member *member, uint64_t timeout_ms, swarm_stats *stats, swarm_error **error) {
  swarm_call *counted = NULL;
  swarm_status status = answered(swarm_member_stats(member), timeout_ms, &counted, error);
  if (status == SWARM_OK) *stats = *swarm_call_stats(counted);
  swarm_call_free(counted);
  return status;
}

/* Waits for a call and copies how many things it changed. */
static inline swarm_status changed_by(swarm_call *call, uint64_t timeout_ms, uint64_t *changed, swarm_error **error) {
  swarm_call *done = NULL;
  swarm_status status = answered(call, timeout_ms, &done, error);
  if (status == SWARM_OK) *changed = swarm_call_count(done);
  swarm_call_free(done);
  return status;
}

/* Waits for a call whose answer is JSON, and copies it; "" for none. */
static inline void read_json(swarm_call *call, char json[4096]) {
  swarm_call *answer = NULL;
  CHECK_OK(answered(call, DEADLINE_MS, &answer, &error));
  const char *text = swarm_call_json(answer);
  snprintf(json, 4096, "%s", text ? text : "");
  swarm_call_free(answer);
}

#define CHECK_JSON(expected, call) \
  do { \
    char json_[4096]; \
    read_json(call, json_); \
    CHECK_TEXT(expected, json_); \
  } while (0)

/* Finishes a job and waits until Redis has accepted it. */
static inline swarm_status finish_and_wait(swarm_job *job, swarm_result *result, swarm_error **error) {
  swarm_call *accepted = NULL;
  swarm_status status = swarm_job_finish(job, result, &accepted, error);
  return status == SWARM_OK ? swarm_call_end(accepted, DEADLINE_MS, error) : status;
}

static inline void set_number(swarm_options *options, const char *name, unsigned long number) {
  char text[32];
  snprintf(text, sizeof text, "%lu", number);
  swarm_options_set(options, name, text);
}

/* Options for a cluster of this process and test. */
static inline swarm_options *test_options(const char *name) {
  char cluster[128];
  snprintf(cluster, sizeof cluster, "c-%s-%ld", name, (long)getpid());
  const char *url = getenv("SWARM_REDIS_URL");
  if (url == NULL) {
    fprintf(stderr, "SWARM_REDIS_URL is not set; run tests/c/run.sh\n");
    exit(2);
  }
  swarm_options *options = swarm_options_new(cluster);
  swarm_options_set(options, "url", url);
  return options;
}

static inline swarm_master *start_master(const swarm_options *options) {
  swarm_master *master = NULL;
  CHECK_OK(swarm_master_new(options, &master, &error));
  CHECK_OK(swarm_call_end(swarm_member_ready(swarm_master_member(master)), DEADLINE_MS, &error));
  return master;
}

static inline swarm_worker *new_worker(const swarm_options *options) {
  swarm_worker *worker = NULL;
  CHECK_OK(swarm_worker_new(options, &worker, &error));
  return worker;
}

static inline void start_worker(swarm_worker *worker) {
  CHECK_OK(swarm_worker_start(worker, &error));
  CHECK_OK(swarm_call_end(swarm_member_ready(swarm_worker_member(worker)), DEADLINE_MS, &error));
}

/* Adds a job and copies its id, which has at most 256 bytes. */
static inline void add_job(swarm_master *master, const char *payload, const swarm_job_options *options, char id[257]) {
  swarm_call *added = NULL;
  CHECK_OK(answered(swarm_master_add(master, swarm_bytes_of(payload), options), DEADLINE_MS, &added, &error));
  CHECK(swarm_call_count(added) == 1);
  if (id != NULL) snprintf(id, 257, "%s", swarm_call_id(added, 0));
  swarm_call_free(added);
}

/* Waits until the counts of the cluster, `stats`, are such. */
#define UNTIL_STATS(master, condition) \
  do { \
    swarm_stats stats = {0}; \
    double until_ = now_ms() + DEADLINE_MS; \
    do { \
      CHECK(now_ms() < until_); \
      CHECK_OK(stats_of(swarm_master_member(master), DEADLINE_MS, &stats, &error)); \
    } while (!(condition)); \
  } while (0)

/* A worker that keeps its jobs until the test finishes them. */
typedef struct {
  counter added, deleted;
  swarm_job *jobs[64];
  swarm_delete_reason reason;
  swarm_worker *worker;
} keeper;

static inline void keep_job(void *user_data, swarm_job *job) {
  keeper *kept = (keeper *)user_data;
  pthread_mutex_lock(&kept->added.mutex);
  CHECK(kept->added.count < 64);
  kept->jobs[kept->added.count] = job;
  pthread_mutex_unlock(&kept->added.mutex);
  counter_add(&kept->added);
}

static inline void keep_reason(void *user_data, swarm_job *job, swarm_delete_reason reason) {
  keeper *kept = (keeper *)user_data;
  CHECK(swarm_job_cancelled(job));
  kept->reason = reason;
  counter_add(&kept->deleted);
}

static inline void keeper_new(keeper *kept, const swarm_options *options) {
  static const counter fresh = COUNTER_INIT;
  memset(kept, 0, sizeof *kept);
  kept->added = kept->deleted = fresh;
  kept->worker = new_worker(options);
  swarm_worker_on_add(kept->worker, keep_job, kept, NULL);
  swarm_worker_on_delete(kept->worker, keep_reason, kept, NULL);
}

static inline void keeper_start(keeper *kept, const swarm_options *options) {
  keeper_new(kept, options);
  start_worker(kept->worker);
}

/* The job at `index` of those assigned to the worker, once it was. */
static inline swarm_job *kept_job(keeper *kept, long index) {
  CHECK(counter_reaches(&kept->added, index + 1));
  return kept->jobs[index];
}

/* Ends a cluster. */
static inline void end_master(swarm_master *master) {
  CHECK_OK(swarm_call_end(swarm_master_obliterate(master), DEADLINE_MS, &error));
  CHECK(swarm_master_free(master) == SWARM_OK);
}

/* An add callback that completes with the payload as the result. */
static inline void echo(void *user_data, swarm_job *job) {
  (void)user_data;
  CHECK_OK(swarm_job_finish(job, swarm_result_complete(swarm_job_payload(job), SWARM_CONTENT_JSON), NULL, &error));
}

#endif
