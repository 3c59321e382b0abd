/* Runs the C program of README.md, whose path is the argument, and has it echo a job. */
#include "support.h"

#include <sys/wait.h>

int main(int count, char **arguments) {
  CHECK(count == 2);
  int ends[2];
  CHECK(pipe(ends) == 0);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    dup2(ends[0], STDIN_FILENO);
    close(ends[0]);
    close(ends[1]);
    execl(arguments[1], arguments[1], (char *)NULL);
    _exit(127);
  }
  close(ends[0]);
  swarm_options *options = swarm_options_new("sums");
  swarm_options_set(options, "url", getenv("SWARM_REDIS_URL"));
  swarm_master *master = start_master(options);
  for (int i = 0; i < 100; i++) {
    swarm_call *outcome = NULL;
    CHECK_OK(answered(swarm_master_run(master, swarm_bytes_of("{\"a\":1,\"b\":2}"), NULL), DEADLINE_MS, &outcome, &error));
    swarm_bytes result = swarm_outcome_details(swarm_call_outcome(outcome, 0))->result;
    CHECK(swarm_outcome_details(swarm_call_outcome(outcome, 0))->completed && result.len == 13 && memcmp(result.data, "{\"a\":1,\"b\":2}", 13) == 0);
    swarm_call_free(outcome);
  }
  /* It exits when its input ends. */
  close(ends[1]);
  int status;
  CHECK(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  end_master(master);
  swarm_options_free(options);
  return 0;
}
