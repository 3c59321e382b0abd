"use strict";
// The worker in Node: worker.js <cluster> <slots, 0 for unlimited> <lease in ms>. SWARM_REDIS_URL says where Redis is.
// The payload of a job is the path of a file, its result the 32 bytes of the file's SHA-256.
// What it prints and the commands that it takes on stdin are listed in crew.js.

const { createHash } = require("node:crypto");
const { createReadStream } = require("node:fs");
const { createInterface } = require("node:readline");
const { createWorker } = require("assemblage");

const [cluster, slots, lease] = process.argv.slice(2);
const url = process.env.SWARM_REDIS_URL ?? "redis://localhost:6379";
const worker = createWorker(cluster, { url, slots: Number(slots) || undefined, lease: Number(lease) });

/** Told to keep the jobs that come, until they are deleted. */
let holding = false;

const say = (...words) => process.stdout.write(`${words.join(" ")}\n`);

async function digestOf(path) {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return hash.digest();
}

worker.on("add", async (job) => {
  say("start", job.id, job.fence, job.crashes);
  job.once("delete", () => say("stop", job.id, job.fence));
  if (holding) return;
  const digest = await digestOf(job.payload).catch((error) => error);
  try {
    await (digest instanceof Error ? job.fail(digest) : job.complete(digest));
    say("done", job.id, job.fence);
  } catch (error) {
    say("refused", job.id, job.fence, error.message);
  }
});

worker.on("error", (error) => console.error(`the worker in Node: ${error.message}`));

async function main() {
  await worker.ready();
  say("ready");
  for await (const line of createInterface({ input: process.stdin })) {
    if (line === "hold") {
      holding = true;
      say("holding");
    }
  }
  await worker.terminate();
}

main().catch((error) => {
  console.error(`the worker in Node: ${error.message}`);
  process.exit(1);
});
