/* A master that chooses the workers of waiting jobs. */
#include <poll.h>

#include "support.h"

/* Longer than any test: what is not chosen stays. */
#define NEVER_MS (3600 * 1000)

/* What a callback chooses, and what it was shown. */
typedef struct {
  counter calls, destroyed, troubles, leave;
  const char *name;
  char seen[32][2048];
  char answer[256];
} chooser;

#define CHOOSER_INIT(name) {COUNTER_INIT, COUNTER_INIT, COUNTER_INIT, COUNTER_INIT, name, {""}, ""}

/* The incarnation of the worker with this name; "" if it is not there. */
static void find(const char *workers, const char *name, char incarnation[256]) {
  char part[64];
  snprintf(part, sizeof part, "\"name\":\"%s\"", name);
  const char *end = strstr(workers, part), *at = NULL;
  for (const char *next = workers; end != NULL && (next = strstr(next, "\"incarnation\":")) != NULL && next < end; next++) {
    at = next;
  }
  incarnation[0] = 0;
  CHECK(at == NULL || sscanf(at, "\"incarnation\":\"%255[^\"]\"", incarnation) == 1);
}

/* The worker of the chooser's name; none for jobs whose id begins with x. */
static const char *choose(void *user_data, const char *job, const char *workers) {
  chooser *chooser = user_data;
  long call = counter_get(&chooser->calls);
  CHECK(counter_get(&chooser->destroyed) == 0);
  CHECK(call < 32);
  snprintf(chooser->seen[call], sizeof chooser->seen[call], "%s %s", job, workers);
  find(workers, chooser->name, chooser->answer);
  bool none = strstr(job, "\"id\":\"x") != NULL || chooser->answer[0] == 0;
  counter_add(&chooser->calls);
  return none ? NULL : chooser->answer;
}

/* The same, once the test lets it. */
static const char *block(void *user_data, const char *job, const char *workers) {
  chooser *chooser = user_data;
  const char *chosen = choose(chooser, job, workers);
  CHECK(counter_reaches(&chooser->leave, 1));
  CHECK(counter_get(&chooser->destroyed) == 0);
  return chosen;
}

static void destroy(void *user_data) { counter_add(&((chooser *)user_data)->destroyed); }

/* Returns a worker that was not shown. */
static const char *choose_unknown(void *user_data, const char *job, const char *workers) {
  CHECK(job[0] == '{' && workers[0] == '[');
  counter_add(&((chooser *)user_data)->calls);
  return "nobody";
}

static void on_trouble(void *user_data, const swarm_error *error) {
  chooser *chooser = user_data;
  CHECK(swarm_error_status(error) == SWARM_ERR_INVALID_ARGUMENT);
  CHECK(strstr(swarm_error_message(error), "`nobody`") != NULL);
  counter_add(&chooser->troubles);
}

/* What is seen has this text. */
static void check_seen(const chooser *chooser, long call, const char *part) {
  if (strstr(chooser->seen[call], part) == NULL) {
    fprintf(stderr, "no %s in %s\n", part, chooser->seen[call]);
    abort();
  }
}

static void add_named(swarm_master *master, const char *id, const char *task, int priority) {
  swarm_job_options job = SWARM_JOB_OPTIONS_INIT;
  job.id = id;
  job.task = task;
  job.priority = priority;
  add_job(master, "{\"n\":1}", &job, NULL);
}

/* A worker of this name and slots that takes jobs without a task and those of the task t. */
static void keeper_named(keeper *kept, const char *cluster, const char *name, uint32_t slots) {
  swarm_options *options = test_options(cluster);
  swarm_options_set(options, "name", name);
  swarm_options_set(options, "task", "");
  swarm_options_set(options, "task", "t");
  if (slots > 3) swarm_options_set(options, "priority_slots", "5:1");
  set_number(options, "slots", slots);
  keeper_start(kept, options);
  swarm_options_free(options);
}

