// The header is C++17 too, and a program in C++ runs.
#include <swarm.h>
#include <swarm.h>

#include "support.h"

#include <string>

namespace {

void a_cxx_program_runs_a_job() {
  swarm_options *options = test_options("cxx");
  swarm_worker *worker = new_worker(options);
  swarm_worker_on_add(
      worker,
      [](void *, swarm_job *job) {
        swarm_bytes payload = swarm_job_payload(job);
        std::string result = "[" + std::string(reinterpret_cast<const char *>(payload.data), payload.len) + "]";
        swarm_bytes bytes{reinterpret_cast<const uint8_t *>(result.data()), result.size()};
        CHECK_OK(swarm_job_finish(job, swarm_result_complete(bytes, SWARM_CONTENT_JSON), NULL, &error));
      },
      nullptr, nullptr);
  start_worker(worker);
  swarm_master *master = start_master(options);
  swarm_call *outcome = nullptr;
  CHECK_OK(answered(swarm_master_run(master, swarm_bytes_of("7"), nullptr), DEADLINE_MS, &outcome, &error));
  swarm_bytes result = swarm_outcome_details(swarm_call_outcome(outcome, 0))->result;
  CHECK(std::string(reinterpret_cast<const char *>(result.data), result.len) == "[7]");
  swarm_call_free(outcome);
  CHECK(swarm_worker_free(worker) == SWARM_OK);
  end_master(master);
  swarm_options_free(options);
}

}  // namespace

int main() {
  RUN(a_cxx_program_runs_a_job);
  return 0;
}
