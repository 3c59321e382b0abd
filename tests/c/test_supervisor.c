/* Supervisors of real processes: what is reported to their program, and that none of the processes is left. */
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include "support.h"

/* An event with a copy of all that it leads to. */
typedef struct {
  swarm_event event;
  char name[64], message[256], line[256];
  swarm_status status;
} emitted;

/* All that a supervisor reported, and how far the test has read. */
typedef struct {
  counter count, destroyed;
  emitted all[4096];
  long seen;
  pthread_t thread;
} record;

static record events;

static void copy(char *place, size_t size, const char *text) { snprintf(place, size, "%s", text == NULL ? "" : text); }

static void keep(void *user_data, const swarm_event *event) {
  record *record = user_data;
  emitted *emitted = &record->all[counter_get(&record->count)];
  CHECK(emitted < record->all + 4096);
  CHECK(event->struct_size == sizeof *event);
  emitted->event = *event;
  copy(emitted->name, sizeof emitted->name, event->name);
  copy(emitted->message, sizeof emitted->message, event->message);
  if (event->line.len > 0) memcpy(emitted->line, event->line.data, event->line.len < 255 ? event->line.len : 255);
  emitted->status = swarm_error_status(event->error);
  record->thread = pthread_self();
  counter_add(&record->count);
}

static void forget(void *user_data) { counter_add(&((record *)user_data)->destroyed); }

/* The next event of a kind. */
static emitted *next(swarm_event_kind kind) {
  for (;;) {
    if (!counter_reaches(&events.count, events.seen + 1)) fprintf(stderr, "no event of kind %d\n", kind);
    CHECK(counter_get(&events.count) > events.seen);
    emitted *emitted = &events.all[events.seen++];
    if (emitted->event.kind == (int)kind) return emitted;
    CHECK(emitted->event.kind != SWARM_EVENT_STOPPED);
  }
}

/* With short times, and without lines on the output of the test. */
static swarm_supervisor_options *quick(void) {
  const char *const values[][2] = {{"grace", "300"}, {"backoff_delay", "10"}, {"backoff_max", "40"}, {"backoff_jitter", "0"},
                                   {"forward", "false"}, {"lines", "true"}};
  swarm_supervisor_options *options = swarm_supervisor_options_new();
  for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
    swarm_supervisor_options_set(options, values[i][0], values[i][1]);
  }
  return options;
}

static swarm_supervisor *make(swarm_supervisor_options *options) {
  static const counter fresh = COUNTER_INIT;
  memset(&events, 0, sizeof events);
  events.count = events.destroyed = fresh;
  swarm_supervisor *supervisor = NULL;
  CHECK_OK(swarm_supervisor_new(options, &supervisor, &error));
  swarm_supervisor_options_free(options);
  return supervisor;
}

static swarm_supervisor *begin(swarm_supervisor_options *options) {
  swarm_supervisor *supervisor = make(options);
  swarm_supervisor_on_event(supervisor, keep, &events, forget);
  return supervisor;
}

static void end(swarm_supervisor *supervisor) {
  CHECK(swarm_supervisor_free(supervisor) == SWARM_OK);
  CHECK(counter_get(&events.destroyed) == 1);
  CHECK(events.all[counter_get(&events.count) - 1].event.kind == SWARM_EVENT_STOPPED);
}

static swarm_program *shell(const char *script) {
  swarm_program *program = swarm_program_new("/bin/sh");
  swarm_program_set(program, "arg", "-c");
  swarm_program_set(program, "arg", script);
  return program;
}

/* Runs it and answers the first id. */
static uint64_t spawn(swarm_supervisor *supervisor, swarm_program *program) {
  uint64_t id = 0;
  CHECK_OK(swarm_supervisor_spawn(supervisor, program, &id, 1, &error));
  swarm_program_free(program);
  return id;
}

/* Whether it runs; a zombie does not, whoever is to reap it. */
static bool runs(long pid) {
  char path[64], stat[512] = "";
  snprintf(path, sizeof path, "/proc/%ld/stat", pid);
  FILE *file = fopen(path, "r");
  if (file == NULL) return access("/proc/self", F_OK) != 0 && kill((pid_t)pid, 0) == 0;
  size_t length = fread(stat, 1, sizeof stat - 1, file);
  fclose(file);
  stat[length] = 0;
  const char *state = strrchr(stat, ')');
  return state != NULL && state[2] != 'Z' && state[2] != 'X';
}

