/* Credentials that a function of the program returns. */
#include "support.h"

static counter asked = COUNTER_INIT;
static counter destroyed = COUNTER_INIT;

/* The user `default` of the test server has no password, so that any is accepted. */
static void credentials_of_program(void *user_data, swarm_credentials *credentials) {
  (void)user_data;
  counter_add(&asked);
  CHECK(swarm_credentials_set(credentials, "default", "any") == SWARM_OK);
}

static void give_none(void *user_data, swarm_credentials *credentials) {
  (void)user_data;
  CHECK(swarm_credentials_set(credentials, NULL, NULL) == SWARM_ERR_INVALID_ARGUMENT);
}

static void a_function_returns_the_credentials(void) {
  swarm_options *options = test_options("credentials");
  swarm_options_set(options, "credentials_interval", "100");
  swarm_options_set_credentials(options, credentials_of_program, &destroyed, count_destroy);
  swarm_master *master = start_master(options);
  CHECK(counter_get(&asked) > 0);
  long before = counter_get(&asked);
  CHECK(counter_reaches(&asked, before + 3));
  add_job(master, "1", NULL, NULL);
  end_master(master);
  CHECK(counter_get(&destroyed) == 0);
  swarm_options_free(options);
  CHECK(counter_reaches(&destroyed, 1));
}

static void without_credentials_a_master_is_not_ready(void) {
  swarm_options *options = test_options("no-credentials");
  swarm_options_set_credentials(options, give_none, NULL, NULL);
  swarm_master *master = NULL;
  CHECK_OK(swarm_master_new(options, &master, &error));
  CHECK_STATUS(SWARM_ERR_AUTH_FAILED, swarm_call_end(swarm_member_ready(swarm_master_member(master)), DEADLINE_MS, &error));
  CHECK(swarm_master_free(master) == SWARM_OK);
  swarm_options_free(options);
}

static void options_that_exclude_each_other_are_refused(void) {
  const char *const names[] = {"password", "credentials_file"};
  for (size_t i = 0; i < 2; i++) {
    swarm_options *options = test_options("both-credentials");
    swarm_options_set_credentials(options, credentials_of_program, NULL, NULL);
    swarm_options_set(options, names[i], "x");
    swarm_master *master = NULL;
    CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, swarm_master_new(options, &master, &error));
    swarm_options_free(options);
  }
  swarm_options_set_credentials(NULL, credentials_of_program, &destroyed, count_destroy);
  CHECK(counter_get(&destroyed) == 2);
  CHECK(swarm_credentials_set(NULL, NULL, "x") == SWARM_OK);
}

int main(void) {
  RUN(a_function_returns_the_credentials);
  RUN(without_credentials_a_master_is_not_ready);
  RUN(options_that_exclude_each_other_are_refused);
  return 0;
}
