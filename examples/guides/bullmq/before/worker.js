import { Worker } from "bullmq";

const connection = { url: process.env.REDIS_URL ?? "redis://localhost:6379" };

const worker = new Worker("shop", async (job) => {
  switch (job.name) {
    case "resize":
      await job.updateProgress(50);
      return `${job.data.path}, ${job.data.width ?? 100} wide`;
    case "charge":
      if (job.attemptsMade === 0) throw new Error("the bank does not answer");
      return `order ${job.data.order} charged in attempt ${job.attemptsMade + 1}`;
    case "refund":
      throw new Error(`order ${job.data.order} was not paid`);
    case "album": {
      const images = Object.values(await job.getChildrenValues());
      return `${job.data.title}: ${images.sort().join(" + ")}`;
    }
  }
}, { connection, concurrency: 10 });

process.once("SIGTERM", () => worker.close());
