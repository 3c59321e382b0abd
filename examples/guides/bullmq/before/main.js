import { FlowProducer, Queue, QueueEvents } from "bullmq";

const connection = { url: process.env.REDIS_URL ?? "redis://localhost:6379" };
const queue = new Queue("shop", { connection });
const events = new QueueEvents("shop", { connection });
const flows = new FlowProducer({ connection });
await events.waitUntilReady();

const resize = await queue.add("resize", { path: "a.jpg", width: 50 });
console.log(await resize.waitUntilFinished(events, 30_000));

const delayed = await queue.add("resize", { path: "b.jpg" }, { delay: 200, jobId: "resize-b" });
const again = await queue.add("resize", { path: "b.jpg" }, { delay: 200, jobId: "resize-b" });
console.log(delayed.id === again.id, await delayed.waitUntilFinished(events, 30_000));

const charge = await queue.add("charge", { order: 7 }, { attempts: 4, backoff: { type: "exponential", delay: 100 } });
console.log(await charge.waitUntilFinished(events, 30_000));

const refund = await queue.add("refund", { order: 8 });
await refund.waitUntilFinished(events, 30_000).catch((error) => console.log(String(error)));

const images = await queue.addBulk(["a.jpg", "b.jpg"].map((path) => ({ name: "resize", data: { path } })));
console.log(await Promise.all(images.map((image) => image.waitUntilFinished(events, 30_000))));

const { job: album } = await flows.add({
  name: "album",
  queueName: "shop",
  data: { title: "Rome" },
  children: ["a.jpg", "b.jpg"].map((path) => ({ name: "resize", queueName: "shop", data: { path } })),
});
console.log(await album.waitUntilFinished(events, 30_000));

await Promise.all([flows.close(), events.close(), queue.close()]);
