/* Without Redis: typed errors, within their time, and members that can still be freed. Log records. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>

#include "support.h"

typedef struct {
  counter reported;
  swarm_status status;
} trouble;

static void on_error(void *user_data, const swarm_error *error) {
  trouble *trouble = user_data;
  CHECK(swarm_error_message(error)[0] != 0);
  trouble->status = swarm_error_status(error);
  counter_add(&trouble->reported);
}

/* Options for a port without a server. */
static swarm_options *nowhere(void) {
  swarm_options *options = swarm_options_new("nowhere");
  swarm_options_set(options, "url", "redis://127.0.0.1:1");
  swarm_options_set(options, "timeout", "300");
  return options;
}

static void a_wrong_address_is_reported_and_not_waited_for(void) {
  trouble of_worker = {COUNTER_INIT, SWARM_OK}, of_master = {COUNTER_INIT, SWARM_OK};
  swarm_options *options = nowhere();
  swarm_worker *worker = new_worker(options);
  swarm_worker_on_add(worker, echo, NULL, NULL);
  swarm_member_on_error(swarm_worker_member(worker), on_error, &of_worker, NULL);
  CHECK_OK(swarm_worker_start(worker, &error));
  CHECK_STATUS(SWARM_ERR_UNAVAILABLE, swarm_call_end(swarm_member_ready(swarm_worker_member(worker)), DEADLINE_MS, &error));
  CHECK(counter_reaches(&of_worker.reported, 1) && of_worker.status == SWARM_ERR_UNAVAILABLE);
  swarm_master *master = NULL;
  CHECK_OK(swarm_master_new(options, &master, &error));
  swarm_member_on_error(swarm_master_member(master), on_error, &of_master, NULL);
  CHECK(counter_reaches(&of_master.reported, 1) && of_master.status == SWARM_ERR_UNAVAILABLE);
  swarm_error *error = NULL;
  CHECK(swarm_call_end(swarm_master_add(master, swarm_bytes_of("1"), NULL), DEADLINE_MS, &error) == SWARM_ERR_UNAVAILABLE);
  CHECK(swarm_error_is_retryable(error) && strstr(swarm_error_message(error), "127.0.0.1:1") != NULL);
  swarm_error_free(error);
  CHECK_STATUS(SWARM_ERR_TIMEOUT, swarm_call_end(swarm_master_add(master, swarm_bytes_of("1"), NULL), 20, &error));
  swarm_health health = SWARM_HEALTH_INIT;
  CHECK_OK(swarm_member_health(swarm_master_member(master), &health, &error));
  CHECK(!health.healthy && !health.connected && health.trouble == SWARM_ERR_UNAVAILABLE && health.trouble_message[0] != 0);
  /* Reported once, not once for each attempt. */
  CHECK(counter_get(&of_worker.reported) == 1 && counter_get(&of_master.reported) == 1);
  CHECK(swarm_master_free(master) == SWARM_OK);
  CHECK(swarm_worker_free(worker) == SWARM_OK);
  swarm_options_free(options);
}

static void freeing_does_not_wait_for_redis(void) {
  swarm_options *options = nowhere();
  swarm_options_set(options, "timeout", "3600000");
  counter destroyed = COUNTER_INIT;
  double before = now_ms();
  swarm_master *master = NULL;
  CHECK_OK(swarm_master_new(options, &master, &error));
  CHECK_OK(swarm_call_on_done(swarm_master_add(master, swarm_bytes_of("1"), NULL), SWARM_NO_TIMEOUT, NULL, &destroyed, count_destroy, &error));
  swarm_worker *worker = new_worker(options);
  swarm_worker_on_add(worker, echo, NULL, NULL);
  CHECK_OK(swarm_worker_start(worker, &error));
  CHECK(swarm_worker_free(worker) == SWARM_OK);
  CHECK(swarm_master_free(master) == SWARM_OK);
  CHECK(counter_get(&destroyed) == 1);
  CHECK(now_ms() - before < 20000);
  swarm_options_free(options);
}

static int cutting;