/* Ends the worker, and frees its jobs. */
static void keeper_free(keeper *kept) {
  CHECK(swarm_worker_free(kept->worker) == SWARM_OK);
  for (long i = 0; i < kept->added.count; i++) swarm_job_free(kept->jobs[i]);
}

static swarm_master *master_of(const char *cluster) {
  swarm_options *options = test_options(cluster);
  swarm_master *master = start_master(options);
  swarm_options_free(options);
  return master;
}

#define CHOOSE(master, within, callback, chooser) \
  CHECK_OK(swarm_call_end(swarm_master_choose(master, within, NULL, 0, callback, chooser, destroy), DEADLINE_MS, &error))

static void check_chooser(swarm_master *master, bool there) {
  swarm_call *json = NULL;
  CHECK_OK(answered(swarm_master_queues(master), DEADLINE_MS, &json, &error));
  const char *chooser = strstr(swarm_call_json(json), "\"chooser\":\"");
  CHECK(chooser != NULL && (chooser[strlen("\"chooser\":\"")] != '"') == there);
  swarm_call_free(json);
}

static void each_job_goes_to_the_worker_chosen(void) {
  chooser bob_is = CHOOSER_INIT("bob");
  keeper ann, bob;
  keeper_named(&ann, "choice", "ann", 2);
  keeper_named(&bob, "choice", "bob", 4);
  swarm_master *master = master_of("choice");
  check_chooser(master, false);
  CHOOSE(master, NEVER_MS, choose, &bob_is);
  check_chooser(master, true);
  CHECK_OK(swarm_call_end(swarm_master_pause(master, NULL, true), DEADLINE_MS, &error));
  add_named(master, "x", NULL, 0);
  add_named(master, "a", NULL, 0);
  add_named(master, "b", "t", 0);
  add_named(master, "high", NULL, 7);
  CHECK_OK(swarm_call_end(swarm_master_pause(master, NULL, false), DEADLINE_MS, &error));
  CHECK_TEXT("high", swarm_job_id(kept_job(&bob, 0)));
  CHECK_TEXT("a", swarm_job_id(kept_job(&bob, 1)));
  CHECK_TEXT("b", swarm_job_id(kept_job(&bob, 2)));
  UNTIL_STATS(master, stats.waiting == 1 && stats.active == 3);
  CHECK(counter_get(&ann.added) == 0 && counter_get(&bob_is.calls) >= 4);
  /* A job is as swarm_master_job returns it. Of four slots one is for a high priority, and each choice takes a free slot. */
  check_seen(&bob_is, 0, "{\"id\":\"high\",\"state\":\"waiting\",\"payload\":{\"n\":1},\"priority\":7,\"task\":\"\",");
  check_seen(&bob_is, 0, "\"name\":\"bob\"");
  check_seen(&bob_is, 0, "\"room\":4,\"tasks\":[\"\",\"t\"]}");
  check_seen(&bob_is, 1, "\"id\":\"x\"");
  check_seen(&bob_is, 1, "\"active\":1");
  check_seen(&bob_is, 1, "\"room\":3");
  check_seen(&bob_is, 2, "\"id\":\"a\"");
  check_seen(&bob_is, 2, "\"room\":3");
  check_seen(&bob_is, 3, "\"id\":\"b\"");
  check_seen(&bob_is, 3, "\"active\":2");
  check_seen(&bob_is, 3, "\"room\":2");
  check_seen(&bob_is, 3, "\"room\":2,\"tasks\":[\"\",\"t\"]}");
  char pid[64];
  snprintf(pid, sizeof pid, "\"name\":\"bob\",\"pid\":%ld,", (long)getpid());
  check_seen(&bob_is, 0, pid);
  check_seen(&bob_is, 0, "{\"active\":0,\"group\":\"\",\"host\":\"");
  /* The choice is over. */
  CHECK(counter_get(&bob_is.destroyed) == 0);
  CHECK_OK(swarm_call_end(swarm_master_stop_choosing(master), DEADLINE_MS, &error));
  CHECK(counter_get(&bob_is.destroyed) == 1);
  CHECK_TEXT("x", swarm_job_id(kept_job(&ann, 0)));
  check_chooser(master, false);
  CHECK_OK(swarm_call_end(swarm_master_stop_choosing(master), DEADLINE_MS, &error));
  keeper_free(&ann);
  keeper_free(&bob);
  end_master(master);
}