static void until_gone(long pid) {
  double until = now_ms() + DEADLINE_MS;
  while (runs(pid)) {
    CHECK(now_ms() < until);
    poll(NULL, 0, 5);
  }
}

#define SAY_READY "echo >/dev/fd/$SWARM_READY_FD; "
/* Exits at TERM, with a line that reports it. */
#define SERVE "trap 'echo well; exit 0' TERM; echo up; while :; do sleep 0.02; done"

static void processes_are_started_listed_killed_and_stopped(void) {
  swarm_supervisor *supervisor = begin(quick());
  swarm_program *program = shell(SAY_READY "exec sleep 100");
  swarm_program_set(program, "count", "3");
  swarm_program_set(program, "name", "sleepers");
  swarm_program_set(program, "ready", "explicit");
  uint64_t ids[4] = {0, 0, 7, 7};
  CHECK_OK(swarm_supervisor_spawn(supervisor, program, ids, 2, &error));
  CHECK(ids[0] == 1 && ids[1] == 2 && ids[2] == 7);
  for (int i = 0; i < 3; i++) {
    emitted *ready = next(SWARM_EVENT_READY);
    CHECK_TEXT("sleepers", ready->name);
    CHECK(ready->event.id >= 1 && ready->event.id <= 3 && ready->event.pid > 1 && ready->event.error == NULL);
  }
  swarm_processes *list = NULL;
  CHECK_OK(swarm_supervisor_list(supervisor, &list, &error));
  CHECK(list->count == 3 && list->processes[3] == NULL);
  for (size_t i = 0; i < 3; i++) {
    const swarm_process_info *info = list->processes[i];
    CHECK(info->struct_size == sizeof *info && info->id == i + 1 && info->state == SWARM_PROCESS_READY && info->restarts == 0);
    CHECK(runs(info->pid) && info->started_at / 1000 + 1000 > (uint64_t)time(NULL));
    CHECK_TEXT("sleepers", info->name);
  }
  long second = list->processes[1]->pid;
  swarm_processes_free(list);

  CHECK_OK(swarm_call_end(swarm_supervisor_kill(supervisor, 2), DEADLINE_MS, &error));
  CHECK(!runs(second));
  emitted *exited = next(SWARM_EVENT_EXITED);
  CHECK(exited->event.id == 2 && exited->event.pid == second && !exited->event.respawns);
  CHECK(exited->event.exit == SWARM_EXIT_SIGNAL && exited->event.code == SIGTERM);
  CHECK_TEXT("was ended by signal 15", exited->message);
  CHECK_STATUS(SWARM_ERR_NOT_FOUND, swarm_call_end(swarm_supervisor_kill(supervisor, 2), DEADLINE_MS, &error));

  CHECK_OK(swarm_call_end(swarm_supervisor_stop(supervisor), DEADLINE_MS, &error));
  long count = counter_get(&events.count);
  CHECK(events.all[count - 1].event.kind == SWARM_EVENT_STOPPED);
  CHECK_OK(swarm_call_end(swarm_supervisor_stop(supervisor), DEADLINE_MS, &error));
  CHECK_OK(swarm_supervisor_list(supervisor, &list, &error));
  CHECK(list->count == 0);
  swarm_processes_free(list);
  CHECK_STATUS(SWARM_ERR_CLOSED, swarm_supervisor_spawn(supervisor, program, NULL, 0, &error));
  CHECK_STATUS(SWARM_ERR_CLOSED, swarm_call_end(swarm_supervisor_kill(supervisor, 1), DEADLINE_MS, &error));
  CHECK_STATUS(SWARM_ERR_CLOSED, swarm_call_end(swarm_supervisor_reload(supervisor), DEADLINE_MS, &error));
  CHECK_STATUS(SWARM_ERR_CLOSED, swarm_supervisor_handle_signals(supervisor, &error));
  swarm_program_free(program);
  end(supervisor);
  CHECK(counter_get(&events.count) == count);
}

