import Queue from "bee-queue";

const redis = { url: process.env.REDIS_URL ?? "redis://localhost:6379" };
const resize = new Queue("resize", { redis, activateDelayedJobs: true });
const charge = new Queue("charge", { redis, activateDelayedJobs: true });

resize.process(10, async (job) => {
  job.reportProgress(50);
  return `${job.data.path}, ${job.data.width ?? 100} wide`;
});

charge.process(async (job) => {
  if (job.data.order === 8) throw new Error("order 8 was not paid");
  if (job.options.retries === 3) throw new Error("the bank does not answer");
  return `order ${job.data.order} charged with ${job.options.retries} retries left`;
});

process.once("SIGTERM", () => Promise.all([resize.close(10_000), charge.close(10_000)]));