static void tasks_and_time_are_limited(void) {
  static const char *const tasks[] = {"t"};
  chooser none = CHOOSER_INIT("none");
  keeper ann;
  keeper_named(&ann, "choice-limits", "ann", 8);
  swarm_master *master = master_of("choice-limits");
  CHECK_OK(swarm_call_end(swarm_master_choose(master, NEVER_MS, tasks, 1, choose, &none, destroy), DEADLINE_MS, &error));
  add_named(master, "chosen", "t", 0);
  add_named(master, "free", NULL, 0);
  CHECK_TEXT("free", swarm_job_id(kept_job(&ann, 0)));
  CHECK(counter_reaches(&none.calls, 1));
  CHECK_OK(swarm_call_end(swarm_master_stop_choosing(master), DEADLINE_MS, &error));
  CHECK_TEXT("chosen", swarm_job_id(kept_job(&ann, 1)));
  /* One that takes too long: by default, and its answer comes too late. */
  chooser slow = CHOOSER_INIT("ann");
  double start = now_ms();
  CHOOSE(master, SWARM_DEFAULT, block, &slow);
  add_named(master, "late", NULL, 0);
  CHECK_TEXT("late", swarm_job_id(kept_job(&ann, 2)));
  CHECK(now_ms() - start >= 1000);
  counter_add(&slow.leave);
  add_named(master, "next", NULL, 0);
  CHECK_TEXT("next", swarm_job_id(kept_job(&ann, 3)));
  keeper_free(&ann);
  end_master(master);
  CHECK(counter_get(&slow.destroyed) == 1);
}

static void a_later_callback_replaces_the_first(void) {
  chooser first = CHOOSER_INIT("none"), second = CHOOSER_INIT("ann");
  keeper ann;
  keeper_named(&ann, "choice-again", "ann", 3);
  swarm_master *master = master_of("choice-again");
  CHOOSE(master, NEVER_MS, choose, &first);
  add_named(master, "a", NULL, 0);
  CHECK(counter_reaches(&first.calls, 1));
  CHOOSE(master, NEVER_MS, choose, &second);
  CHECK_TEXT("a", swarm_job_id(kept_job(&ann, 0)));
  CHECK(counter_reaches(&first.destroyed, 1) && counter_get(&second.destroyed) == 0);
  /* And one that comes before the other has started. */
  for (int i = 0; i < 20; i++) {
    chooser *next = i % 2 == 0 ? &first : &second;
    CHECK_OK(swarm_call_on_done(swarm_master_choose(master, NEVER_MS, NULL, 0, choose, next, NULL), SWARM_NO_TIMEOUT, NULL, next, NULL, &error));
    CHECK_OK(swarm_call_on_done(swarm_master_stop_choosing(master), SWARM_NO_TIMEOUT, NULL, NULL, NULL, &error));
  }
  CHECK_OK(swarm_call_end(swarm_master_stop_choosing(master), DEADLINE_MS, &error));
  CHECK(counter_get(&second.destroyed) == 1);
  add_named(master, "b", NULL, 0);
  CHECK_TEXT("b", swarm_job_id(kept_job(&ann, 1)));
  keeper_free(&ann);
  end_master(master);
}

static void wrong_answers_are_reported_and_leave_the_job(void) {
  chooser chooser = CHOOSER_INIT("ann");
  keeper ann;
  keeper_named(&ann, "choice-wrong", "ann", 3);
  swarm_master *master = master_of("choice-wrong");
  swarm_member_on_error(swarm_master_member(master), on_trouble, &chooser, NULL);
  CHOOSE(master, NEVER_MS, choose_unknown, &chooser);
  add_named(master, "a", NULL, 0);
  CHECK(counter_reaches(&chooser.troubles, 1));
  UNTIL_STATS(master, stats.waiting == 1 && stats.active == 0);
  CHECK_OK(swarm_call_end(swarm_master_stop_choosing(master), DEADLINE_MS, &error));
  CHECK_TEXT("a", swarm_job_id(kept_job(&ann, 0)));
  keeper_free(&ann);
  end_master(master);
}

