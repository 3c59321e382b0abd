"use strict";
// Inspection of a cluster, pauses, and failed jobs.

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { Cluster, called, collect, until } = require("./support.js");

test("a job can be inspected by its id in every state", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  assert.equal(await master.job("unknown"), null);
  await master.add({ n_m: 1 }, { id: "a", priority: 3, headers: { b_c: "d" }, retries: 2 });
  const waiting = await master.job("a");
  assert.deepEqual(waiting, {
    id: "a", state: "waiting", payload: { n_m: 1 }, priority: 3, task: "", resource: "", group: "", limits: [], headers: { b_c: "d" }, attempt: 1, retries: 2, crashes: 0,
    holder: "", fence: 0, log: [], failedAttempts: [],
  });
  const before = Date.now();
  await master.add(Buffer.from([0, 255]), { id: "b", delay: 60_000, task: "t" });
  const [error, delayed] = await called((done) => master.job("b", done));
  assert.deepEqual([error, delayed.state, delayed.payload, delayed.task], [null, "delayed", Buffer.from([0, 255]), "t"]);
  assert.ok(delayed.dueAt >= before + 59_000 && delayed.dueAt < before + 70_000, `${delayed.dueAt}`);
  const worker = cluster.worker().on("add", () => {});
  const [job] = await until(() => Object.values(worker.jobs).length && Object.values(worker.jobs), "the job arrives");
  const active = await master.job("a");
  assert.deepEqual([active.state, active.holder, active.fence], ["active", worker.incarnation, job.fence]);
  assert.ok(Math.abs(active.assignedAt - Date.now()) < 60_000);
  await job.failPermanently("why not");
  const failed = await master.job("a");
  assert.deepEqual([failed.state, failed.reason, failed.error, failed.attempt], ["failed", "failed", "why not", 1]);
  assert.ok(failed.failedAt >= active.assignedAt);
  await assert.rejects(master.job(""), { code: "SWARM_INVALID_ARGUMENT" });
});

test("jobs come in pages, by state", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  await master.addMany(Array.from({ length: 7 }, (_, n) => ({ payload: n, id: `j${n}` })));
  const ids = [];
  let pages = 0;
  let after;
  do {
    const page = await master.jobs("waiting", { after, limit: 3 });
    ids.push(...page.jobs.map((job) => job.id));
    after = page.next;
    pages += 1;
  } while (after !== null);
  assert.deepEqual(ids, ["j0", "j1", "j2", "j3", "j4", "j5", "j6"]);
  assert.equal(pages, 3);
  assert.deepEqual((await master.jobs("delayed")).jobs, []);
  assert.equal((await called((done) => master.jobs("waiting", done)))[1].jobs.length, 7);
  await assert.rejects(master.jobs("lost"), { code: "SWARM_INVALID_ARGUMENT", message: /waiting, delayed/ });
  for (const limit of [0, 1001, -1, NaN]) await assert.rejects(master.jobs("waiting", { limit }), { code: "SWARM_INVALID_ARGUMENT" });
});

test("queues and members are listed", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master({ name: "boss" });
  const worker = cluster.worker({ name: "ann", group: "g", slots: 3, tasks: ["", "t"] }).on("add", () => {});
  await Promise.all([master.ready(), worker.ready()]);
  await master.pause();
  await master.addJobs([1, 2]);
  await master.addJobs([3], { task: "t", priority: 9 });
  assert.deepEqual(await master.queues(), {
    queues: [{ priority: 9, task: "t", waiting: 1, groups: 0 }, { priority: 0, task: "", waiting: 2, groups: 0 }],
    paused: ["*"],
    chooser: "",
    limits: [],
  });
  await master.resume();
  await until(() => Object.keys(worker.jobs).length === 3, "the jobs arrive");
  const members = await master.members();
  assert.deepEqual(members.map((member) => member.role).sort(), ["master", "worker"]);
  const { host, pid, version, joinedAt, leaseLeft, ...ann } = members.find((member) => member.name === "ann");
  assert.deepEqual(ann, {
    incarnation: worker.incarnation, role: "worker", name: "ann", group: "g", language: "node", slots: 3, paused: false, tasks: ["", "t"], active: 3, free: 0, dropped: 0,
  });
  assert.equal(pid, process.pid);
  assert.ok(host.length > 0 && version.length > 0 && Math.abs(joinedAt - Date.now()) < 60_000);
  assert.ok(leaseLeft > 0 && leaseLeft <= 60_000, `${leaseLeft}`);
});

test("a pause stops the assignment of a task, jobs without one, or all", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const jobs = collect(cluster.worker({ tasks: ["", "t", "u"] }));
  await master.pause("t");
  await master.pause("");
  await called((done) => master.pause("x", done));
  assert.deepEqual((await master.queues()).paused.sort(), ["", "t", "x"]);
  await master.addMany([{ payload: "t", task: "t" }, { payload: "none" }, { payload: "u", task: "u" }]);
  await until(() => jobs.length === 1, "the task that is not paused");
  assert.equal(jobs[0].payload, "u");
  await master.resume("");
  await until(() => jobs.length === 2, "jobs without a task");
  await master.resume("t");
  await until(() => jobs.length === 3, "the task");
  assert.deepEqual(jobs.map((job) => job.payload), ["u", "none", "t"]);
});

test("failed jobs are run again or forgotten", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  let fail = true;
  cluster.worker().process((job) => {
    if (fail) throw new Error("no");
    return job.payload;
  });
  for (const id of ["a", "b", "c", "d"]) await assert.rejects(master.run(id, { id }), { message: "Error: no" });
  const page = await master.jobs("failed");
  assert.deepEqual(page.jobs.map((job) => job.id), ["d", "c", "b", "a"]);
  fail = false;
  assert.equal(await master.retryFailed(["a", "unknown"]), 1);
  await until(async () => (await master.stats()).completed === 1, "a is run again");
  assert.equal(await master.deleteFailed("b"), 1);
  assert.deepEqual(await called((done) => master.retryFailed(done)), [null, 2]);
  await until(async () => (await master.stats()).completed === 3, "the others are run again");
  const stats = await master.stats();
  assert.deepEqual([stats.failed, stats.revived, stats.failures], [0, 3, 4]);
  assert.equal(await master.deleteFailed(), 0);
});