static void how_a_process_exited_is_reported(void) {
  swarm_supervisor_options *options = quick();
  swarm_supervisor_options_set(options, "max_respawns", "2");
  swarm_supervisor *supervisor = begin(options);
  uint64_t id = spawn(supervisor, shell("exit 7"));
  const uint64_t pauses[] = {10, 20, 0};
  for (int i = 0; i < 3; i++) {
    swarm_event event = next(SWARM_EVENT_EXITED)->event;
    CHECK(event.id == id && event.exit == SWARM_EXIT_CODE && event.code == 7);
    CHECK(event.respawns == (i < 2) && event.pause == pauses[i]);
  }
  emitted *gave_up = next(SWARM_EVENT_GAVE_UP);
  CHECK(gave_up->event.id == id);
  CHECK_TEXT("sh", gave_up->name);
  /* It is listed so once what it left has been seen to. */
  double until = now_ms() + DEADLINE_MS;
  for (bool listed = false; !listed;) {
    CHECK(now_ms() < until);
    swarm_processes *list = NULL;
    CHECK_OK(swarm_supervisor_list(supervisor, &list, &error));
    const swarm_process_info *info = list->processes[0];
    listed = list->count == 1 && info->state == SWARM_PROCESS_GAVE_UP;
    CHECK(!listed || (info->pid == 0 && info->restarts == 2));
    swarm_processes_free(list);
  }
  CHECK_OK(swarm_call_end(swarm_supervisor_kill(supervisor, id), DEADLINE_MS, &error));

  swarm_program *program = shell("kill -KILL $$");
  swarm_program_set(program, "respawn", "false");
  spawn(supervisor, program);
  swarm_event killed = next(SWARM_EVENT_EXITED)->event;
  CHECK(killed.exit == SWARM_EXIT_SIGNAL && killed.code == SIGKILL && !killed.respawns);

  id = spawn(supervisor, swarm_program_new("/nowhere/at-all"));
  emitted *not_started = next(SWARM_EVENT_EXITED);
  CHECK(not_started->event.exit == SWARM_EXIT_NOT_STARTED && not_started->event.pid == 0 && not_started->event.respawns);
  CHECK(strstr(not_started->message, "/nowhere/at-all") != NULL);
  CHECK_OK(swarm_call_end(swarm_supervisor_kill(supervisor, id), DEADLINE_MS, &error));

  program = shell("exec sleep 100");
  swarm_program_set(program, "ready", "explicit");
  swarm_program_set(program, "ready_timeout", "50");
  id = spawn(supervisor, program);
  while (next(SWARM_EVENT_EXITED)->event.exit != SWARM_EXIT_NOT_READY) {
  }
  end(supervisor);
}

static void lines_are_reported_and_those_not_taken_are_counted(void) {
  swarm_supervisor *supervisor = begin(quick());
  swarm_program *program = shell("echo $A; printf 'gr\\303\\274n\\n'; printf 'the last'; echo bad >&2; pwd");
  swarm_program_set(program, "env", "A=b c=d");
  swarm_program_set(program, "dir", "/usr");
  spawn(supervisor, program);
  const char *const expected[] = {"b c=d", "gr\303\274n", "the last/usr"};
  int out = 0, err = 0;
  while (out < 3 || err < 1) {
    emitted *line = next(SWARM_EVENT_LINE);
    CHECK_TEXT("sh", line->name);
    if (line->event.stream == SWARM_STREAM_STDERR) {
      CHECK_TEXT("bad", line->line);
      err++;
    } else {
      CHECK(line->event.stream == SWARM_STREAM_STDOUT && out < 3);
      CHECK_TEXT(expected[out], line->line);
      CHECK(line->event.line.len == strlen(expected[out]));
      out++;
    }
  }
  next(SWARM_EVENT_EXITED);
  end(supervisor);

  /* There is no callback until it has ended. */
  swarm_supervisor_options *options = quick();
  swarm_supervisor_options_set(options, "line_buffer", "65536");
  supervisor = make(options);
  spawn(supervisor, shell("seq 1 10000"));
  size_t left;
  do {
    swarm_processes *list = NULL;
    CHECK_OK(swarm_supervisor_list(supervisor, &list, &error));
    left = list->count;
    swarm_processes_free(list);
  } while (left > 0);
  swarm_supervisor_on_event(supervisor, keep, &events, forget);
  emitted *dropped = next(SWARM_EVENT_DROPPED);
  uint64_t kept = 0;
  for (long i = 0; i < events.seen; i++) kept += events.all[i].event.kind == SWARM_EVENT_LINE;
  CHECK(kept > 0 && kept + dropped->event.lines == 10000 && dropped->event.events == 0);
  end(supervisor);
}

/* What the next versions of a program are to do, for a shell that reads it when it is started. */
static char version[] = "/tmp/swarm-test-XXXXXX";