static void on_done(void *user_data, const swarm_error *error, const swarm_call *call) {
  (void)call;
  chooser *chooser = user_data;
  CHECK(swarm_error_status(error) == (swarm_status)atoi(chooser->name));
  counter_add(&chooser->troubles);
}

static void bad_arguments_change_nothing(void) {
  static const char *const bad[] = {"a\nb"};
  chooser chooser = CHOOSER_INIT("ann"), refused = CHOOSER_INIT("1");
  keeper ann;
  keeper_named(&ann, "choice-bad", "ann", 3);
  swarm_master *master = master_of("choice-bad");
  CHOOSE(master, NEVER_MS, choose, &chooser);
#define REFUSED(within, tasks, count, callback) \
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, \
               swarm_call_end(swarm_master_choose(master, within, tasks, count, callback, &refused, destroy), DEADLINE_MS, &error))
  REFUSED(9, NULL, 0, choose);
  REFUSED(0, NULL, 0, choose);
  REFUSED(NEVER_MS + 1, NULL, 0, choose);
  REFUSED(1000, bad, 1, choose);
  REFUSED(1000, NULL, 1, choose);
  REFUSED(1000, NULL, 0, NULL);
  CHECK(counter_get(&refused.destroyed) == 6);
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT,
               swarm_call_on_done(swarm_master_choose(master, 1000, NULL, 0, NULL, &refused, destroy), SWARM_NO_TIMEOUT, on_done, &refused, NULL, &error));
  CHECK(counter_get(&refused.destroyed) == 7 && counter_get(&refused.troubles) == 0);
  /* What the cluster's rules refuse is reported to `done`. */
  CHECK_OK(swarm_call_on_done(swarm_master_choose(master, 9, NULL, 0, choose, &refused, destroy), SWARM_NO_TIMEOUT, on_done, &refused, NULL, &error));
  CHECK(counter_reaches(&refused.destroyed, 8) && counter_reaches(&refused.troubles, 1));
  CHECK(counter_get(&chooser.destroyed) == 0);
  add_named(master, "a", NULL, 0);
  CHECK_TEXT("a", swarm_job_id(kept_job(&ann, 0)));
  CHECK(counter_get(&chooser.calls) == 1);
  CHECK_OK(swarm_call_end(swarm_master_close(master), DEADLINE_MS, &error));
  CHECK_STATUS(SWARM_ERR_CLOSED, swarm_call_end(swarm_master_choose(master, 1000, NULL, 0, choose, &refused, destroy), DEADLINE_MS, &error));
  CHECK(counter_get(&refused.destroyed) == 9 && counter_get(&refused.calls) == 0);
  CHECK_OK(swarm_call_end(swarm_master_stop_choosing(master), DEADLINE_MS, &error));
  keeper_free(&ann);
  CHECK(swarm_master_free(master) == SWARM_OK);
  CHECK(counter_get(&chooser.destroyed) == 1);
  end_master(master_of("choice-bad"));
}

static swarm_master *own;

/* Everything but to end its own master is allowed inside, also to stop. */
static const char *stop_inside(void *user_data, const char *job, const char *workers) {
  const char *chosen = choose(user_data, job, workers);
  CHECK_STATUS(SWARM_ERR_IN_CALLBACK, swarm_call_end(swarm_master_close(own), DEADLINE_MS, &error));
  CHECK(swarm_master_free(own) == SWARM_ERR_IN_CALLBACK);
  swarm_stats stats = {0};
  CHECK_OK(stats_of(swarm_master_member(own), DEADLINE_MS, &stats, &error));
  CHECK_OK(swarm_call_end(swarm_master_stop_choosing(own), DEADLINE_MS, &error));
  CHECK(counter_get(&((chooser *)user_data)->destroyed) == 0);
  return chosen;
}

