import { createWorker } from "assemblage";

const worker = createWorker("shop", { url: process.env.REDIS_URL ?? "redis://localhost:6379", slots: 10, handleSignals: false });

worker.process({
  resize: (job) => {
    job.progress(0.5);
    return `${job.payload.path}, ${job.payload.width ?? 100} wide`;
  },
  charge: (job) => {
    if (job.attempt === 1) throw new Error("the bank does not answer");
    return `order ${job.payload.order} charged in attempt ${job.attempt}`;
  },
  refund: (job) => {
    throw new Error(`order ${job.payload.order} was not paid`);
  },
  album: async (job) => {
    const images = Object.values(await job.inputs()).map((image) => image.result);
    return `${job.payload.title}: ${images.sort().join(" + ")}`;
  },
});

process.once("SIGTERM", async () => {
  await worker.drain();
  await worker.terminate();
});
