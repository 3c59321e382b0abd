/* Events: the transitions of jobs, which a master follows. */
#include "support.h"

static swarm_options *options;
static swarm_master *master;

/* What a callback has received. */
typedef struct {
  counter received, finished, destroyed;
  int32_t kinds[2048];
  char ids[2048][32];
  char position[64];
  char worker[64];
  uint64_t fence;
  swarm_status status;
  /* Freed by the callback at this number of events, if it is not 0. */
  long free_at;
  swarm_events *events;
} log_of_events;

static void keep_event(void *user_data, const swarm_job_event *event, const swarm_error *failure) {
  log_of_events *log = (log_of_events *)user_data;
  if (event == NULL) {
    log->status = swarm_error_status(failure);
    counter_add(&log->finished);
    return;
  }
  CHECK(failure == NULL && event->struct_size >= sizeof *event && event->time > 0);
  long at = counter_get(&log->received);
  CHECK(at < 2048);
  log->kinds[at] = event->kind;
  snprintf(log->ids[at], sizeof log->ids[at], "%s", event->id);
  if (at == 0) snprintf(log->position, sizeof log->position, "%s", event->position);
  if (event->kind == SWARM_JOB_EVENT_ASSIGNED) {
    snprintf(log->worker, sizeof log->worker, "%s", event->worker);
    log->fence = event->fence;
  }
  if (event->kind == SWARM_JOB_EVENT_FAILED) CHECK(strcmp(event->reason, "failed") == 0 && strcmp(event->text, "no") == 0);
  if (event->kind == SWARM_JOB_EVENT_DELAYED) CHECK(event->due_at > event->time);
  if (log->free_at == at + 1) swarm_events_free(log->events);
  counter_add(&log->received);
}

static void destroy_log(void *user_data) { counter_add(&((log_of_events *)user_data)->destroyed); }

static void begin(const char *name) {
  options = test_options(name);
  master = start_master(options);
}

static void end(void) {
  end_master(master);
  swarm_options_free(options);
}

static void follow(log_of_events *log, const char *after) {
  static const counter fresh = COUNTER_INIT;
  memset(log, 0, sizeof *log);
  log->received = log->finished = log->destroyed = fresh;
  CHECK_OK(swarm_events_new(master, after, keep_event, log, destroy_log, &log->events, &error));
  CHECK_OK(swarm_call_end(swarm_events_ready(log->events), DEADLINE_MS, &error));
}

static void end_follower(log_of_events *log) {
  swarm_events_free(log->events);
  CHECK(counter_get(&log->destroyed) == 1);
}

static log_of_events first, second;

static void a_follower_receives_transitions_and_continues(void) {
  begin("events");
  keeper kept;
  keeper_start(&kept, options);
  follow(&first, NULL);
  char id[257];
  add_job(master, "1", NULL, id);
  CHECK_OK(finish_and_wait(kept_job(&kept, 0), swarm_result_complete(swarm_bytes_of("1"), SWARM_CONTENT_JSON), &error));
  add_job(master, "2", NULL, NULL);
  CHECK_OK(finish_and_wait(kept_job(&kept, 1), swarm_result_fail("no"), &error));
  swarm_job_options later = SWARM_JOB_OPTIONS_INIT;
  later.delay = 3600000;
  add_job(master, "3", &later, NULL);
  CHECK(counter_reaches(&first.received, 8));
  const int32_t kinds[] = {SWARM_JOB_EVENT_ADDED,  SWARM_JOB_EVENT_ASSIGNED, SWARM_JOB_EVENT_COMPLETED, SWARM_JOB_EVENT_ADDED,
                           SWARM_JOB_EVENT_ASSIGNED, SWARM_JOB_EVENT_FAILED, SWARM_JOB_EVENT_ADDED, SWARM_JOB_EVENT_DELAYED};
  CHECK(memcmp(kinds, first.kinds, sizeof kinds) == 0);
  CHECK_TEXT(id, first.ids[0]);
  CHECK_TEXT(id, first.ids[2]);
  CHECK(first.fence > 0 && strlen(first.worker) == 20);
  follow(&second, first.position);
  CHECK(counter_reaches(&second.received, 7));
  CHECK(memcmp(kinds + 1, second.kinds, sizeof kinds - sizeof *kinds) == 0);
  end_follower(&second);
  follow(&second, "0");
  CHECK(counter_reaches(&second.received, 8));
  CHECK(memcmp(kinds, second.kinds, sizeof kinds) == 0);
  end_follower(&second);
  end_follower(&first);
  CHECK(swarm_worker_free(kept.worker) == SWARM_OK);
  end();
}

static void the_last_call_reports_the_end(void) {
  begin("events-end");
  follow(&first, NULL);
  follow(&second, NULL);
  second.free_at = 1;
  add_job(master, "1", NULL, NULL);
  CHECK(counter_reaches(&first.received, 1) && counter_reaches(&second.received, 1));
  add_job(master, "2", NULL, NULL);
  CHECK(counter_reaches(&first.received, 2));
  CHECK(counter_reaches(&second.destroyed, 1) && counter_get(&second.received) == 1 && counter_get(&second.finished) == 0);
  CHECK_OK(swarm_call_end(swarm_master_close(master), DEADLINE_MS, &error));
  CHECK(counter_reaches(&first.finished, 1) && first.status == SWARM_ERR_CLOSED);
  CHECK(swarm_master_free(master) == SWARM_OK);
  CHECK(counter_get(&first.destroyed) == 1);
  swarm_events_free(first.events);
  master = start_master(options);
  end();
}

static void wrong_arguments_are_refused(void) {
  begin("events-wrong");
  counter destroyed = COUNTER_INIT;
  swarm_events *events = NULL;
  const char *const wrong[] = {"", "x", "1", "1-", "\xff"};
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT,
                 swarm_events_new(master, wrong[i], keep_event, &destroyed, count_destroy, &events, &error));
  }
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, swarm_events_new(master, NULL, NULL, &destroyed, count_destroy, &events, &error));
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, swarm_events_new(master, NULL, keep_event, &destroyed, count_destroy, NULL, &error));
  CHECK(counter_get(&destroyed) == 7 && events == NULL);
  swarm_events_free(NULL);
  end();
}

static void events_that_are_not_kept_are_missed(void) {
  begin("events-missed");
  swarm_options_set(options, "events", "always");
  swarm_options_set(options, "events_max", "100");
  CHECK(swarm_master_free(master) == SWARM_OK);
  master = start_master(options);
  add_job(master, "1", NULL, NULL);
  follow(&first, "0");
  CHECK(counter_reaches(&first.received, 1));
  end_follower(&first);
  for (int i = 0; i < 300; i++) add_job(master, "1", NULL, NULL);
  follow(&second, first.position);
  CHECK(counter_reaches(&second.received, 101));
  CHECK(second.kinds[0] == SWARM_JOB_EVENT_MISSED && second.ids[0][0] == '\0' && second.kinds[1] == SWARM_JOB_EVENT_ADDED);
  end_follower(&second);
  end();
}

int main(void) {
  RUN(a_follower_receives_transitions_and_continues);
  RUN(the_last_call_reports_the_end);
  RUN(wrong_arguments_are_refused);
  RUN(events_that_are_not_kept_are_missed);
  return 0;
}
