import { createMaster } from "assemblage";

const master = createMaster("shop", process.env.REDIS_URL ?? "redis://localhost:6379");

console.log(await master.run({ path: "a.jpg", width: 50 }, { task: "resize", timeout: 30_000 }));

console.log(await master.run({ path: "b.jpg" }, { task: "resize", id: "resize-b", delay: 200, timeout: 30_000 }));

console.log(await master.run({ order: 7 }, { task: "charge", retries: 3, backoff: 100, timeout: 30_000 }));

await master.run({ order: 8 }, { task: "charge", timeout: 30_000 }).catch((error) => console.log(error.message));

const images = [{ path: "a.jpg" }, { path: "b.jpg" }];
console.log((await master.runMany(images, { task: "resize", timeout: 30_000 })).map(({ value }) => value));

await master.close();
