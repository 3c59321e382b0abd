/* Many threads on one master and one worker. */
#include "support.h"

enum { THREADS = 4, JOBS = 250, TOTAL = THREADS * JOBS };

/* Jobs on their way from the callback to threads that finish them. */
static struct {
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  swarm_job *jobs[TOTAL];
  int head, tail;
} queue = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, {NULL}, 0, 0};

static swarm_master *master;
static counter outcomes = COUNTER_INIT;

static void enqueue(void *user_data, swarm_job *job) {
  (void)user_data;
  pthread_mutex_lock(&queue.mutex);
  CHECK(queue.tail < TOTAL);
  queue.jobs[queue.tail++] = job;
  pthread_cond_signal(&queue.changed);
  pthread_mutex_unlock(&queue.mutex);
}

static void *finish_jobs(void *unused) {
  (void)unused;
  for (;;) {
    pthread_mutex_lock(&queue.mutex);
    while (queue.head == queue.tail && queue.head < TOTAL) pthread_cond_wait(&queue.changed, &queue.mutex);
    if (queue.head == TOTAL) {
      pthread_cond_broadcast(&queue.changed);
      pthread_mutex_unlock(&queue.mutex);
      return NULL;
    }
    swarm_job *job = queue.jobs[queue.head++];
    if (queue.head == TOTAL) pthread_cond_broadcast(&queue.changed);
    pthread_mutex_unlock(&queue.mutex);
    CHECK_OK(swarm_job_finish(job, swarm_result_complete(swarm_job_payload(job), SWARM_CONTENT_JSON), NULL, &error));
  }
}

static void on_outcome(void *user_data, const swarm_error *error, const swarm_call *outcome) {
  (void)user_data;
  CHECK(error == NULL && swarm_outcome_details(swarm_call_outcome(outcome, 0))->completed);
  counter_add(&outcomes);
}

static void *run_jobs(void *unused) {
  (void)unused;
  for (int i = 0; i < JOBS; i++) {
    if (i % 10 == 0) {
      swarm_call *outcome = NULL;
      CHECK_OK(answered(swarm_master_run(master, swarm_bytes_of("7"), NULL), DEADLINE_MS, &outcome, &error));
      CHECK(swarm_outcome_details(swarm_call_outcome(outcome, 0))->result.len == 1);
      swarm_call_free(outcome);
      counter_add(&outcomes);
    } else {
      CHECK_OK(swarm_call_on_done(swarm_master_run(master, swarm_bytes_of("7"), NULL), DEADLINE_MS, on_outcome, NULL, NULL, &error));
    }
    swarm_health health = SWARM_HEALTH_INIT;
    CHECK_OK(swarm_member_health(swarm_master_member(master), &health, &error));
  }
  return NULL;
}

static void jobs_are_run_and_finished_by_many_threads(void) {
  swarm_options *options = test_options("threads");
  swarm_worker *worker = new_worker(options);
  swarm_worker_on_add(worker, enqueue, NULL, NULL);
  start_worker(worker);
  master = start_master(options);
  pthread_t finishers[THREADS], runners[THREADS];
  for (int i = 0; i < THREADS; i++) {
    CHECK(pthread_create(&finishers[i], NULL, finish_jobs, NULL) == 0);
    CHECK(pthread_create(&runners[i], NULL, run_jobs, NULL) == 0);
  }
  for (int i = 0; i < THREADS; i++) CHECK(pthread_join(runners[i], NULL) == 0);
  CHECK(counter_reaches(&outcomes, TOTAL));
  for (int i = 0; i < THREADS; i++) CHECK(pthread_join(finishers[i], NULL) == 0);
  CHECK_OK(swarm_call_end(swarm_worker_drain(worker), DEADLINE_MS, &error));
  swarm_stats stats = {0};
  CHECK_OK(stats_of(swarm_master_member(master), DEADLINE_MS, &stats, &error));
  CHECK(stats.added == TOTAL && stats.completed == TOTAL && stats.active == 0 && stats.waiting == 0);
  CHECK(swarm_worker_free(worker) == SWARM_OK);
  end_master(master);
  swarm_options_free(options);
}

static void *make_members(void *options) {
  for (int i = 0; i < 10; i++) {
    swarm_worker *worker = new_worker(options);
    swarm_worker_on_add(worker, echo, NULL, NULL);
    CHECK_OK(swarm_worker_start(worker, &error));
    swarm_master *own = NULL;
    CHECK_OK(swarm_master_new(options, &own, &error));
    CHECK_OK(swarm_call_end(swarm_master_add(own, swarm_bytes_of("1"), NULL), DEADLINE_MS, &error));
    CHECK(swarm_master_free(own) == SWARM_OK);
    CHECK(swarm_worker_free(worker) == SWARM_OK);
  }
  return NULL;
}

static void members_are_made_and_freed_by_many_threads(void) {
  swarm_options *options = test_options("members");
  pthread_t threads[THREADS];
  for (int i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, make_members, options) == 0);
  for (int i = 0; i < THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
  end_master(start_master(options));
  swarm_options_free(options);
}

int main(void) {
  RUN(jobs_are_run_and_finished_by_many_threads);
  RUN(members_are_made_and_freed_by_many_threads);
  return 0;
}
