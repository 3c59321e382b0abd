// Adds jobs and awaits their results: node run.mjs [cluster]
// SWARM_REDIS_URL names the server, redis://localhost:6379 unless set.

import { createMaster, createWorker } from "assemblage";

const [cluster = "example-run"] = process.argv.slice(2);
const options = { url: process.env.SWARM_REDIS_URL ?? "redis://localhost:6379", lease: 15_000 };

// Workers usually run in processes and on machines of their own.
const worker = createWorker(cluster, options);
worker.process(async (job, { signal }) => {
  signal.throwIfAborted();
  if (job.payload.text === undefined) throw new Error("there is no text to count");
  return { words: job.payload.text.split(/\s+/).length };
}, { slots: 8 });

const master = createMaster(cluster, options);
const texts = ["to be or not to be", "that is the question", "whether tis nobler"];
const counts = await Promise.all(texts.map((text) => master.run({ text }, { timeouts: { total: 10_000 } })));
for (const [i, { words }] of counts.entries()) console.log(`${words} words: ${texts[i]}`);

try {
  await master.run({});
} catch (error) {
  console.log(`${error.code}: ${error.message}`);
}

await worker.terminate();
await master.close();
