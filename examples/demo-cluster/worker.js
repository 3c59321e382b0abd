"use strict";
// The worker in Node: worker.js <cluster>. SWARM_REDIS_URL says where Redis is. What workers do is written down in demo.py.

const { createWorker, ready } = require("assemblage");
const { setTimeout: pause } = require("node:timers/promises");

const NAMES = ["c", "node", "python"];
const name = "node";
const worker = createWorker(process.argv[2], {
  url: process.env.SWARM_REDIS_URL,
  name,
  group: "workers",
  lease: 2000,
});

worker.process(
  async (job) => {
    await pause(5);
    return job.payload * job.payload;
  },
  { slots: 20 },
);

/** Greetings received, each as "way from". */
const received = new Set();

worker.on("message", ({ payload, from }) => {
  if (payload === "greet") {
    for (const other of NAMES) if (other !== name) worker.send({ name: other }, "private");
    worker.send({ group: "workers" }, "group");
    worker.send("all", "public");
  } else if (NAMES.includes(from.name)) {
    received.add(`${payload} ${from.name}`);
    // Three ways from each of the others.
    if (received.size === 6) worker.confirm("greeted");
  }
});
worker.on("error", (error) => console.error(error.message));

process.on("SIGTERM", async () => {
  await worker.drain();
  await worker.terminate();
  process.exit(0);
});

/** Received soon after `ready`, which its own message shows. */
async function main() {
  await worker.ready();
  while (!(await worker.send({ name }, "probe", { toSelf: true })).recipients.includes(worker.incarnation));
  console.log("ready");
  ready();
}

main();
