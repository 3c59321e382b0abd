import { createMaster, fanIn, NewJob } from "assemblage";

const master = createMaster("shop", process.env.REDIS_URL ?? "redis://localhost:6379");

console.log(await master.run({ path: "a.jpg", width: 50 }, { task: "resize", timeout: 30_000 }));

const delayed = await master.add({ path: "b.jpg" }, { task: "resize", delay: 200, id: "resize-b", result: true });
const again = await master.add({ path: "b.jpg" }, { task: "resize", delay: 200, id: "resize-b", result: true });
console.log(delayed.id === again.id, await master.result(delayed.id, { timeout: 30_000 }));

const backoff = { type: "exponential", delay: 100 };
console.log(await master.run({ order: 7 }, { task: "charge", retries: 3, backoff, timeout: 30_000 }));

await master.run({ order: 8 }, { task: "refund", timeout: 30_000 }).catch((error) => console.log(error.message));

const images = ["a.jpg", "b.jpg"].map((path) => new NewJob({ path }, { task: "resize" }));
console.log((await master.runMany(images, { timeout: 30_000 })).map(({ value }) => value));

const album = new NewJob({ title: "Rome" }, { task: "album", result: true });
const flow = await master.addFlow(fanIn(images, album));
console.log(await master.result(flow.jobs.at(-1).id, { timeout: 30_000 }));

await master.close();