static void set_version(const char *text) {
  FILE *file = fopen(version, "w");
  CHECK(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

static counter ended = COUNTER_INIT;
static swarm_status ended_with;

static void note_end(void *user_data, const swarm_error *error, const swarm_call *call) {
  (void)call;
  (void)user_data;
  ended_with = swarm_error_status(error);
  counter_add(&ended);
}

static void check_ended(swarm_status expected) {
  CHECK(counter_reaches(&ended, 1));
  CHECK(ended_with == expected && counter_get(&ended) == 1);
  ended.count = 0;
}

static void reloads_replace_all_or_report_the_failure(void) {
  int fd = mkstemp(version);
  CHECK(fd >= 0 && close(fd) == 0);
  swarm_supervisor *supervisor = begin(quick());
  char script[256];
  snprintf(script, sizeof script, "case $(cat %s) in good) " SAY_READY ";; exits) exit 9;; esac; exec sleep 100", version);
  swarm_program *program = shell(script);
  swarm_program_set(program, "ready", "explicit");
  swarm_program_set(program, "ready_timeout", "500");
  set_version("good");
  uint64_t id = spawn(supervisor, program);
  uint32_t first = next(SWARM_EVENT_READY)->event.pid;
  CHECK_OK(swarm_call_end(swarm_supervisor_reload(supervisor), DEADLINE_MS, &error));
  uint32_t second = next(SWARM_EVENT_READY)->event.pid;
  CHECK(second != first && next(SWARM_EVENT_EXITED)->event.pid == first);
  CHECK(next(SWARM_EVENT_RELOADED)->event.id == 0);

  set_version("exits");
  CHECK_STATUS(SWARM_ERR_UNAVAILABLE, swarm_call_end(swarm_supervisor_reload(supervisor), DEADLINE_MS, &error));
  CHECK(next(SWARM_EVENT_EXITED)->event.code == 9);
  emitted *failed = next(SWARM_EVENT_RELOAD_FAILED);
  CHECK(failed->event.id == id && failed->status == SWARM_ERR_UNAVAILABLE);
  set_version("never");
  CHECK_OK(swarm_call_on_done(swarm_supervisor_reload(supervisor), SWARM_NO_TIMEOUT, note_end, NULL, NULL, &error));
  check_ended(SWARM_ERR_TIMEOUT);
  CHECK(next(SWARM_EVENT_RELOAD_FAILED)->status == SWARM_ERR_TIMEOUT);
  CHECK(runs(second));

  /* A stop ends a reload that is under way. */
  CHECK_OK(swarm_call_on_done(swarm_supervisor_reload(supervisor), SWARM_NO_TIMEOUT, note_end, NULL, NULL, &error));
  next(SWARM_EVENT_STARTED);
  CHECK_OK(swarm_call_end(swarm_supervisor_stop(supervisor), DEADLINE_MS, &error));
  check_ended(SWARM_ERR_CLOSED);
  failed = next(SWARM_EVENT_RELOAD_FAILED);
  CHECK(failed->event.id == 0 && failed->status == SWARM_ERR_CLOSED);
  end(supervisor);
  CHECK(unlink(version) == 0);
}

static void operations_without_waiting_end_once(void) {
  swarm_supervisor *supervisor = begin(quick());
  uint64_t id = spawn(supervisor, shell("exec sleep 100"));
  counter destroyed = COUNTER_INIT;
  CHECK_OK(swarm_call_on_done(swarm_supervisor_kill(supervisor, id + 1), SWARM_NO_TIMEOUT, note_end, NULL, NULL, &error));
  check_ended(SWARM_ERR_NOT_FOUND);
  CHECK_OK(swarm_call_on_done(swarm_supervisor_kill(supervisor, id), SWARM_NO_TIMEOUT, note_end, NULL, NULL, &error));
  check_ended(SWARM_OK);
  CHECK_OK(swarm_call_on_done(swarm_supervisor_reload(supervisor), SWARM_NO_TIMEOUT, NULL, &destroyed, count_destroy, &error));
  CHECK(counter_reaches(&destroyed, 1));

  /* Far more lines than are reported at once, and then the end. */
  spawn(supervisor, shell("seq 1 3000; trap 'exit 0' TERM; while :; do sleep 0.02; done"));
  for (int i = 0; i < 3000; i++) next(SWARM_EVENT_LINE);
  CHECK_OK(swarm_call_on_done(swarm_supervisor_stop(supervisor), SWARM_NO_TIMEOUT, note_end, NULL, NULL, &error));
  check_ended(SWARM_OK);
  CHECK(events.all[counter_get(&events.count) - 1].event.kind == SWARM_EVENT_STOPPED);
  CHECK_OK(swarm_call_on_done(swarm_supervisor_stop(supervisor), SWARM_NO_TIMEOUT, note_end, NULL, NULL, &error));
  check_ended(SWARM_OK);
  end(supervisor);

  /* One that takes longer than is waited for is stopped all the same. */
  supervisor = begin(quick());
  spawn(supervisor, shell("trap '' TERM; echo up; while :; do sleep 0.02; done"));
  next(SWARM_EVENT_LINE);
  CHECK_STATUS(SWARM_ERR_TIMEOUT, swarm_call_end(swarm_supervisor_stop(supervisor), 0, &error));
  CHECK(next(SWARM_EVENT_EXITED)->event.code == SIGKILL);
  next(SWARM_EVENT_STOPPED);
  end(supervisor);

  /* One that is freed meanwhile. */
  supervisor = begin(quick());
  id = spawn(supervisor, shell("trap '' TERM; echo up; while :; do sleep 0.02; done"));
  next(SWARM_EVENT_LINE);
  CHECK_OK(swarm_call_on_done(swarm_supervisor_kill(supervisor, id), SWARM_NO_TIMEOUT, note_end, NULL, NULL, &error));
  end(supervisor);
  check_ended(SWARM_OK);
}

static void freeing_gives_the_processes_their_grace(void) {
  swarm_supervisor_options *options = quick();
  swarm_supervisor_options_set(options, "grace", "30000");
  swarm_supervisor *supervisor = begin(options);
  spawn(supervisor, shell(SERVE));
  next(SWARM_EVENT_LINE);
  end(supervisor);
  /* The shell reports on stderr how its sleep ended. */
  emitted *line;
  do line = next(SWARM_EVENT_LINE);
  while (line->event.stream != SWARM_STREAM_STDOUT);
  CHECK_TEXT("well", line->line);
  CHECK(next(SWARM_EVENT_EXITED)->event.exit == SWARM_EXIT_CODE);

  /* There is no callback, and nothing was ever reported. */
  supervisor = make(quick());
  spawn(supervisor, shell("exec sleep 100"));
  CHECK(swarm_supervisor_free(supervisor) == SWARM_OK);
  /* With the defaults, and without processes. */
  supervisor = make(NULL);
  CHECK(swarm_supervisor_free(supervisor) == SWARM_OK);
}

/* Tries all that would wait for itself, and ends the supervisor without waiting. */
static void try_inside(void *user_data, const swarm_event *event) {
  swarm_supervisor *supervisor = *(swarm_supervisor **)user_data;
  if (event->kind == SWARM_EVENT_READY) {
    CHECK_STATUS(SWARM_ERR_IN_CALLBACK, swarm_call_end(swarm_supervisor_stop(supervisor), DEADLINE_MS, &error));
    CHECK_STATUS(SWARM_ERR_IN_CALLBACK, swarm_supervisor_dispatch(supervisor, &error));
    CHECK(swarm_supervisor_free(supervisor) == SWARM_ERR_IN_CALLBACK);
    uint64_t id = 0;
    swarm_program *program = shell("exit 0");
    CHECK_OK(swarm_supervisor_spawn(supervisor, program, &id, 1, &error));
    swarm_program_free(program);
    CHECK(id > event->id);
    CHECK_OK(swarm_call_on_done(swarm_supervisor_stop(supervisor), SWARM_NO_TIMEOUT, note_end, NULL, NULL, &error));
    /* No further one. */
    swarm_supervisor_on_event(supervisor, NULL, NULL, NULL);
  }
}

static void callbacks_may_do_all_that_does_not_wait_for_them(void) {
  swarm_supervisor *supervisor = make(quick());
  counter destroyed = COUNTER_INIT;
  swarm_supervisor_on_event(supervisor, try_inside, &supervisor, NULL);
  spawn(supervisor, shell("exec sleep 100"));
  check_ended(SWARM_OK);
  swarm_supervisor_on_event(supervisor, keep, &destroyed, count_destroy);
  swarm_supervisor_on_event(supervisor, keep, &destroyed, count_destroy);
  CHECK(counter_get(&destroyed) == 1);
  CHECK(swarm_supervisor_free(supervisor) == SWARM_OK);
  CHECK(counter_get(&destroyed) == 2);
}

static void events_come_on_the_polling_thread(void) {
  swarm_supervisor *supervisor = make(quick());
  int fd = -1, again = -1;
  CHECK_OK(swarm_supervisor_fd(supervisor, &fd, &error));
  swarm_supervisor_on_event(supervisor, keep, &events, forget);
  CHECK_OK(swarm_supervisor_fd(supervisor, &again, &error));
  CHECK(fd >= 0 && fd == again);
  spawn(supervisor, shell("seq 1 1000; " SERVE));
  double until = now_ms() + DEADLINE_MS;
  while (counter_get(&events.count) < 1003) {
    struct pollfd poller = {fd, POLLIN, 0};
    CHECK(now_ms() < until);
    if (poll(&poller, 1, 100) > 0) CHECK_OK(swarm_supervisor_dispatch(supervisor, &error));
  }
  CHECK(pthread_equal(events.thread, pthread_self()));
  /* It runs those that it leads to itself. */
  CHECK_OK(swarm_call_end(swarm_supervisor_stop(supervisor), DEADLINE_MS, &error));
  CHECK(events.all[counter_get(&events.count) - 1].event.kind == SWARM_EVENT_STOPPED);
  CHECK(pthread_equal(events.thread, pthread_self()));
  end(supervisor);

  supervisor = begin(quick());
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, swarm_supervisor_fd(supervisor, &fd, &error));
  end(supervisor);
}

#define REFUSED(call) CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, call)

static void bad_options_are_refused(void) {
  swarm_supervisor *supervisor = NULL;
  const char *const unreadable[][2] = {{"x", "1"}, {"lines", "1"}, {"grace", "soon"}, {"backoff", "slow"}, {"grace", "\xff"},
                                       {"backoff_jitter", "1.5"}, {"max_respawns", "10001"}, {"line_buffer", "1"}};
  const char *const outside[][2] = {{"grace", "3600001"}, {"backoff_delay", "0"}, {"respawn_window", "0"}};
  swarm_supervisor_options *options = NULL;
  for (size_t i = 0; i < sizeof unreadable / sizeof *unreadable; i++) {
    options = quick();
    swarm_supervisor_options_set(options, unreadable[i][0], unreadable[i][1]);
    REFUSED(swarm_supervisor_new(options, &supervisor, &error));
    swarm_supervisor_options_free(options);
  }
  for (size_t i = 0; i < sizeof outside / sizeof *outside; i++) {
    options = quick();
    swarm_supervisor_options_set(options, outside[i][0], outside[i][1]);
    REFUSED(swarm_supervisor_new(options, &supervisor, &error));
    CHECK(supervisor == NULL);
    swarm_supervisor_options_free(options);
  }

  supervisor = begin(quick());
  const char *const bad[][2] = {{"x", "1"}, {"env", "A"}, {"cpus", "3-1"}, {"ready", "never"}, {"count", "many"},
                                {"count", "0"}, {"count", "1001"}};
  const char *const wrong[][2] = {{"env", "=b"}, {"name", ""}, {"name", "a\nb"}, {"ready_timeout", "0"}};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    swarm_program *program = shell("exit 0");
    swarm_program_set(program, bad[i][0], bad[i][1]);
    REFUSED(swarm_supervisor_spawn(supervisor, program, NULL, 0, &error));
    swarm_program_free(program);
  }
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    swarm_program *program = shell("exit 0");
    uint64_t id = 7;
    swarm_program_set(program, wrong[i][0], wrong[i][1]);
    REFUSED(swarm_supervisor_spawn(supervisor, program, &id, 1, &error));
    CHECK(id == 7);
    swarm_program_free(program);
  }
  const char *const commands[] = {NULL, "", "\xff"};
  for (size_t i = 0; i < 3; i++) {
    swarm_program *program = swarm_program_new(commands[i]);
    REFUSED(swarm_supervisor_spawn(supervisor, program, NULL, 0, &error));
    swarm_program_free(program);
  }
  swarm_program *program = shell("exit 0");
  REFUSED(swarm_supervisor_spawn(supervisor, program, NULL, 1, &error));
  REFUSED(swarm_supervisor_spawn(supervisor, NULL, NULL, 0, &error));
  swarm_program_free(program);
  end(supervisor);
}