static void choosing_may_end_inside_the_callback(void) {
  chooser chooser = CHOOSER_INIT("ann"), done = CHOOSER_INIT("0");
  keeper ann;
  keeper_named(&ann, "choice-inside", "ann", 3);
  own = master_of("choice-inside");
  CHECK_OK(swarm_call_on_done(swarm_master_choose(own, NEVER_MS, NULL, 0, stop_inside, &chooser, destroy), SWARM_NO_TIMEOUT, NULL, &chooser, NULL, &error));
  add_named(own, "a", NULL, 0);
  CHECK_TEXT("a", swarm_job_id(kept_job(&ann, 0)));
  CHECK(counter_reaches(&chooser.destroyed, 1));
  add_named(own, "b", NULL, 0);
  CHECK_TEXT("b", swarm_job_id(kept_job(&ann, 1)));
  CHECK(counter_get(&chooser.calls) == 1);
  /* The data lives as long as the chooser, not as the call that began it. */
  CHECK_OK(swarm_call_on_done(swarm_master_choose(own, NEVER_MS, NULL, 0, choose, &done, destroy), SWARM_NO_TIMEOUT, on_done, &done, NULL, &error));
  CHECK(counter_reaches(&done.troubles, 1) && counter_get(&done.destroyed) == 0);
  CHECK_OK(swarm_call_on_done(swarm_master_stop_choosing(own), SWARM_NO_TIMEOUT, on_done, &done, NULL, &error));
  CHECK(counter_reaches(&done.troubles, 2) && counter_reaches(&done.destroyed, 1));
  keeper_free(&ann);
  end_master(own);
}

static void stopping_waits_for_the_callback(void) {
  chooser chooser = CHOOSER_INIT("ann");
  keeper ann;
  keeper_named(&ann, "choice-wait", "ann", 3);
  swarm_master *master = master_of("choice-wait");
  CHOOSE(master, NEVER_MS, block, &chooser);
  add_named(master, "a", NULL, 0);
  add_named(master, "b", NULL, 0);
  CHECK(counter_reaches(&chooser.calls, 1));
  CHECK_STATUS(SWARM_ERR_TIMEOUT, swarm_call_end(swarm_master_stop_choosing(master), 100, &error));
  /* By default already, because it was asked to stop. */
  CHECK(swarm_job_payload(kept_job(&ann, 1)).len > 0);
  counter_add(&chooser.leave);
  CHECK_OK(swarm_call_end(swarm_master_stop_choosing(master), DEADLINE_MS, &error));
  CHECK(counter_get(&chooser.calls) == 1 && counter_get(&chooser.destroyed) == 1);
  keeper_free(&ann);
  end_master(master);
}

static void a_start_that_times_out_leaves_no_chooser(void) {
  keeper ann;
  keeper_named(&ann, "choice-hasty", "ann", 64);
  swarm_master *master = master_of("choice-hasty");
  for (int round = 0; round < 30; round++) {
    chooser hasty = CHOOSER_INIT("none");
    uint64_t timeout = round % 3 == 0 ? 0 : 1;
    swarm_status status = swarm_call_end(swarm_master_choose(master, NEVER_MS, NULL, 0, choose, &hasty, destroy), timeout, NULL);
    CHECK(status == SWARM_OK || status == SWARM_ERR_TIMEOUT);
    CHECK(counter_get(&hasty.destroyed) == (status == SWARM_ERR_TIMEOUT));
    if (status == SWARM_OK) CHECK_OK(swarm_call_end(swarm_master_stop_choosing(master), DEADLINE_MS, &error));
    CHECK(counter_get(&hasty.destroyed) == 1);
    add_named(master, NULL, NULL, 0);
    CHECK(kept_job(&ann, round) != NULL);
  }
  keeper_free(&ann);
  end_master(master);
}

