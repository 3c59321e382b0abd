"use strict";
// Handlers per task, attempts and retries, progress and timeouts.

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { test } = require("node:test");
const { Cluster, assemblage, called, collect, until } = require("./support.js");

const { NewJob, PermanentFailure, RetryAfter } = assemblage;

test("each task has its handler, and other tasks go to other workers", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const worker = cluster.worker();
  worker.process({ resize: (job) => `resized ${job.payload}`, mail: async (job) => `mailed ${job.payload} ${job.task}` }, { slots: 2 });
  const plain = master.run("c");
  assert.equal(await master.run("a", { task: "resize" }), "resized a");
  assert.equal(await master.run("b", { task: "mail" }), "mailed b mail");
  assert.equal((await master.stats()).waiting, 1, "it has no handler for jobs without a task");
  cluster.worker().process(() => "plain");
  assert.equal(await plain, "plain");
});

test("a worker with a plain handler takes jobs without a task too, and handlers may come later", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const worker = cluster.worker();
  worker.process((job) => `plain ${job.task}`);
  assert.equal(await master.run("a"), "plain ");
  const waiting = master.run("b", { task: "late" });
  worker.process({ late: () => "came" });
  assert.equal(await waiting, "came");
  assert.equal(await master.run("a"), "plain ");
  assert.throws(() => worker.process({ late: () => {} }), { code: "SWARM_INVALID_ARGUMENT" });
  assert.throws(() => worker.process(() => {}), { code: "SWARM_INVALID_ARGUMENT" });
  for (const bad of [{}, { a: "no function" }, null, { "a\n": () => {} }]) {
    assert.throws(() => worker.process(bad), { code: "SWARM_INVALID_ARGUMENT" });
  }
});

test("a plain handler runs the tasks of the option, and a handler for no task those without one", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  cluster.worker({ tasks: ["a", "b"] }).process((job) => `worker 1 ${job.task}`);
  cluster.worker().process({ "": () => "worker 2", c: () => "worker 2 c" });
  const results = await Promise.all(["a", "b", "", "c"].map((task) => master.run(0, { task })));
  assert.deepEqual(results, ["worker 1 a", "worker 1 b", "worker 2", "worker 2 c"]);
});

test("a worker can change the tasks of its listeners", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const worker = cluster.worker({ tasks: "a" });
  const jobs = collect(worker);
  worker.setTasks(["b"]);
  await master.addMany([{ payload: 1, task: "a" }, { payload: 2, task: "b" }]);
  await until(() => jobs.length === 1, "the job of task b");
  assert.equal(jobs[0].payload, 2);
  worker.setTasks(["", "a"]);
  await master.add(3);
  await until(() => jobs.length === 3, "the others");
  assert.deepEqual(jobs.map((job) => job.payload).sort(), [1, 2, 3]);
  assert.throws(() => worker.setTasks(["a\nb"]), { code: "SWARM_INVALID_ARGUMENT" });
});

test("jobs that came before their tasks were registered are not lost", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  await master.addJobs([1, 2, 3]);
  const worker = cluster.worker();
  const listener = () => {};
  worker.on("add", listener);
  await until(() => Object.keys(worker.jobs).length === 3, "the jobs without a task are assigned to it");
  worker.off("add", listener);
  worker.process({ other: () => "other" });
  await until(async () => (await master.stats()).waiting === 3, "they are requeued");
  assert.equal(await master.run(0, { task: "other" }), "other");
  const jobs = collect(cluster.worker());
  await until(() => jobs.length === 3, "they are assigned to another worker");
});

test("failed attempts are repeated, and the handler gets its number", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const seen = [];
  cluster.worker().process((job) => {
    seen.push([job.attempt, job.retriesLeft, performance.now()]);
    if (job.attempt === 2) throw new RetryAfter(120, "not yet");
    if (job.retriesLeft > 0) throw new Error("again");
    return "at last";
  });
  assert.equal(await master.run({}, { retries: 2, backoff: { type: "exponential", delay: 20, max: 1000, jitter: 0.5 } }), "at last");
  assert.deepEqual(seen.map(([attempt, left]) => [attempt, left]), [[1, 2], [2, 1], [3, 0]]);
  assert.ok(seen[2][2] - seen[1][2] >= 119, "the third comes after the pause of its own");
  assert.equal((await master.stats()).retries, 2);
  await assert.rejects(master.run({ last: true }, { retries: 1, backoff: 1, task: "none", timeouts: { assign: 30 } }), {
    code: "SWARM_ASSIGN_TIMEOUT",
  });
});

