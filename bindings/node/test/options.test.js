"use strict";
// Options of jobs and workers: what they do, and which are refused.

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { Cluster, RedisServer, assemblage, collect, until } = require("./support.js");

const { NewJob } = assemblage;

/** Runs what waits, one job after another; the payloads in order. */
async function inOrder(cluster, count, options) {
  const payloads = [];
  const worker = cluster.worker({ slots: 1, ...options });
  worker.process((job) => void payloads.push(job.payload));
  await until(() => payloads.length === count, `${count} jobs run: ${payloads}`);
  return payloads;
}

test("higher priorities go first, and equal ones in order", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  await master.addJobs(["a", new NewJob("b", { priority: -1 }), new NewJob("c", { priority: 5 }), "d", new NewJob("e", { priority: 5 })]);
  await master.add("f", { priority: 2 ** 53 });
  await master.addMany([{ payload: "g", priority: -1 }, { payload: "h" }], { priority: 1 });
  assert.deepEqual(await inOrder(cluster, 8), ["f", "c", "e", "h", "a", "d", "b", "g"]);
});

test("options of a call apply to all its jobs unless a job has its own", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const headers = { trace: "1=2\n3", "": undefined };
  delete headers[""];
  await master.addJobs([{ n: 1 }, new NewJob(0, { priority: 7 }), new NewJob()], { priority: 3, headers, retries: 2 });
  const jobs = collect(cluster.worker());
  await until(() => jobs.length === 3, "all jobs arrive");
  assert.deepEqual(jobs.map((job) => [job.payload, job.priority]), [[0, 7], [{ n: 1 }, 3], [{}, 3]]);
  for (const job of jobs) {
    assert.deepEqual(job.headers, headers);
    assert.deepEqual([job.attempt, job.retriesLeft, job.task, job.resource, job.crashes], [1, 2, "", "", 0]);
  }
});

test("a plain payload has the default options, and bytes may have others", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  await master.addJobs(["plain", new NewJob(Buffer.from([0, 255]), { task: "", resource: "é", headers: { "ü": "😀" } })]);
  const jobs = collect(cluster.worker());
  await until(() => jobs.length === 2, "both jobs arrive");
  const seen = jobs.map(({ payload, attempt, retriesLeft, priority, task, resource, headers }) => [
    payload, attempt, retriesLeft, priority, task, resource, { ...headers },
  ]);
  assert.deepEqual(seen, [
    ["plain", 1, 0, 0, "", "", {}],
    [Buffer.from([0, 255]), 1, 0, 0, "", "é", { "ü": "😀" }],
  ]);
});

test("delayed jobs come when they are due, after a pause or at a time", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const start = performance.now();
  const at = Date.now() + 100;
  await master.add("pause", { delay: 200 });
  await master.add("date", { runAt: new Date(at) });
  await master.add("ms", { runAt: at + 50 });
  await master.add("past", { runAt: 1 });
  assert.equal((await master.stats()).delayed, 3);
  assert.deepEqual(await inOrder(cluster, 4), ["past", "date", "ms", "pause"]);
  assert.ok(performance.now() - start >= 200);
});

test("jobs of one resource run one at a time, in order", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const running = new Set();
  const order = [];
  for (let i = 0; i < 2; i++) {
    cluster.worker().process(async (job) => {
      assert.equal(running.has(job.resource), false, "two at once");
      running.add(job.resource);
      order.push(job.payload);
      await new Promise((resolve) => setImmediate(resolve));
      running.delete(job.resource);
    });
  }
  await master.addJobs([1, 2, 3, 4, 5, 6], { resource: "printer" });
  await until(async () => (await master.stats()).completed === 6, "all are done");
  assert.deepEqual(order, [1, 2, 3, 4, 5, 6]);
});

test("groups of waiting jobs take turns", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  await master.addJobs([1, 2, 3, 4], { group: "a" });
  await master.addJobs([5, 6], { group: "b", weight: 2 });
  assert.deepEqual((await master.queues()).queues, [{ priority: 0, task: "", waiting: 6, groups: 2 }]);
  const groups = [];
  cluster.worker({ slots: 1 }).process((job) => void groups.push(job.group));
  await until(() => groups.length === 6, "all have run");
  assert.deepEqual(groups.slice(0, 4).sort(), ["a", "a", "b", "b"]);
  await assert.rejects(master.add(1, { weight: 2 }), /weight belongs to a group/);
});

test("attached jobs wait for the first and finish with its outcome", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const runs = [1, 2, 3].map((n) => master.run(n, { unique: { key: "k", onConflict: "attach" } }));
  await until(async () => (await master.stats()).blocked === 2, "two wait");
  cluster.worker().process((job) => `result of ${job.payload}`);
  assert.deepEqual(await Promise.all(runs), Array(3).fill("result of 1"));
});

