"use strict";
// Handlers of several jobs at once.

const assert = require("node:assert/strict");
const { spawn } = require("node:child_process");
const { test } = require("node:test");
const { Cluster, atEnd, until, url } = require("./support.js");

test("jobs that wait for a worker are handled together, at most as many as the size", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const sizes = [];
  const results = master.runMany(Array.from({ length: 25 }, (_, n) => n));
  await until(async () => (await master.stats()).waiting === 25, "the jobs wait");
  const worker = cluster.worker();
  worker.processBatches((jobs) => {
    sizes.push(jobs.length);
    return jobs.map((job) => job.payload * 2);
  }, { size: 20 });
  assert.deepEqual((await results).map(({ value }) => value), Array.from({ length: 25 }, (_, n) => n * 2));
  assert.ok(Math.max(...sizes) > 1 && Math.max(...sizes) <= 20, `sizes ${sizes}`);
});

test("the first job waits for others, and a full batch waits no longer", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const batches = [];
  const worker = cluster.worker();
  worker.processBatches(async (jobs) => void batches.push(jobs.map((job) => job.payload)), { size: 3, wait: 60_000 });
  await worker.ready();
  for (const n of [1, 2]) await master.add(n);
  await until(() => Object.keys(worker.jobs).length === 2, "both wait for a third");
  assert.deepEqual(batches, []);
  await master.add(3);
  await until(() => batches.length === 1, "the batch is full");
  await master.add(4);
  await until(() => Object.keys(worker.jobs).length === 1 && Object.values(worker.jobs)[0].payload === 4, "the last waits");
  // What waits is requeued.
  await worker.drain();
  assert.equal((await master.stats()).waiting, 1);
  assert.deepEqual(batches, [[1, 2, 3]]);
  const timed = cluster.worker();
  timed.processBatches((jobs) => void batches.push(jobs.map((job) => job.payload)), { size: 3, wait: 50 });
  await until(() => batches.length === 2, "its wait is over");
  assert.deepEqual(batches[1], [4]);
});

test("a batch has jobs of one task", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const batches = [];
  const handle = (jobs) => void batches.push(jobs.map((job) => job.task));
  const worker = cluster.worker({ tasks: ["a", "b", ""] });
  worker.processBatches(handle, { size: 2, wait: 60_000 });
  const tasks = ["a", "b", "", "a", "b", ""];
  await Promise.all(tasks.map((task) => master.run(0, { task })));
  assert.deepEqual(batches.sort(), [["", ""], ["a", "a"], ["b", "b"]]);
});

test("a batch by group has jobs of one group and one task", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const batches = [];
  const worker = cluster.worker({ tasks: ["t", ""] });
  worker.processBatches((jobs) => void batches.push(jobs.map((job) => job.id)), { size: 2, wait: 60_000, by: "group" });
  for (const [id, group, task] of [["x1", "x", ""], ["1", "", ""], ["t1", "x", "t"], ["y1", "y", ""], ["2", "", ""], ["x2", "x", ""], ["t2", "x", "t"]]) {
    await master.add(0, { id, group, task });
  }
  await until(() => batches.length === 3, "three batches are full");
  assert.deepEqual(batches.sort(), [["1", "2"], ["t1", "t2"], ["x1", "x2"]]);
  await until(() => Object.keys(worker.jobs).join() === "y1", "one waits");
});

test("each job has its own outcome", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const worker = cluster.worker();
  worker.processBatches(async (jobs) => {
    if (jobs[0].payload === "wrong") return ["too few"];
    await jobs[0].complete("own");
    await jobs[1].failPermanently("hopeless");
    throw new Error("the others");
  }, { size: 4, wait: 60_000 });
  const run = (payloads) => Promise.all(payloads.map((payload) => master.run(payload).catch((error) => error.message)));
  const [first, second, ...others] = await run(["a", "b", "c", "d"]);
  assert.deepEqual([first, second], ["own", "hopeless"]);
  for (const message of others) assert.match(message, /the others/);
  for (const message of await run(["wrong", "b", "c", "d"])) assert.match(message, /batch of 4 jobs returned 1 results/);
});

test("a job that is deleted while it waits is not in the batch, and one in a batch is asked to stop", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const worker = cluster.worker();
  const batches = [];
  worker.processBatches(async (jobs) => {
    batches.push(jobs.map((job) => job.id));
    await new Promise((resolve) => jobs[0].signal.addEventListener("abort", resolve));
  }, { size: 2, wait: 60_000 });
  await worker.ready();
  await master.add(1, { id: "waiting" });
  await until(() => worker.jobs.waiting !== undefined, "it waits for another");
  await master.deleteJob("waiting");
  await until(async () => (await master.stats()).deleting === 0, "it has stopped");
  const refused = assert.rejects(master.run(3, { id: "b" }), { code: "SWARM_JOB_DELETED" });
  await until(() => worker.jobs.b !== undefined, "the next one waits");
  await master.add(2, { id: "c" });
  await until(() => batches.length === 1, "a batch runs");
  assert.deepEqual(batches[0].sort(), ["b", "c"]);
  await master.deleteJob("b");
  await refused;
  await until(async () => (await master.stats()).completed === 1, "the other is completed");
});

test("a worker that is terminated while a batch waits does not keep the program running", async (t) => {
  const cluster = new Cluster(t);
  await cluster.master().add(1);
  const child = spawn(process.execPath, ["-e", `
    const { createWorker } = require(${JSON.stringify(require.resolve(".."))});
    const worker = createWorker(${JSON.stringify(cluster.name)}, { url: ${JSON.stringify(url)} });
    worker.processBatches(() => console.log("started"), { size: 2, wait: 60_000 });
    worker.on("add", () => setImmediate(() => worker.terminate({ grace: 0 })));
  `], { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.on("data", (text) => (output += text));
  let code;
  child.once("exit", (number) => (code = number));
  atEnd(t, () => child.kill("SIGKILL"));
  await until(() => code !== undefined, "the program has ended");
  assert.deepEqual([code, output], [0, ""]);
});

test("values out of bounds are refused", (t) => {
  const worker = new Cluster(t).worker();
  const handle = () => {};
  for (const options of [{}, { size: 0 }, { size: 1001 }, { size: 1.5 }, { size: 2, wait: -1 }, { size: 2, wait: 60_001 }, { size: 2, by: "groups" }, { size: 2, most: 3 }]) {
    assert.throws(() => worker.processBatches(handle, options), { code: "SWARM_INVALID_ARGUMENT" }, JSON.stringify(options));
  }
  assert.throws(() => worker.processBatches([], { size: 2 }), { code: "SWARM_INVALID_ARGUMENT" });
});
