"use strict";
// Completed jobs that are kept, and logs of jobs.

const test = require("node:test");
const assert = require("node:assert/strict");
const { NewJob } = require("../index.js");
const { Cluster, until } = require("./support.js");

/** A handler that logs, and fails jobs with the payload "fails". */
function work(job) {
  job.log(`attempt ${job.attempt}`);
  if (job.payload === "fails") throw new Error("no");
  return job.payload === "bytes" ? Buffer.from([255]) : { got: job.payload };
}

const texts = ({ log }) => log.map(({ text }) => text);

test("completed jobs are shown with result, times and attempts", async (t) => {
  const cluster = new Cluster(t);
  const [master, worker] = [cluster.master(), cluster.worker({ completedMax: 2, completedTtl: 60_000, completedMaxBytes: 2 ** 20 })];
  worker.process(work);
  await worker.ready();
  await master.addMany([new NewJob(1, { id: "a", keepCompleted: 0 }), new NewJob(2, { id: "b" }), new NewJob("bytes", { id: "c" })]);
  await until(async () => (await master.stats()).completed === 3, "the jobs");
  assert.equal(await master.job("a"), null);
  const b = await master.job("b");
  const { state, result, attempt, resultOmitted, holder } = b;
  assert.deepEqual({ state, result, attempt, resultOmitted }, { state: "completed", result: { got: 2 }, attempt: 1, resultOmitted: undefined });
  assert.equal(holder, worker.health().incarnation);
  assert.ok(b.assignedAt <= b.completedAt + 1 && b.completedAt < Date.now() + 60_000);
  assert.deepEqual(texts(b), ["attempt 1"]);
  assert.ok(b.log[0].time >= b.assignedAt - 1000);
  assert.deepEqual((await master.job("c")).result, Buffer.from([255]));
  const { jobs, next } = await master.jobs("completed");
  assert.deepEqual([jobs.map(({ id }) => id).sort(), next, jobs[0].log], [["b", "c"], null, []]);
  assert.equal((await master.stats()).kept, 2);
  assert.equal(await master.deleteCompleted(["b", "nobody"]), 1);
  assert.equal(await new Promise((resolve) => void master.deleteCompleted((_, count) => resolve(count))), 1);
  assert.equal(await master.job("b"), null);
});

test("a job is kept for its own time", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  cluster.worker().process(work);
  const brief = await master.add("x", { keepCompleted: 50 });
  const kept = await master.add("x", { keepCompleted: 60_000 });
  await until(async () => (await master.stats()).kept === 1 && (await master.job(brief.id)) === null, "the end of the first");
  assert.deepEqual((await master.job(kept.id)).result, { got: "x" });
  await assert.rejects(master.add(1, { keepCompleted: -1 }), { code: "SWARM_INVALID_ARGUMENT" });
});

test("a log stays with a failed job, and its lines are texts", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  cluster.worker().process((job) => {
    for (const bad of [undefined, null, {}, "\ud800"]) assert.throws(() => job.log(bad), { code: "SWARM_INVALID_ARGUMENT" });
    job.log("é".repeat(2000));
    return work(job);
  });
  const { id } = await master.add("fails", { retries: 1, backoff: 0 });
  await until(async () => (await master.stats()).failed === 1, "the failure");
  const log = texts(await master.job(id));
  assert.deepEqual([log[1], log[3], log.length], ["attempt 1", "attempt 2", 4]);
  assert.ok(Buffer.byteLength(log[0]) <= 1024 && log[0].endsWith("é…"));
});
