/* The worker in C: worker-c <cluster> <slots, 0 for unlimited> <lease in ms>. SWARM_REDIS_URL says where Redis is.
 * The payload of a job is the path of a file, its result the 32 bytes of the file's SHA-256.
 * What it prints and the commands that it takes on stdin are listed in crew.js.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <swarm.h>

#include "sha256.h"

/* Told to keep the jobs that come, until they are deleted. */
static atomic_bool holding;

/* Whether `digest` was written; if not, errno says why. */
static bool digest_of(const char *path, uint8_t digest[SHA256_BYTES]) {
  static uint8_t buffer[1 << 16]; /* static: callbacks come one at a time */
  FILE *file = fopen(path, "rb");
  if (file == NULL) return false;
  sha256 hash;
  sha256_init(&hash);
  size_t length;
  while ((length = fread(buffer, 1, sizeof buffer, file)) > 0) sha256_update(&hash, buffer, length);
  bool whole = ferror(file) == 0;
  int reason = errno;
  fclose(file);
  errno = reason;
  if (whole) sha256_final(&hash, digest);
  return whole;
}

/* The end of a completion: `user_data` is the text "<job> <fence>". */
static void on_accepted(void *user_data, const swarm_error *error, const swarm_call *call) {
  (void)call;
  if (error == NULL) {
    printf("done %s\n", (const char *)user_data);
  } else {
    printf("refused %s %s\n", (const char *)user_data, swarm_error_message(error));
  }
}

static swarm_status hash_file(swarm_job *job, char *label, swarm_error **error) {
  swarm_bytes payload = swarm_job_payload(job);
  char *path = malloc(payload.len + 1);
  if (path == NULL) abort();
  memcpy(path, payload.data, payload.len);
  path[payload.len] = '\0';
  uint8_t digest[SHA256_BYTES];
  bool read = digest_of(path, digest);
  free(path);

  swarm_bytes bytes = {digest, sizeof digest};
  swarm_result *result = read ? swarm_result_complete(bytes, SWARM_CONTENT_BYTES) : swarm_result_fail(strerror(errno));
  swarm_call *accepted = NULL;
  swarm_status status = swarm_job_finish(job, result, &accepted, error);
  if (status != SWARM_OK) {
    free(label);
    return status;
  }
  /* From here on the job is not ours, whatever comes. */
  if (swarm_call_on_done(accepted, SWARM_NO_TIMEOUT, on_accepted, label, free, NULL) != SWARM_OK) abort();
  return SWARM_OK;
}

static void on_add(void *user_data, swarm_job *job) {
  (void)user_data;
  size_t room = strlen(swarm_job_id(job)) + 24;
  char *label = malloc(room);
  if (label == NULL) abort();
  snprintf(label, room, "%s %" PRIu64, swarm_job_id(job), swarm_job_fence(job));
  printf("start %s %" PRIu32 "\n", label, swarm_job_details(job)->crashes);
  if (atomic_load(&holding)) {
    free(label);
    swarm_job_set_user_data(job, &holding); /* a mark for on_delete: this job is ours */
    return;
  }
  swarm_error *error = NULL;
  if (hash_file(job, label, &error) != SWARM_OK) {
    fprintf(stderr, "the worker in C: %s\n", swarm_error_message(error));
    swarm_error_free(error);
    swarm_job_free(job);
  }
}

static void on_delete(void *user_data, swarm_job *job, swarm_delete_reason reason) {
  (void)user_data;
  (void)reason;
  printf("stop %s %" PRIu64 "\n", swarm_job_id(job), swarm_job_fence(job));
  if (swarm_job_user_data(job) != NULL && swarm_job_finish(job, swarm_result_stopped(), NULL, NULL) != SWARM_OK) swarm_job_free(job);
}

static void on_error(void *user_data, const swarm_error *error) {
  (void)user_data;
  fprintf(stderr, "the worker in C: %s\n", swarm_error_message(error));
}

static int fail(swarm_error *error) {
  fprintf(stderr, "the worker in C: %s\n", swarm_error_message(error));
  swarm_error_free(error);
  return 1;
}

/* Obeys what comes on stdin, until it ends; the callbacks run on a thread of the library's meanwhile. */
static int work(swarm_worker *worker) {
  swarm_error *error = NULL;
  swarm_worker_on_add(worker, on_add, NULL, NULL);
  swarm_worker_on_delete(worker, on_delete, NULL, NULL);
  swarm_member_on_error(swarm_worker_member(worker), on_error, NULL, NULL);
  if (swarm_worker_start(worker, &error) != SWARM_OK || swarm_call_end(swarm_member_ready(swarm_worker_member(worker)), SWARM_NO_TIMEOUT, &error) != SWARM_OK) return fail(error);
  puts("ready");
  char line[64];
  while (fgets(line, sizeof line, stdin) != NULL) {
    if (strcmp(line, "hold\n") == 0) {
      atomic_store(&holding, true);
      puts("holding");
    }
  }
  if (swarm_call_end(swarm_worker_terminate(worker, 5000), SWARM_NO_TIMEOUT, &error) != SWARM_OK) return fail(error);
  return 0;
}

int main(int argc, char **argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: worker-c <cluster> <slots, 0 for unlimited> <lease in ms>\n");
    return 2;
  }
  setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
  const char *url = getenv("SWARM_REDIS_URL");

  swarm_options *options = swarm_options_new(argv[1]);
  if (url != NULL) swarm_options_set(options, "url", url);
  if (strcmp(argv[2], "0") != 0) swarm_options_set(options, "slots", argv[2]);
  swarm_options_set(options, "lease", argv[3]);
  swarm_worker *worker = NULL;
  swarm_error *error = NULL;
  swarm_status status = swarm_worker_new(options, &worker, &error);
  swarm_options_free(options);
  if (status != SWARM_OK) return fail(error);
  int exit_status = work(worker);
  swarm_worker_free(worker);
  return exit_status;
}