static void signals_that_the_program_blocks_reach_its_processes(void) {
  sigset_t all, before;
  sigfillset(&all);
  CHECK(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
  swarm_supervisor *supervisor = begin(quick());
  sigset_t now;
  CHECK(pthread_sigmask(SIG_SETMASK, &before, &now) == 0 && sigismember(&now, SIGTERM));
  spawn(supervisor, shell("kill -TERM $$; echo alive"));
  swarm_event event = next(SWARM_EVENT_EXITED)->event;
  CHECK(event.exit == SWARM_EXIT_SIGNAL && event.code == SIGTERM);
  end(supervisor);
}

static void a_forked_child_leaves_it_to_its_parent(void) {
  swarm_supervisor *supervisor = begin(quick());
  spawn(supervisor, shell("exec sleep 100"));
  uint32_t running = next(SWARM_EVENT_READY)->event.pid;
  fflush(NULL);
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    swarm_program *program = shell("exit 0");
    CHECK_STATUS(SWARM_ERR_FORKED, swarm_supervisor_spawn(supervisor, program, NULL, 0, &error));
    CHECK_STATUS(SWARM_ERR_FORKED, swarm_call_end(swarm_supervisor_stop(supervisor), DEADLINE_MS, &error));
    CHECK(swarm_supervisor_free(supervisor) == SWARM_OK);
    /* One of its own. */
    supervisor = begin(quick());
    spawn(supervisor, program);
    CHECK(next(SWARM_EVENT_EXITED)->event.code == 0);
    end(supervisor);
    _exit(7);
  }
  int status = 0;
  CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 7);
  CHECK(runs(running));
  end(supervisor);
  CHECK(!runs(running));
}

