/* Adds an active job under a name of its own, or ends it: hold add|delete name.
 * cc hold.c $(pkg-config --cflags --libs libswarm) -o hold */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <swarm.h>

int main(int argc, char **argv) {
  if (argc != 3 || (strcmp(argv[1], "add") != 0 && strcmp(argv[1], "delete") != 0)) {
    fprintf(stderr, "usage: hold add|delete name\n");
    return 2;
  }
  const char *url = getenv("SWARM_REDIS_URL");
  swarm_options *options = swarm_options_new("example-long-lived");
  swarm_options_set(options, "url", url != NULL ? url : "redis://localhost:6379");
  swarm_master *master = NULL;
  swarm_error *error = NULL;
  swarm_status status = swarm_master_new(options, &master, &error);
  swarm_options_free(options);
  swarm_call *call = NULL;
  if (status == SWARM_OK && strcmp(argv[1], "delete") == 0) {
    call = swarm_member_delete(swarm_master_member(master), (const char *const[]){argv[2]}, 1);
  } else if (status == SWARM_OK) {
    swarm_job_options own = SWARM_JOB_OPTIONS_INIT;
    own.id = argv[2];
    call = swarm_master_add(master, swarm_bytes_of("{}"), &own);
  }
  if (status == SWARM_OK) status = swarm_call_wait(call, 10000, &error);
  if (status != SWARM_OK) fprintf(stderr, "hold: %s\n", swarm_error_message(error));
  if (status == SWARM_OK) printf("%s %s\n", argv[2], swarm_call_existed(call, 0) ? "existed" : "did not exist");
  swarm_call_free(call);
  swarm_error_free(error);
  swarm_master_free(master);
  return status == SWARM_OK ? 0 : 1;
}
