// The same as an ES module.

import JobQueue, { JobQueue as Same } from "assemblage/redis-dist-job-queue";

const jobQueue: JobQueue = new Same({ redisConfig: { url: "redis://localhost/2", failedMax: 100 } });
jobQueue.on("jobFail", (job: JobQueue.FailedJob) => console.log(job.type, job.errorStack));
const name: string = jobQueue.cluster;
void name;
