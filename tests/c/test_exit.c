/* Programs that end with work in flight end: at once, with their own exit status, and without a crash. */
#include <sys/wait.h>

#include "support.h"

static swarm_master *master;
static swarm_worker *worker;
static counter added = COUNTER_INIT;

static void hold(void *user_data, swarm_job *job) {
  (void)user_data;
  swarm_job_free(job);
  counter_add(&added);
}

static void receive(void *user_data, const swarm_message *message) {
  (void)user_data;
  CHECK(swarm_message_details(message)->wants_reply);
}

static const char *choose_none(void *user_data, const char *job, const char *workers) {
  (void)user_data;
  (void)workers;
  CHECK(job != NULL);
  return NULL;
}

static void agree(void *user_data, int32_t code, const swarm_peer *from) {
  (void)user_data;
  CHECK(code == 7 && from->pid == (uint32_t)getpid());
}

static void never_agree(void *user_data, int32_t code, const swarm_peer *from) {
  agree(user_data, code, from);
  for (;;) pause();
}

/* Has the program end because it is asked to, by itself here, whatever its main thread waits for. */
static void be_asked(bool agrees) {
  swarm_member_on_kill(swarm_worker_member(worker), agrees ? agree : never_agree, NULL, NULL);
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, swarm_member_exit_on_kill(swarm_worker_member(worker), 3600001, &error));
  CHECK_OK(swarm_member_exit_on_kill(swarm_worker_member(worker), agrees ? DEADLINE_MS : 50, &error));
  CHECK_OK(swarm_call_end(swarm_member_ready(swarm_worker_member(worker)), DEADLINE_MS, &error));
  swarm_new_message all = SWARM_NEW_MESSAGE_INIT;
  swarm_call *receipt = NULL;
  CHECK_OK(answered(swarm_member_kill(swarm_master_member(master), &all, 7), DEADLINE_MS, &receipt, &error));
  CHECK(swarm_call_receipt(receipt)->recipient_count == 1);
  swarm_call_free(receipt);
  for (;;) pause();
}

/* The program that ends: everything is left open, with adds and requests on their way, active jobs and others to be chosen for. */
static int leave(const char *how) {
  swarm_options *options = test_options("exit");
  worker = new_worker(options);
  swarm_worker_on_add(worker, hold, NULL, NULL);
  swarm_member_on_message(swarm_worker_member(worker), receive, NULL, NULL);
  start_worker(worker);
  master = start_master(options);
  swarm_options_free(options);
  for (int i = 0; i < 500; i++) {
    CHECK_OK(swarm_call_on_done(swarm_master_add(master, swarm_bytes_of("1"), NULL), SWARM_NO_TIMEOUT, NULL, NULL, NULL, &error));
  }
  swarm_new_message request = SWARM_NEW_MESSAGE_INIT;
  request.payload = swarm_bytes_of("1");
  request.request_ms = DEADLINE_MS;
  for (int i = 0; i < 100; i++) CHECK_OK(swarm_call_on_done(swarm_member_send(swarm_master_member(master), &request), SWARM_NO_TIMEOUT, NULL, NULL, NULL, &error));
  swarm_member_on_message(swarm_worker_member(worker), receive, NULL, NULL);
  CHECK(counter_reaches(&added, 1));
  CHECK_OK(swarm_call_end(swarm_master_choose(master, 10, NULL, 0, choose_none, NULL, NULL), DEADLINE_MS, &error));
  if (strcmp(how, "exit") == 0) exit(7);
  if (strcmp(how, "_exit") == 0) _exit(7);
  if (strcmp(how, "asked") == 0) be_asked(true);
  if (strcmp(how, "grace") == 0) be_asked(false);
  return 7;
}

static char *self;

static void ends(const char *how) {
  for (int i = 0; i < 5; i++) {
    fflush(NULL);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
      alarm(DEADLINE_MS / 1000);
      execl(self, self, how, (char *)NULL);
      _exit(127);
    }
    int status = 0;
    CHECK(waitpid(pid, &status, 0) == pid);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 7) fprintf(stderr, "%s: status %x\n", how, (unsigned)status);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
  }
}

static void returning_from_main_ends_the_program(void) { ends("return"); }
static void exit_ends_the_program(void) { ends("exit"); }
static void fast_exit_ends_the_program(void) { ends("_exit"); }
static void a_request_to_exit_ends_the_program(void) { ends("asked"); }
static void the_grace_ends_the_program(void) { ends("grace"); }

int main(int argc, char **argv) {
  self = argv[0];
  if (argc > 1) return leave(argv[1]);
  RUN(returning_from_main_ends_the_program);
  RUN(exit_ends_the_program);
  RUN(fast_exit_ends_the_program);
  RUN(a_request_to_exit_ends_the_program);
  RUN(the_grace_ends_the_program);
  return 0;
}
