#include <stdio.h>
#include <swarm.h>

/* FUNCTIONS */

int main(void) {
  swarm_options *options = swarm_options_new("docs");
  swarm_options_set(options, "url", "redis://localhost:6379");
  swarm_master *master = NULL;
  swarm_error *error = NULL;
  if (swarm_master_new(options, &master, &error) != SWARM_OK) return 1;
  {
    /* BLOCK */
  }
  swarm_master_free(master);
  swarm_options_free(options);
  if (error != NULL) fprintf(stderr, "%s\n", swarm_error_message(error));
  swarm_error_free(error);
  return 0;
}
