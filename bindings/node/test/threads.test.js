"use strict";
// Threads of worker_threads are made and ended at any moment, with members in any state.

const assert = require("node:assert/strict");
const path = require("node:path");
const { test } = require("node:test");
const { Worker: Thread } = require("node:worker_threads");
const { Cluster, Program, collect, until, url } = require("./support.js");

const source = `
const { parentPort, workerData } = require("node:worker_threads");
const assemblage = require(workerData.assemblage);
const master = assemblage.createMaster(workerData.name, { url: workerData.url });
const worker = assemblage.createWorker(workerData.name, { url: workerData.url });
worker.process(async (job, { signal }) => { await null; return job.payload; });
for (let n = 0; n < 50; n++) master.run({ n }).catch(() => {});
if (workerData.wait) master.run({}).then(() => parentPort.postMessage("works"));
`;

function thread(name, wait = false) {
  return new Thread(source, { eval: true, workerData: { assemblage: path.join(__dirname, ".."), name, url, wait } });
}

test("members work in a thread, and end with it", async (t) => {
  const cluster = new Cluster(t);
  const it = thread(cluster.name, true);
  t.after(() => it.terminate());
  await new Promise((resolve, reject) => it.once("message", resolve).once("error", reject));
  const master = cluster.master();
  await until(async () => (await master.stats()).members === 3, "the members of the thread are there, and this one");
  await it.terminate();
  await until(async () => (await cluster.members[0].stats()).members === 1, "the members of the thread have left");
});

test("jobs of a thread that is terminated are requeued", async (t) => {
  const cluster = new Cluster(t);
  const busy = new Thread(
    `const { parentPort, workerData } = require("node:worker_threads");
     require(workerData.assemblage).createWorker(workerData.name, { url: workerData.url }).on("add", () => parentPort.postMessage("active"));`,
    { eval: true, workerData: { assemblage: path.join(__dirname, ".."), name: cluster.name, url } },
  );
  const active = new Promise((resolve) => busy.once("message", resolve));
  await cluster.master().addJob({ n: 1 });
  await active;
  const jobs = collect(cluster.worker());
  await busy.terminate();
  await until(() => jobs.length === 1, "the job comes to a worker that lives");
});

test("three hundred threads made and terminated", async (t) => {
  const cluster = new Cluster(t);
  const it = new Program(t, `
    const { Worker: Thread } = require("node:worker_threads");
    const source = ${JSON.stringify(source)};
    const workerData = { assemblage: ${JSON.stringify(path.join(__dirname, ".."))}, name: args[0], url };
    (async () => {
      const before = process.memoryUsage().rss;
      for (let round = 0; round < 75; round++) {
        await Promise.all([0, 1, 2, 3].map(async (n) => {
          const thread = new Thread(source, { eval: true, workerData });
          thread.on("error", (error) => say("error", error.message));
          await new Promise((resolve) => thread.once("online", resolve));
          for (let turn = 0; turn < ((round * 7 + n * 3) % 20); turn++) await new Promise((resolve) => setImmediate(resolve));
          await thread.terminate();
        }));
      }
      say("grown", process.memoryUsage().rss - before);
    })();
  `, { args: [cluster.name] });
  it.deadline = 120_000;
  assert.equal(await it.end(), 0, it.errors);
  assert.deepEqual(it.printed.map(([word]) => word), ["grown"]);
  assert.ok(it.printed[0][1] < 200 * 1024 * 1024, `${it.printed[0][1]} bytes`);
});
