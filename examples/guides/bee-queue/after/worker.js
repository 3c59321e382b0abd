import { createWorker } from "assemblage";

const worker = createWorker("shop", { url: process.env.REDIS_URL ?? "redis://localhost:6379", handleSignals: false });

worker.process({
  resize: (job) => {
    job.progress(0.5);
    return `${job.payload.path}, ${job.payload.width ?? 100} wide`;
  },
  charge: (job) => {
    if (job.payload.order === 8) throw new Error("order 8 was not paid");
    if (job.retriesLeft === 3) throw new Error("the bank does not answer");
    return `order ${job.payload.order} charged with ${job.retriesLeft} retries left`;
  },
});

process.once("SIGTERM", async () => {
  await worker.drain();
  await worker.terminate();
});