static pthread_t here;

static const char *choose_here(void *user_data, const char *job, const char *workers) {
  CHECK(pthread_equal(pthread_self(), here));
  return choose(user_data, job, workers);
}

static void the_callback_runs_on_the_polling_thread(void) {
  enum { JOBS = 9 };
  chooser chooser = CHOOSER_INIT("ann");
  keeper ann;
  int fd = -1;
  here = pthread_self();
  keeper_named(&ann, "choice-fd", "ann", JOBS);
  swarm_master *master = master_of("choice-fd");
  CHECK_OK(swarm_member_fd(swarm_master_member(master), &fd, &error));
  CHOOSE(master, NEVER_MS, choose_here, &chooser);
  for (int i = 0; i < JOBS - 1; i++) add_named(master, NULL, NULL, 0);
  while (counter_get(&chooser.calls) < JOBS - 1) {
    struct pollfd poller = {fd, POLLIN, 0};
    CHECK(poll(&poller, 1, DEADLINE_MS) > 0);
    CHECK_OK(swarm_member_dispatch(swarm_master_member(master), &error));
  }
  CHECK(kept_job(&ann, JOBS - 2) != NULL);
  /* What waits to be asked when it ends is not. */
  add_named(master, NULL, NULL, 7);
  struct pollfd poller = {fd, POLLIN, 0};
  CHECK(poll(&poller, 1, DEADLINE_MS) > 0);
  CHECK_OK(swarm_call_end(swarm_master_stop_choosing(master), DEADLINE_MS, &error));
  CHECK(counter_get(&chooser.destroyed) == 1);
  CHECK(kept_job(&ann, JOBS - 1) != NULL);
  CHECK_OK(swarm_member_dispatch(swarm_master_member(master), &error));
  CHECK(counter_get(&chooser.calls) == JOBS - 1);
  keeper_free(&ann);
  end_master(master);
}

static void the_end_of_the_master_ends_it(void) {
  keeper ann;
  keeper_named(&ann, "choice-end", "ann", 3);
  swarm_master *other = master_of("choice-end");
  for (int round = 0; round < 10; round++) {
    chooser chooser = CHOOSER_INIT("none"), starting = CHOOSER_INIT("none");
    swarm_master *master = master_of("choice-end");
    CHOOSE(master, NEVER_MS, choose, &chooser);
    add_named(other, NULL, NULL, 0);
    if (round % 2 == 0) CHECK(counter_reaches(&chooser.calls, 1));
    if (round % 3 == 0) {
      CHECK_OK(swarm_call_on_done(swarm_master_choose(master, NEVER_MS, NULL, 0, choose, &starting, destroy), SWARM_NO_TIMEOUT, NULL, &starting, NULL, &error));
    }
    if (round % 4 == 0) CHECK_OK(swarm_call_end(swarm_master_close(master), DEADLINE_MS, &error));
    CHECK(swarm_master_free(master) == SWARM_OK);
    CHECK(counter_get(&chooser.destroyed) == 1 && counter_get(&starting.destroyed) == (round % 3 == 0));
    /* By default, because the chooser has left. */
    CHECK_OK(swarm_job_finish(kept_job(&ann, round), swarm_result_complete(swarm_bytes_of("1"), SWARM_CONTENT_JSON), NULL, &error));
    ann.jobs[round] = NULL;
  }
  keeper_free(&ann);
  end_master(other);
}

int main(void) {
  RUN(each_job_goes_to_the_worker_chosen);
  RUN(tasks_and_time_are_limited);
  RUN(a_later_callback_replaces_the_first);
  RUN(wrong_answers_are_reported_and_leave_the_job);
  RUN(bad_arguments_change_nothing);
  RUN(choosing_may_end_inside_the_callback);
  RUN(stopping_waits_for_the_callback);
  RUN(a_start_that_times_out_leaves_no_chooser);
  RUN(the_callback_runs_on_the_polling_thread);
  RUN(the_end_of_the_master_ends_it);
  return 0;
}
