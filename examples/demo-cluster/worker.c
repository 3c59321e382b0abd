/* The worker in C: worker-c <cluster>. SWARM_REDIS_URL says where Redis is. What workers do is written down in demo.py. */
#define _POSIX_C_SOURCE 200809L
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <swarm.h>
#include <time.h>

static const char *const names[] = {"c", "node", "python"};
static swarm_worker *worker;
/* Greetings received: three ways from each. */
static bool received[3][3];

static void report(swarm_error *error) {
  if (error == NULL) return;
  fprintf(stderr, "%s\n", swarm_error_message(error));
  swarm_error_free(error);
}

static swarm_result *square(void *user_data, const swarm_job *job) {
  (void)user_data;
  swarm_bytes payload = swarm_job_payload(job);
  char text[32] = {0};
  memcpy(text, payload.data, payload.len < sizeof text ? payload.len : sizeof text - 1);
  long number = strtol(text, NULL, 10);
  nanosleep(&(struct timespec){0, 1000000}, NULL);
  snprintf(text, sizeof text, "%ld", number * number);
  return swarm_result_complete(swarm_bytes_of(text), SWARM_CONTENT_JSON);
}

static void send(int to, const char *name, const char *json) {
  swarm_error *error = NULL;
  swarm_new_message message = SWARM_NEW_MESSAGE_INIT;
  message.to = to;
  message.name = name;
  message.payload = swarm_bytes_of(json);
  if (swarm_call_on_done(swarm_member_send(swarm_worker_member(worker), &message), SWARM_NO_TIMEOUT, NULL, NULL, NULL, &error) != SWARM_OK) report(error);
}

static void on_message(void *user_data, const swarm_message *message) {
  (void)user_data;
  static const char *const ways[] = {"\"private\"", "\"group\"", "\"public\""};
  swarm_bytes payload = swarm_message_details(message)->payload;
  if (payload.len == strlen("\"greet\"") && memcmp(payload.data, "\"greet\"", payload.len) == 0) {
    send(SWARM_TO_NAME, "node", ways[0]);
    send(SWARM_TO_NAME, "python", ways[0]);
    send(SWARM_TO_GROUP, "workers", ways[1]);
    send(SWARM_TO_ALL, NULL, ways[2]);
    return;
  }
  int count = 0;
  for (int from = 0; from < 3; from++) {
    for (int way = 0; way < 3; way++) {
      bool same = payload.len == strlen(ways[way]) && memcmp(payload.data, ways[way], payload.len) == 0;
      if (same && strcmp(swarm_message_details(message)->from->name, names[from]) == 0) received[from][way] = true;
      count += received[from][way];
    }
  }
  swarm_error *error = NULL;
  if (count == 6 && swarm_call_on_done(swarm_member_confirm(swarm_worker_member(worker), "greeted"), SWARM_NO_TIMEOUT, NULL, NULL, NULL, &error) != SWARM_OK) report(error);
}

static void on_error(void *user_data, const swarm_error *error) {
  (void)user_data;
  fprintf(stderr, "%s\n", swarm_error_message(error));
}

static int failed(swarm_error *error) {
  report(error);
  return 1;
}

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
  /* Blocked before the library makes its threads, so that only sigwait gets it. */
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigprocmask(SIG_BLOCK, &ends, NULL);

  swarm_error *error = NULL;
  swarm_options *options = swarm_options_new(argv[1]);
  swarm_options_set(options, "url", getenv("SWARM_REDIS_URL"));
  swarm_options_set(options, "name", "c");
  swarm_options_set(options, "group", "workers");
  swarm_options_set(options, "lease", "2000");
  /* Callbacks come one at a time: few jobs wait for their turn here. */
  swarm_options_set(options, "slots", "4");
  swarm_status made = swarm_worker_new(options, &worker, &error);
  swarm_options_free(options);
  if (made != SWARM_OK) return failed(error);
  swarm_member_on_error(swarm_worker_member(worker), on_error, NULL, NULL);
  swarm_member_on_message(swarm_worker_member(worker), on_message, NULL, NULL);
  if (swarm_worker_process(worker, NULL, square, NULL, NULL, &error) != SWARM_OK) return failed(error);
  if (swarm_worker_start(worker, &error) != SWARM_OK) return failed(error);
  /* Waits until it receives messages, too. */
  if (swarm_call_end(swarm_member_ready(swarm_worker_member(worker)), 10000, &error) != SWARM_OK) return failed(error);
  puts("ready");
  if (swarm_ready(NULL, &error) != SWARM_OK) return failed(error);

  int signal_number;
  sigwait(&ends, &signal_number);
  swarm_call_end(swarm_worker_drain(worker), 10000, NULL);
  swarm_worker_free(worker);
  return 0;
}
