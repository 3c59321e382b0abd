import Queue from "bee-queue";

const redis = { url: process.env.REDIS_URL ?? "redis://localhost:6379" };
const resize = new Queue("resize", { redis, isWorker: false });
const charge = new Queue("charge", { redis, isWorker: false });

const result = (job) => new Promise((resolve, reject) => job.once("succeeded", resolve).once("failed", reject));

console.log(await result(await resize.createJob({ path: "a.jpg", width: 50 }).save()));

const delayed = resize.createJob({ path: "b.jpg" }).setId("resize-b").delayUntil(Date.now() + 200);
console.log(await result(await delayed.save()));

console.log(await result(await charge.createJob({ order: 7 }).retries(3).backoff("fixed", 100).save()));

await result(await charge.createJob({ order: 8 }).save()).catch((error) => console.log(String(error)));

const images = ["a.jpg", "b.jpg"].map((path) => resize.createJob({ path }));
const results = images.map(result);
await resize.saveAll(images);
console.log(await Promise.all(results));

await Promise.all([resize.close(), charge.close()]);