static void without_a_supervisor_ready_is_reported_to_none(void) {
  bool reported = true;
  CHECK_OK(swarm_ready(&reported, &error));
  CHECK(!reported);
  CHECK_OK(swarm_ready(NULL, &error));
  CHECK(setenv("SWARM_READY_FD", "no number", 1) == 0);
  REFUSED(swarm_ready(&reported, &error));
  CHECK(getenv("SWARM_READY_FD") == NULL);
  /* A supervisor that is gone: no SIGPIPE. */
  int ends[2];
  char number[16];
  CHECK(pipe(ends) == 0 && close(ends[0]) == 0);
  snprintf(number, sizeof number, "%d", ends[1]);
  CHECK(setenv("SWARM_READY_FD", number, 1) == 0);
  CHECK_OK(swarm_ready(&reported, &error));
  CHECK(!reported && getenv("SWARM_READY_FD") == NULL && close(ends[1]) != 0);
}

/* This program in a role, see below. */
static char *self;

static swarm_program *itself(const char *role) {
  swarm_program *program = swarm_program_new(self);
  swarm_program_set(program, "arg", role);
  swarm_program_set(program, "ready", "explicit");
  return program;
}

/* Reports that it is ready, and prints the answer. */
static int role_ready(void) {
  bool first = false, second = true;
  CHECK_OK(swarm_ready(&first, &error));
  CHECK_OK(swarm_ready(&second, &error));
  printf("%s %s %d %s\n", first ? "reported" : "not reported", second ? "again" : "once",
         strtol(getenv("SWARM_SUPERVISOR_PID"), NULL, 10) == getppid(), getenv("SWARM_PROCESS_NAME"));
  return 0;
}

