// A CommonJS program in the manner of redis-dist-job-queue.

import JobQueue = require("assemblage/redis-dist-job-queue");

const jobQueue = new JobQueue({ namespace: "n.", queueId: "q", childProcessCount: 2, workerCount: 4, flushStaleTimeout: 1000,
  redisConfig: { host: "localhost", port: 6379, db: 1, auth_pass: "secret", no_ready_check: true } });
const nothing: void = jobQueue.registerTask("./task");
jobQueue.start();
jobQueue.submitJob("task", { resourceId: "r", params: { theString: "derp" }, retries: 2 }, (error) => {
  if (error) throw error;
});
jobQueue.submitJob("task", (error) => console.log(error?.message));
jobQueue.submitJob("task", null, () => {});
jobQueue.on("error", (error) => console.log(error.stack, error.code));
jobQueue.once("jobSuccess", function (job) {
  console.log(this.queueId, job.type, job.resource, job.params.anything, job.retries.toFixed());
});
jobQueue.on("jobFail", (job) => console.log(job.errorStack.length)).on("childRestart", () => {});
jobQueue.retryFailedJobs((error) => console.log(error));
jobQueue.deleteFailedJobs((error, count) => console.log(error, count?.toFixed()));
jobQueue.forceFlushStaleJobs((error) => console.log(error));
jobQueue.shutdown(() => {});
new JobQueue();
new JobQueue(null);

const task: JobQueue.Task<{ theString: string }> = {
  id: "task",
  timeout: 5000,
  perform(params, callback) {
    callback(params.theString ? null : new Error("nothing to do"));
  },
};

// @ts-expect-error there is no such event
jobQueue.on("jobDone", () => {});
// @ts-expect-error a misspelt option
new JobQueue({ workers: 3 });
// @ts-expect-error a job needs its task
jobQueue.submitJob();
void [nothing, task];