test("ephemeral jobs of a master that leaves are deleted", async (t) => {
  const cluster = new Cluster(t);
  const [other, leaving] = [cluster.master(), cluster.master()];
  await leaving.addJobs([new NewJob("ephemeral", { ephemeral: true }), "free"]);
  await leaving.close();
  await until(async () => (await other.stats()).deleted === 1, "one is deleted");
  assert.deepEqual(await inOrder(cluster, 1), ["free"]);
});

test("less durability than asked for is reported", async (t) => {
  const server = await RedisServer.start(t);
  const master = new Cluster(t, { url: server.url, timeout: 300 }).master();
  await master.ready();
  await assert.rejects(master.add("a", { durability: "replica" }), { code: "SWARM_NOT_DURABLE", name: "NotDurableError" });
  await assert.rejects(master.addJobs([new NewJob("b", { durability: "fsync" })]), { code: "SWARM_NOT_DURABLE" });
  await master.add("c", { durability: "memory" });
  assert.equal((await master.stats()).waiting, 3, "they are added all the same");
});

test("slots are guaranteed for higher priorities, and some jobs are at hand", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const jobs = collect(cluster.worker({ slots: 6, prioritySlots: { 1: 2, 2: 1 } }));
  await master.addJobs([..."12345678"]);
  await until(async () => (await master.stats()).active === 3, "the lowest range is full");
  await master.addJobs([..."abcdefgh"], { priority: 2 });
  await until(async () => (await master.stats()).active === 6, "all slots are full");
  await until(() => jobs.length === 6, "all have come");
  assert.deepEqual(jobs.map((job) => job.priority), [0, 0, 0, 2, 2, 2]);

  const strictSlots = new Cluster(t);
  strictSlots.worker({ slots: 6, prioritySlots: new Map([[1, 2], [2, 1]]), strictSlots: true }).on("add", () => {});
  await strictSlots.master().addJobs([..."abcdefgh"], { priority: 2 });
  await until(async () => (await strictSlots.members[1].stats()).active === 4, "the slots of priority 1 stay free");

  const ahead = new Cluster(t);
  const seen = collect(ahead.worker({ slots: 1, prefetch: 2 }));
  await ahead.master().addJobs([1, 2, 3, 4]);
  await until(async () => (await ahead.members[1].stats()).active === 3, "one runs and two are at hand");
  await until(() => seen.length === 1, "one reaches the program");
});

test("failed jobs are kept in bounds", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master({ failedMax: 2 });
  cluster.worker({ failedMax: 2, failedTtl: 60_000 }).process((job) => {
    throw new Error(job.payload);
  });
  for (const payload of ["a", "b", "c"]) await assert.rejects(master.run(payload));
  assert.equal((await master.stats()).failed, 2);
});

test("a joining worker takes its share of the active jobs of others, if it asks for it", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const first = cluster.worker();
  const active = collect(first);
  await master.addJobs([1, 2, 3, 4]);
  await until(() => active.length === 4, "the first worker has all");
  const reported = [];
  for (const job of active) job.once("delete", () => reported.push([job.deleteReason, job.signal.aborted]));
  const second = collect(cluster.worker({ rebalance: true }));
  await until(() => second.length === 2, "the second has half");
  assert.deepEqual(reported, [["moved", true], ["moved", true]]);
});

test("invalid options are refused at the call", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const refused = [
    { priority: 1.5 }, { priority: 2 ** 54 }, { priority: "high" }, { delay: -1 }, { runAt: new Date(NaN) }, { runAt: -1 }, { delay: 1, runAt: 1 },
    { retries: 201 }, { retries: Infinity }, { backoff: -1 }, { backoff: "slow" }, { backoff: { type: "linear" } }, { backoff: { jitter: 2 } },
    { backoff: { pause: 1 } }, { timeouts: 5 }, { timeouts: { run: 0 } }, { timeouts: { constructor: 1 } }, { headers: { "a=b": "c" } },
    { headers: { "": "c" } }, { task: "a\nb" }, { resource: "a\nb" }, { ephemeral: "maybe" }, { durability: "paper" }, { assignTimeout: 5 }, { header: "a=b" },
  ];
  for (const options of refused) {
    await assert.rejects(master.add("x", options), { code: "SWARM_INVALID_ARGUMENT" }, JSON.stringify(options));
  }
  await assert.rejects(master.add("x", { headers: { long: "x".repeat(40_000) } }), { code: "SWARM_TOO_LARGE" });
  await assert.rejects(master.addJobs(["x", new NewJob("y", { retries: -1 })]), { code: "SWARM_INVALID_ARGUMENT", message: /job 1, none was added/ });
  assert.equal((await master.stats()).added, 0);
  for (const options of [
    { prioritySlots: { 1: 3 } }, { slots: 2, prioritySlots: { 1: 3 } }, { slots: 9, prioritySlots: { high: 3 } }, { prefetch: 10_001 },
    { tasks: ["a\nb"] }, { failedMax: 0 }, { failedTtl: 5 }, { strictSlots: "perhaps" },
  ]) {
    assert.throws(() => cluster.worker(options), { code: "SWARM_INVALID_ARGUMENT" }, JSON.stringify(options));
  }
});