static void a_process_reports_that_it_is_ready(void) {
  swarm_supervisor *supervisor = begin(quick());
  swarm_program *program = itself("ready");
  swarm_program_set(program, "name", "me");
  spawn(supervisor, program);
  uint32_t pid = next(SWARM_EVENT_READY)->event.pid;
  emitted *line = next(SWARM_EVENT_LINE);
  CHECK(line->event.pid == pid);
  CHECK_TEXT("reported once 1 me", line->line);
  CHECK(next(SWARM_EVENT_EXITED)->event.code == 0);
  end(supervisor);
}

/* A supervisor of its own that reloads and stops by signals, and prints the events that it received. */
static int role_signals(void) {
  swarm_supervisor_options *options = quick();
  swarm_supervisor_options_set(options, "forward", "true");
  swarm_supervisor_options_set(options, "lines", "false");
  swarm_supervisor *supervisor = begin(options);
  CHECK_OK(swarm_supervisor_handle_signals(supervisor, &error));
  swarm_program *program = shell("echo up; " SAY_READY "exec sleep 100");
  swarm_program_set(program, "ready", "explicit");
  spawn(supervisor, program);
  next(SWARM_EVENT_READY);
  CHECK_OK(swarm_ready(NULL, &error));
  CHECK(next(SWARM_EVENT_SIGNAL)->event.code == SIGHUP);
  next(SWARM_EVENT_RELOADED);
  printf("reloaded\n");
  fflush(stdout);
  CHECK(next(SWARM_EVENT_SIGNAL)->event.code == SIGTERM);
  next(SWARM_EVENT_STOPPED);
  printf("stopped\n");
  end(supervisor);
  return 5;
}

