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
  swarm_options_set_url(options, url != NULL ? url : "redis://localhost:6379");
  swarm_master *master = NULL;
  swarm_error *error = NULL;
  swarm_status status = swarm_master_new(options, &master, &error);
  swarm_options_free(options);
  bool existed = false;
  if (status == SWARM_OK && strcmp(argv[1], "delete") == 0) {
    status = swarm_master_delete(master, argv[2], 10000, &existed, &error);
  } else if (status == SWARM_OK) {
    swarm_job_options own = SWARM_JOB_OPTIONS_INIT;
    own.id = argv[2];
    swarm_added *added = NULL;
    status = swarm_master_add(master, swarm_bytes_of("{}"), &own, 10000, &added, &error);
    existed = swarm_added_existed(added, 0);
    swarm_added_free(added);
  }
  if (status != SWARM_OK) fprintf(stderr, "hold: %s\n", swarm_error_message(error));
  if (status == SWARM_OK) printf("%s %s\n", argv[2], existed ? "existed" : "did not exist");
  swarm_error_free(error);
  swarm_master_free(master);
  return status == SWARM_OK ? 0 : 1;
}