test("a permanent failure is not repeated, and the last attempt's error is reported", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const attempts = { permanent: 0, each: 0 };
  cluster.worker().process(async (job) => {
    attempts[job.payload] += 1;
    throw job.payload === "permanent" ? new PermanentFailure("no such user") : new RetryAfter(0, `attempt ${job.attempt}`);
  });
  await assert.rejects(master.run("permanent", { retries: 5 }), {
    code: "SWARM_JOB_FAILED", message: "PermanentFailure: no such user", reason: "failed",
  });
  await assert.rejects(master.run("each", { retries: 2 }), { message: "RetryAfter: attempt 3" });
  assert.deepEqual(attempts, { permanent: 1, each: 3 });
  for (const after of [-1, NaN, Infinity, "soon", undefined]) {
    assert.throws(() => new RetryAfter(after, "x"), { code: "SWARM_INVALID_ARGUMENT" });
  }
});

test("jobs are retried and failed permanently by hand", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const jobs = collect(cluster.worker());
  const result = assert.rejects(master.run({}, { retries: 9, backoff: 1 }), { message: "enough", reason: "failed" });
  const comes = (nth) => until(() => jobs[nth - 1], `attempt ${nth}`);
  await (await comes(1)).fail(new Error("once"));
  await assert.rejects((await comes(2)).retry("twice", -5), { code: "SWARM_INVALID_ARGUMENT" });
  await jobs[1].retry("twice", 1);
  await (await comes(3)).fail(new RetryAfter(1, "thrice"));
  assert.deepEqual(await called(async (done) => (await comes(4)).retry("four times", 0, done)), [null]);
  assert.deepEqual(await called(async (done) => (await comes(5)).failPermanently("enough", done)), [null]);
  await result;
  assert.equal(jobs[4].attempt, 5);
  await assert.rejects(jobs[4].retry("late", 1), { code: "SWARM_STALE_FENCE" });
});

test("progress is stored for inspections of the job", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const jobs = collect(cluster.worker());
  await master.add({}, { id: "one" });
  const job = await until(() => jobs[0], "the job arrives");
  job.progress(0.1);
  job.progress({ done: 0.5, é: [1] });
  const seen = await until(async () => {
    const info = await master.job("one");
    return info.progress?.done && info;
  }, "the latest progress is seen");
  assert.deepEqual(seen.progress, { done: 0.5, é: [1] });
  assert.throws(() => job.progress("x".repeat(5000)), { code: "SWARM_TOO_LARGE" });
  assert.throws(() => job.progress(1n), { code: "SWARM_INVALID_ARGUMENT" });
  await job.complete();
  job.progress(1);
  assert.equal(await master.job("one"), null);
});

test("a checkpoint is read by the next attempt", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const seen = [];
  cluster.worker().process((job) => {
    seen.push(job.lastCheckpoint);
    if (job.retriesLeft === 0) return job.toJSON().lastCheckpoint;
    job.checkpoint({ page: job.attempt, é: null });
    assert.throws(() => job.checkpoint("x".repeat(5000)), { code: "SWARM_TOO_LARGE" });
    assert.throws(() => job.checkpoint(1n), { code: "SWARM_INVALID_ARGUMENT" });
    throw new Error("half way");
  });
  const last = await master.run({}, { retries: 2, backoff: { type: "fixed" } });
  assert.deepEqual(last, { page: 2, é: null });
  assert.deepEqual(seen, [undefined, { page: 1, é: null }, last]);
});

test("each timeout has its error, and the handler is notified", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const fails = (options, code, reason) => assert.rejects(master.run({}, options), (error) => {
    assert.deepEqual([error.code, error.reason, error.retryable], [code, reason, false]);
    assert.ok(error instanceof assemblage.SwarmError);
    return true;
  });
  await fails({ timeouts: { assign: 50 } }, "SWARM_ASSIGN_TIMEOUT", "assign_timeout");
  await fails({ timeouts: { total: 50 } }, "SWARM_TOTAL_TIMEOUT", "total_timeout");
  const reported = [];
  cluster.worker().process(async (job, { signal }) => {
    if (job.attempt === 2) return "in time";
    await once(signal, "abort");
    reported.push([signal.reason.code, job.deleteReason]);
    return "too late";
  });
  await fails({ timeouts: { run: 50 } }, "SWARM_RUN_TIMEOUT", "run_timeout");
  assert.equal(await master.run({}, { timeouts: { run: 50 }, retries: 1, backoff: 1 }), "in time");
  assert.deepEqual(reported, Array(2).fill(["SWARM_TIMEOUT", "timed_out"]));
  assert.equal(await master.run({}, { timeout: 20, task: "none" }).catch((error) => error.code), "SWARM_TIMEOUT");
});

test("a job finished by hand has the handler of its task", async (t) => {
  const cluster = new Cluster(t);
  const worker = cluster.worker();
  worker.on("add", (job) => job.payload === "mine" && job.complete("by the listener"));
  worker.process({ a: () => "by the handler" });
  const master = cluster.master();
  const outcomes = await master.runMany([new NewJob("mine"), "yours"], { task: "a" });
  assert.deepEqual(outcomes.map(({ value }) => value), ["by the listener", "by the handler"]);
});
