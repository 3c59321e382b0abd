// A CommonJS program in the manner of assemblage 0.1.

import assemblage = require("assemblage");

const master = assemblage.createMaster("mail", { host: "localhost", port: 6379, db: 1, prefix: "p", expireDelay: 60000 });
const nothing: void = master.addJob({ user: 7 }, (error, jobId) => {
  if (error) console.error(error.code, error.retryable);
  else console.log(jobId?.toUpperCase());
});
master.addJob((error, jobId, existed) => console.log(error, jobId, existed satisfies boolean));
master.deleteJob("12345", (error, jobId) => console.log(error, jobId));

const worker = assemblage.createWorker("mail", { client: {} });
worker.on("add", function (job) {
  this.running satisfies boolean;
  console.log(job.id.length, job.payload.anything);
  job.once("delete", () => console.log(job.worker.jobs[job.id] === job));
  job.deleteJob((error) => console.log(error));
});
worker.on("close", () => {});
worker.on("error", (error) => console.log(error.code));
worker.queueDeleteJob("12345", (error, existed) => console.log(error, existed satisfies boolean | undefined));
worker.terminate((error) => console.log(error));
assemblage.createMaster();
assemblage.createWorker(7, null);

// @ts-expect-error there is no such event
worker.on("added", () => {});
// @ts-expect-error a misspelt option
assemblage.createWorker("mail", { slotz: 3 });
// @ts-expect-error jobs are made by workers
new assemblage.Job();
void nothing;