static void signals_reload_and_stop(void) {
  swarm_supervisor_options *options = quick();
  swarm_supervisor_options_set(options, "grace", "30000");
  swarm_supervisor *supervisor = begin(options);
  uint64_t id = spawn(supervisor, itself("signals"));
  pid_t pid = (pid_t)next(SWARM_EVENT_READY)->event.pid;
  CHECK(kill(pid, SIGHUP) == 0);
  emitted *line;
  do line = next(SWARM_EVENT_LINE);
  while (strcmp(line->line, "reloaded") != 0);
  CHECK_OK(swarm_call_on_done(swarm_supervisor_kill(supervisor, id), SWARM_NO_TIMEOUT, NULL, NULL, NULL, &error));
  do line = next(SWARM_EVENT_LINE);
  while (strcmp(line->line, "stopped") != 0);
  CHECK(next(SWARM_EVENT_EXITED)->event.code == 5);
  /* The lines of its process and of the one after it were forwarded. */
  int forwarded = 0;
  for (long i = 0; i < events.seen; i++) {
    const char *text = events.all[i].line;
    forwarded += strncmp(text, "[sh ", 4) == 0 && strstr(text, "] up") != NULL;
  }
  CHECK(forwarded == 2);
  end(supervisor);
}

/* Leaves by one way or another, without a word to its supervisor or the processes, of which one is a grandchild that ignores TERM. */
static int role_leave(const char *how) {
  static swarm_supervisor *supervisor;
  swarm_supervisor_options *options = quick();
  swarm_supervisor_options_set(options, "grace", "60000");
  supervisor = begin(options);
  spawn(supervisor, shell("trap '' TERM; (trap '' TERM; while :; do sleep 1; done) & echo $! $$; while :; do sleep 1; done"));
  printf("%s\n", next(SWARM_EVENT_LINE)->line);
  fflush(NULL);
  if (strcmp(how, "exit") == 0) exit(7);
  if (strcmp(how, "_exit") == 0) _exit(7);
  if (strcmp(how, "kill") == 0) raise(SIGKILL);
  return 7;
}

static void ends_and_leaves_no_process(const char *how) {
  int output[2], status = 0;
  CHECK(pipe(output) == 0);
  fflush(NULL);
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    dup2(output[1], 1);
    close(output[0]);
    close(output[1]);
    execl(self, self, how, (char *)NULL);
    _exit(127);
  }
  close(output[1]);
  FILE *printed = fdopen(output[0], "r");
  long grandchild = 0, child = 0;
  CHECK(printed != NULL && fscanf(printed, "%ld %ld", &grandchild, &child) == 2);
  CHECK(waitpid(pid, &status, 0) == pid);
  CHECK(strcmp(how, "kill") == 0 ? WIFSIGNALED(status) : WIFEXITED(status) && WEXITSTATUS(status) == 7);
  until_gone(child);
  until_gone(grandchild);
  fclose(printed);
}

static void returning_from_main_leaves_no_process(void) { ends_and_leaves_no_process("return"); }
static void exit_leaves_no_process(void) { ends_and_leaves_no_process("exit"); }
static void fast_exit_leaves_no_process(void) { ends_and_leaves_no_process("_exit"); }
static void being_killed_leaves_no_process(void) { ends_and_leaves_no_process("kill"); }

int main(int argc, char **argv) {
  self = argv[0];
  if (argc > 1) {
    if (strcmp(argv[1], "ready") == 0) return role_ready();
    if (strcmp(argv[1], "signals") == 0) return role_signals();
    return role_leave(argv[1]);
  }
  RUN(processes_are_started_listed_killed_and_stopped);
  RUN(how_a_process_exited_is_reported);
  RUN(lines_are_reported_and_those_not_taken_are_counted);
  RUN(reloads_replace_all_or_report_the_failure);
  RUN(operations_without_waiting_end_once);
  RUN(freeing_gives_the_processes_their_grace);
  RUN(callbacks_may_do_all_that_does_not_wait_for_them);
  RUN(events_come_on_the_polling_thread);
  RUN(bad_options_are_refused);
  RUN(signals_that_the_program_blocks_reach_its_processes);
  RUN(a_forked_child_leaves_it_to_its_parent);
  RUN(without_a_supervisor_ready_is_reported_to_none);
  RUN(a_process_reports_that_it_is_ready);
  RUN(signals_reload_and_stop);
  RUN(returning_from_main_leaves_no_process);
  RUN(exit_leaves_no_process);
  RUN(fast_exit_leaves_no_process);
  RUN(being_killed_leaves_no_process);
  return 0;
}
