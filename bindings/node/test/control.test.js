"use strict";
// Slots and pauses of running workers, and jobs that workers add.

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { Cluster, called, collect, until } = require("./support.js");

/** Waits until the registration of a worker is such. */
function untilShown(master, worker, right, what) {
  return until(async () => {
    const own = (await master.members()).find((member) => member.incarnation === worker.incarnation);
    return own !== undefined && right(own);
  }, what);
}

/** A handler that runs until its job must stop. */
function busy(worker, options) {
  const running = [];
  worker.process((job) => new Promise((resolve) => running.push({ job, resolve })), options);
  return running;
}

test("a paused worker keeps its jobs and is assigned no others", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const worker = cluster.worker();
  const running = busy(worker, { slots: 3 });
  await master.add(1);
  await until(() => running.length === 1, "a job runs");
  assert.equal(worker.pause(), worker);
  assert.equal(worker.paused, true);
  await untilShown(master, worker, ({ paused, free, active }) => paused && free === 0 && active === 1, "it is shown as paused");
  await master.addMany([{ payload: 2 }, { payload: 3 }]);
  running[0].resolve();
  await until(async () => (await master.stats()).completed === 1, "the job is completed");
  assert.deepEqual([(await master.stats()).waiting, running.length], [2, 1]);
  worker.resume();
  await until(() => running.length === 3, "both others run");
  assert.equal(worker.paused, false);
});

test("slots change while jobs run", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const worker = cluster.worker();
  const running = busy(worker);
  await master.addJobs(Array.from({ length: 20 }, (_, n) => ({ n })));
  await until(() => running.length === 10, "as many run as by default");
  worker.setSlots(2);
  await untilShown(master, worker, ({ slots, active }) => slots === 2 && active === 10, "fewer slots are shown");
  for (const { resolve } of running.splice(0)) resolve();
  await until(() => running.length === 2, "two run");
  await untilShown(master, worker, ({ free, active }) => free === 0 && active === 2, "no more are assigned");
  worker.setSlots(5);
  await until(() => running.length === 5, "five run");
  for (const slots of [0, -1, 1.5, 2 ** 32, "3", undefined]) assert.throws(() => worker.setSlots(slots), { code: "SWARM_INVALID_ARGUMENT" });
});

test("a worker can be paused and have its slots set before it starts", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const worker = cluster.worker({ prioritySlots: { 1: 2 }, slots: 4 });
  assert.throws(() => worker.setSlots(1), { code: "SWARM_INVALID_ARGUMENT", message: /guarantees 2 slots/ });
  worker.setSlots(3).pause();
  assert.equal(worker.paused, true);
  const running = busy(worker);
  await master.addJobs([1, 2, 3]);
  await untilShown(master, worker, ({ slots, paused }) => slots === 3 && paused, "it is shown");
  assert.throws(() => worker.setSlots(1), { code: "SWARM_INVALID_ARGUMENT", message: /guarantees 2 slots/ });
  worker.resume();
  await until(() => running.length === 1, "the job of its one slot for other priorities runs");
  await worker.terminate();
  assert.throws(() => worker.pause(), { code: "SWARM_CLOSED" });
});

test("a master sets the slots of a worker, pauses and resumes it", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const worker = cluster.worker();
  const running = busy(worker, { slots: 4 });
  await worker.ready();
  const { incarnation } = worker;
  assert.equal(await master.pauseWorker(incarnation), true);
  await until(() => worker.paused, "the worker follows");
  await master.addJobs([1, 2, 3, 4, 5]);
  assert.deepEqual(await called((done) => master.setWorkerSlots(incarnation, 2, done)), [null, true]);
  assert.equal(await master.resumeWorker(incarnation), true);
  await until(() => running.length === 2, "two run");
  await untilShown(master, worker, ({ slots, paused, free }) => slots === 2 && !paused && free === 0, "it is shown");
  assert.equal(await master.pauseWorker("nobody"), false);
  assert.equal(await master.setWorkerSlots(master.incarnation, 1), false);
  await assert.rejects(master.setWorkerSlots(incarnation, 0), { code: "SWARM_INVALID_ARGUMENT" });
  await assert.rejects(master.pauseWorker({}), { code: "SWARM_INVALID_ARGUMENT" });
});

test("a handler adds jobs with the connection of its worker", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const worker = cluster.worker();
  worker.process({
    split: async (job) => {
      const parts = await job.worker.addMany(job.payload.map((payload, at) => ({ payload, id: `${job.id}-${at}` })), { task: "part", result: true });
      assert.deepEqual(await job.worker.add(0, { task: "part", id: `${job.id}-0` }), { id: `${job.id}-0`, existed: true, replaced: false });
      return parts.map(({ id }) => id);
    },
    part: (job) => job.payload * 2,
  }, { slots: 1 });
  const ids = await master.run([1, 2, 3], { task: "split" });
  assert.deepEqual(await Promise.all(ids.map((id) => master.result(id))), [2, 4, 6]);
  assert.equal(worker.health().added, 3);
});

test("jobs that a worker adds are checked, batched, and stored before it leaves", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const worker = cluster.worker();
  assert.deepEqual(await called((done) => worker.add("first", { id: "own" }, done)), [null, { id: "own", existed: false, replaced: false }]);
  await assert.rejects(worker.add(1, { colour: "red" }), { code: "SWARM_INVALID_ARGUMENT" });
  await assert.rejects(worker.addMany([1]), { code: "SWARM_INVALID_ARGUMENT" });
  await assert.rejects(worker.add("x".repeat(600_000)), { code: "SWARM_TOO_LARGE" });
  assert.deepEqual(await worker.addMany([]), []);
  // A deletion follows what was added before.
  const adding = worker.add({}, { id: "short" });
  assert.equal(await worker.deleteJob("short"), true);
  await adding;
  const adds = Array.from({ length: 100 }, () => worker.add({}));
  await worker.add({}, { id: "ephemeral", ephemeral: true });
  const last = worker.add({}, { id: "last" });
  await worker.terminate();
  await Promise.all([...adds, last]);
  assert.equal((await master.stats()).waiting, 102);
  assert.equal(await master.job("ephemeral"), null);
  await assert.rejects(worker.add(1), { code: "SWARM_CLOSED" });
  const jobs = collect(cluster.worker());
  await until(() => jobs.length === 102, "all arrive");
});
