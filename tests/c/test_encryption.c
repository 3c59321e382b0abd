/* Values that are encrypted and compressed on their way to Redis. */
#include "support.h"

#define KEY "k1:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
#define OTHER "k2:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
#define SECRET "plain-text-marker"

static swarm_job_options awaited(const char *id) {
  swarm_job_options job = SWARM_JOB_OPTIONS_INIT;
  job.id = id;
  job.result = true;
  return job;
}

static void only_members_with_the_key_read_values(void) {
  swarm_options *options = test_options("encryption"), *without = test_options("encryption");
  swarm_options_set(options, "codec_keys", KEY);
  swarm_options_set(options, "codec_required", "true");
  swarm_options_set(options, "compress_from", "64");
  swarm_options_set(without, "codec_keys", OTHER);
  swarm_master *master = start_master(options), *blind = start_master(without);
  keeper kept;
  keeper_start(&kept, options);
  swarm_job_options a = awaited("a"), b = awaited("b");
  add_job(master, "\"" SECRET SECRET SECRET SECRET SECRET "\"", &a, NULL);
  swarm_job *job = kept_job(&kept, 0);
  swarm_bytes payload = swarm_job_payload(job);
  CHECK(payload.len == 5 * strlen(SECRET) + 2 && memcmp(payload.data, "\"" SECRET, 1 + strlen(SECRET)) == 0);
  CHECK_OK(finish_and_wait(job, swarm_result_complete(swarm_bytes_of("\"" SECRET "\""), SWARM_CONTENT_JSON), &error));
  swarm_call *outcome = NULL;
  CHECK_OK(answered(swarm_master_result(master, "a"), DEADLINE_MS, &outcome, &error));
  swarm_call_free(outcome);
  swarm_error *why = NULL;
  CHECK(answered(swarm_master_result(blind, "a"), DEADLINE_MS, &outcome, &why) == SWARM_ERR_CODEC);
  CHECK(strstr(swarm_error_message(why), "the key `k1`, which this member does not have: add it to codec_keys") != NULL);
  swarm_error_free(why);
  add_job(master, "\"" SECRET "\"", &b, NULL);
  CHECK_OK(finish_and_wait(kept_job(&kept, 1), swarm_result_fail(SECRET), &error));
  char json[4096];
  read_json(swarm_master_job(master, "b"), json);
  CHECK(strstr(json, "\"payload\":\"" SECRET "\"") != NULL && strstr(json, "payload_encoded") == NULL);
  read_json(swarm_master_job(blind, "b"), json);
  CHECK(strstr(json, "\"payload_encoded\":true") != NULL && strstr(json, SECRET) == NULL);
  /* A value that is not encrypted is refused. */
  swarm_job_options c = awaited("c");
  add_job(blind, "1", &c, NULL);
  CHECK_OK(answered(swarm_master_result(blind, "c"), DEADLINE_MS, &outcome, &error));
  CHECK_TEXT("undecodable", swarm_outcome_details(swarm_call_outcome(outcome, 0))->reason);
  swarm_call_free(outcome);
  CHECK(swarm_worker_free(kept.worker) == SWARM_OK);
  CHECK(swarm_master_free(blind) == SWARM_OK);
  end_master(master);
  swarm_options_free(options);
  swarm_options_free(without);
}

static void keys_that_cannot_be_read_are_not_shown(void) {
  swarm_options *options = test_options("encryption");
  swarm_options_set(options, "codec_keys", "k1:hunter2");
  swarm_master *master = NULL;
  swarm_error *why = NULL;
  CHECK(swarm_master_new(options, &master, &why) == SWARM_ERR_INVALID_ARGUMENT);
  CHECK(strstr(swarm_error_message(why), "codec_keys") != NULL && strstr(swarm_error_message(why), "hunter2") == NULL);
  swarm_error_free(why);
  swarm_options_free(options);
}

int main(void) {
  RUN(only_members_with_the_key_read_values);
  RUN(keys_that_cannot_be_read_are_not_shown);
  return 0;
}