/* Cuts all connections to Redis but its own, over and over, until it is to end. */
static void *cut_connections(void *cuts) {
  static const char command[] = "CLIENT KILL TYPE normal SKIPME yes\r\n";
  const char *url = getenv("SWARM_REDIS_URL");
  CHECK(strncmp(url, "redis://127.0.0.1:", 18) == 0);
  struct sockaddr_in address = {0};
  address.sin_family = AF_INET;
  address.sin_port = htons((uint16_t)atoi(strrchr(url, ':') + 1));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  CHECK(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
  while (__atomic_load_n(&cutting, __ATOMIC_RELAXED)) {
    char answer[32];
    CHECK(send(fd, command, sizeof command - 1, 0) == (ssize_t)(sizeof command - 1));
    CHECK(recv(fd, answer, sizeof answer, 0) > 1 && answer[0] == ':');
    if (answer[1] != '0') counter_add(cuts);
  }
  close(fd);
  return NULL;
}

static void cut_connections_heal(void) {
  /* A program that does not care about SIGPIPE: its default action would end it. */
  CHECK(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
  enum { CUTS = 60 };
  swarm_options *options = test_options("cut");
  swarm_worker *worker = new_worker(options);
  swarm_worker_on_add(worker, echo, NULL, NULL);
  start_worker(worker);
  swarm_master *master = start_master(options);
  counter cuts = COUNTER_INIT, destroyed = COUNTER_INIT;
  pthread_t cutter;
  cutting = 1;
  CHECK(pthread_create(&cutter, NULL, cut_connections, &cuts) == 0);
  long adds = 0;
  while (counter_get(&cuts) < CUTS) {
    /* Some at once, so that there is always something to write. */
    for (int i = 0; i < 20; i++, adds++) {
      CHECK_OK(swarm_call_on_done(swarm_master_add(master, swarm_bytes_of("1"), NULL), SWARM_NO_TIMEOUT, NULL, &destroyed, count_destroy, &error));
    }
    CHECK(counter_reaches(&destroyed, adds - 60));
  }
  __atomic_store_n(&cutting, 0, __ATOMIC_RELAXED);
  CHECK(pthread_join(cutter, NULL) == 0);
  CHECK(counter_reaches(&destroyed, adds));
  CHECK_OK(swarm_call_end(swarm_member_ready(swarm_master_member(master)), DEADLINE_MS, &error));
  /* Connected again, both work. */
  swarm_call *outcome = NULL;
  CHECK_OK(answered(swarm_master_run(master, swarm_bytes_of("1"), NULL), DEADLINE_MS, &outcome, &error));
  CHECK(swarm_outcome_details(swarm_call_outcome(outcome, 0))->completed);
  swarm_call_free(outcome);
  CHECK_OK(swarm_call_end(swarm_worker_drain(worker), DEADLINE_MS, &error));
  CHECK(swarm_worker_free(worker) == SWARM_OK);
  end_master(master);
  swarm_options_free(options);
}

typedef struct {
  counter *logged, *destroyed;
} log_data;

static void log_data_destroy(void *user_data) { counter_add(((log_data *)user_data)->destroyed); }

static void on_log(void *user_data, int32_t level, const char *target, const char *message) {
  CHECK(level >= 1 && level <= 4 && target[0] != 0 && message[0] != 0);
  counter_add(((log_data *)user_data)->logged);
}

static void log_records_come_if_wanted(void) {
  counter logged = COUNTER_INIT, destroyed = COUNTER_INIT;
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, swarm_set_log_callback(-1, on_log, NULL, NULL, &error));
  counter first_destroyed = COUNTER_INIT;
  log_data data = {&logged, &first_destroyed};
  CHECK_OK(swarm_set_log_callback(4, on_log, &data, log_data_destroy, &error));
  swarm_options *options = nowhere();
  swarm_master *master = NULL;
  CHECK_OK(swarm_master_new(options, &master, &error));
  CHECK(counter_reaches(&logged, 1));
  CHECK(swarm_master_free(master) == SWARM_OK);
  swarm_options_free(options);
  CHECK_OK(swarm_set_log_callback(1, on_log, &destroyed, count_destroy, &error));
  CHECK(counter_reaches(&first_destroyed, 1));
  CHECK_OK(swarm_set_log_callback(0, NULL, NULL, NULL, &error));
  CHECK(counter_reaches(&destroyed, 1));
}

int main(void) {
  RUN(a_wrong_address_is_reported_and_not_waited_for);
  RUN(freeing_does_not_wait_for_redis);
  RUN(cut_connections_heal);
  RUN(log_records_come_if_wanted);
  return 0;
}
