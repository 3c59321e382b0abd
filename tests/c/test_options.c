/* Options: refused with a reason, or taken. */
#include "support.h"

/* Sets one option. Whether a member can be made with them. */
static swarm_status set(swarm_options *options, const char *name, const char *value, swarm_error **error) {
  swarm_options_set(options, name, value);
  swarm_worker *worker = NULL;
  swarm_status status = swarm_worker_new(options, &worker, error);
  CHECK(swarm_worker_free(worker) == SWARM_OK);
  return status;
}

static void bad_options_are_refused_by_name(void) {
  static const char *const bad[][2] = {
      {"colour", "red"}, {"lease", "soon"}, {"lease", "-1"}, {"slots", "many"}, {"slots", "-1"},
      {"slots", "99999999999999999999"}, {"url", "localhost"}, {"url", "http://x"}, {"url", ""}, {"port", "70000"},
      {"rejoin", "yes"}, {"eviction", "maybe"}, {"", ""}, {"lease", "\xff"},
  };
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    swarm_options *options = test_options("options");
    swarm_error *error = NULL;
    CHECK(set(options, bad[i][0], bad[i][1], &error) == SWARM_ERR_INVALID_ARGUMENT);
    /* The error is about the first that was refused, whatever is set after it. */
    char first[512];
    snprintf(first, sizeof first, "%s", swarm_error_message(error));
    swarm_error_free(error);
    error = NULL;
    CHECK(set(options, "lease", "x", &error) == SWARM_ERR_INVALID_ARGUMENT);
    CHECK_TEXT(first, swarm_error_message(error));
    swarm_error_free(error);
    CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, set(options, "lease", "2000", &error));
    swarm_options_free(options);
  }
  swarm_options *options = test_options("options");
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, set(options, NULL, "x", &error));
  swarm_options_free(options);
  options = test_options("options");
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, set(options, "name", NULL, &error));
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, set(NULL, "name", "x", &error));
  swarm_options_free(options);
  options = test_options("options");
  CHECK_OK(set(options, "lease", "2000", &error));
  swarm_master *master = NULL;
  CHECK_OK(swarm_master_new(options, &master, &error));
  CHECK(swarm_master_free(master) == SWARM_OK);
  swarm_options_free(options);
}

static void check_refused(swarm_options *options) {
  swarm_master *master = (swarm_master *)options;
  swarm_worker *worker = (swarm_worker *)options;
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, swarm_master_new(options, &master, &error));
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, swarm_worker_new(options, &worker, &error));
  /* Outputs are untouched on failure. */
  CHECK(master == (swarm_master *)options && worker == (swarm_worker *)options);
  CHECK(swarm_worker_new(options, &worker, NULL) == SWARM_ERR_INVALID_ARGUMENT);
  swarm_options_free(options);
}

static void values_out_of_bounds_are_refused_when_a_member_is_made(void) {
  swarm_options *options = test_options("options");
  swarm_options_set(options, "url", "localhost");
  check_refused(options);
  options = test_options("options");
  swarm_options_set(options, "url", NULL);
  check_refused(options);
  options = test_options("options");
  swarm_options_set(options, "slots", "0");
  check_refused(options);
  options = test_options("options");
  swarm_options_set(options, "lease", "999");
  check_refused(options);
  options = test_options("options");
  swarm_options_set(options, "name", "a\nb");
  check_refused(options);
}

static void bad_cluster_names_are_refused(void) {
  char longest[300];
  memset(longest, 'x', sizeof longest - 1);
  longest[256] = 0;
  swarm_options *options = swarm_options_new(longest);
  swarm_master *master = NULL;
  CHECK_OK(swarm_master_new(options, &master, &error));
  CHECK(swarm_master_free(master) == SWARM_OK);
  swarm_options_free(options);
  longest[256] = 'x';
  longest[257] = 0;
  options = swarm_options_new(longest);
  CHECK_STATUS(SWARM_ERR_TOO_LARGE, swarm_master_new(options, &master, &error));
  swarm_options_free(options);
  check_refused(swarm_options_new(NULL));
  check_refused(swarm_options_new(""));
  check_refused(swarm_options_new("a{b}"));
  check_refused(swarm_options_new("a\nb"));
  check_refused(swarm_options_new("\xff"));
}

static void every_option_is_taken_by_name(void) {
  static const char *const good[][2] = {
      {"host", "localhost"}, {"port", "6379"}, {"db", "3"}, {"prefix", "other"}, {"username", "u"}, {"password", "p"},
      {"lease", "2000"}, {"timeout", "1000"}, {"max_payload", "1024"}, {"eviction", "warn"}, {"name", "n"}, {"group", "g"},
      {"slots", "4"}, {"window", "10"}, {"max_crashes", "1"}, {"rejoin", "false"}, {"requeue", "back"}, {"language", "c"},
      {"priority_slots", "5:2"}, {"strict_slots", "true"}, {"prefetch", "10"}, {"task", "resize"}, {"task", ""}, {"rebalance", "true"},
      {"failed_max", "100"}, {"failed_ttl", "60000"}, {"completed_max", "0"}, {"completed_max_bytes", "1048576"}, {"completed_ttl", "60000"},
      {"codec_keys", "k:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="}, {"codec_required", "true"}, {"compress_from", "64"},
  };
  swarm_options *options = test_options("options");
  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) CHECK_OK(set(options, good[i][0], good[i][1], &error));
  swarm_worker *worker = new_worker(options);
  CHECK(swarm_worker_free(worker) == SWARM_OK);
  swarm_options_free(options);
}

int main(void) {
  RUN(bad_options_are_refused_by_name);
  RUN(values_out_of_bounds_are_refused_when_a_member_is_made);
  RUN(bad_cluster_names_are_refused);
  RUN(every_option_is_taken_by_name);
  return 0;
}
