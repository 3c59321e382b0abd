/* The header is complete in itself, may be included twice, and belongs to the library. */
#include <swarm.h>
#include <swarm.h>

#include "check.h"

static void the_header_is_of_this_library(void) {
  CHECK_TEXT(SWARM_VERSION, swarm_version());
  CHECK(SWARM_ABI_VERSION == swarm_abi_version());
  char version[64];
  snprintf(version, sizeof version, "%d.%d.%d", SWARM_VERSION_MAJOR, SWARM_VERSION_MINOR, SWARM_VERSION_PATCH);
  CHECK(strncmp(version, SWARM_VERSION, strlen(version)) == 0);
  CHECK(SWARM_VERSION_NUMBER == SWARM_VERSION_MAJOR * 1000000 + SWARM_VERSION_MINOR * 1000 + SWARM_VERSION_PATCH);
}

static void structs_begin_with_their_size(void) {
  swarm_job_options job_options = SWARM_JOB_OPTIONS_INIT;
  swarm_health health = SWARM_HEALTH_INIT;
  CHECK(job_options.struct_size == sizeof job_options && job_options.id == NULL && !job_options.result);
  CHECK(job_options.backoff == SWARM_BACKOFF_FIXED && job_options.headers == NULL && job_options.header_count == 0);
  CHECK(!job_options.ephemeral && job_options.durability == SWARM_DURABILITY_MEMORY && job_options.backoff_jitter == 0);
  CHECK(job_options.keep_completed == SWARM_DEFAULT);
  CHECK(job_options.result_ttl == SWARM_DEFAULT && job_options.backoff_delay == SWARM_DEFAULT && job_options.run_timeout == SWARM_DEFAULT);
  CHECK(health.struct_size == sizeof health && health.incarnation[0] == 0);
  swarm_limit limit = SWARM_LIMIT_INIT;
  swarm_flow_options flow = SWARM_FLOW_OPTIONS_INIT;
  CHECK(flow.struct_size == sizeof flow && flow.id == NULL && flow.shape == SWARM_FLOW_GRAPH && !flow.cancel_rest);
  swarm_schedule_options schedule = SWARM_SCHEDULE_OPTIONS_INIT;
  CHECK(schedule.struct_size == sizeof schedule && schedule.cron == NULL && schedule.tz == NULL && schedule.jitter == 0);
  CHECK(schedule.every == SWARM_DEFAULT && schedule.after_end == SWARM_DEFAULT && schedule.limit == SWARM_DEFAULT);
  CHECK(schedule.start == SWARM_DEFAULT && schedule.end == SWARM_DEFAULT);
  CHECK(schedule.overlap == SWARM_OVERLAP_SKIP && schedule.catch_up == SWARM_CATCH_UP_LAST);
  CHECK(limit.struct_size == sizeof limit && limit.rate == SWARM_DEFAULT && limit.per == SWARM_DEFAULT);
  CHECK(limit.burst == SWARM_DEFAULT && limit.concurrency == SWARM_DEFAULT && job_options.limits == NULL);
  swarm_new_message message = SWARM_NEW_MESSAGE_INIT;
  CHECK(message.struct_size == sizeof message && message.to == SWARM_TO_ALL && message.content_type == SWARM_CONTENT_JSON);
  CHECK(!message.to_self && message.acknowledged_ms == SWARM_DEFAULT && message.request_ms == SWARM_DEFAULT && message.name == NULL);
}

static void statuses_have_names(void) {
  CHECK_TEXT("OK", swarm_status_name(SWARM_OK));
  CHECK_TEXT("TIMEOUT", swarm_status_name(SWARM_ERR_TIMEOUT));
  CHECK_TEXT("INTERNAL", swarm_status_name(SWARM_ERR_INTERNAL));
  CHECK_TEXT("NOT_DURABLE", swarm_status_name(SWARM_ERR_NOT_DURABLE));
  CHECK_TEXT("MESSAGES_DROPPED", swarm_status_name(SWARM_ERR_MESSAGES_DROPPED));
  CHECK(SWARM_ERR_MESSAGES_DROPPED == 31);
  CHECK_TEXT("UNKNOWN", swarm_status_name(SWARM_ERR_INTERNAL + 1000));
}

int main(void) {
  RUN(the_header_is_of_this_library);
  RUN(structs_begin_with_their_size);
  RUN(statuses_have_names);
  return 0;
}
