#include <stdio.h>
#include <swarm.h>

/* FUNCTIONS */

int main(void) {
  swarm_error *error = NULL;
  {
    /* BLOCK */
  }
  if (error != NULL) fprintf(stderr, "%s\n", swarm_error_message(error));
  swarm_error_free(error);
  return 0;
}
