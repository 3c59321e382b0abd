"use strict";
// The modern API: promises, options of jobs, handlers, results, signals.

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { test } = require("node:test");
const { Cluster, assemblage, atEnd, called, collect, until } = require("./support.js");

test("add keeps every payload as it is, and reports a job that existed", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const jobs = collect(cluster.worker());
  const values = [0, "", false, null, "text", [1], { deep: { er: [null] } }, "\u0000\u2028\ud800", 2 ** 53];
  for (const value of values) assert.equal((await master.add(value)).existed, false);
  await master.add();
  await until(() => jobs.length === values.length + 1, "all jobs arrive");
  assert.deepEqual(jobs.map((job) => job.payload), [...values, {}]);
  assert.deepEqual(await master.add({ n: 1 }, { id: "mine" }), { id: "mine", existed: false, replaced: false });
  assert.deepEqual(await master.add({ n: 2 }, { id: "mine" }), { id: "mine", existed: true, replaced: false });
  assert.equal(await master.addJob({ n: 3 }, { id: "mine" }), "mine");
  assert.deepEqual(await called((done) => master.addJob({}, { id: "mine" }, done)), [null, "mine", true]);
});

test("many jobs are added in one call, in order", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const ids = await master.addJobs([{ n: 0 }, { n: 1 }, 0]);
  assert.equal(new Set(ids).size, 3);
  assert.deepEqual(await master.addJobs([]), []);
  const added = await master.addMany([{ payload: 0, id: "zero" }, { id: "nothing" }, { payload: 0, id: "zero" }]);
  assert.deepEqual(added, [
    { id: "zero", existed: false, replaced: false },
    { id: "nothing", existed: false, replaced: false },
    { id: "zero", existed: true, replaced: false },
  ]);
  const jobs = collect(cluster.worker());
  await until(() => jobs.length === 5, "all jobs arrive");
  assert.deepEqual(jobs.map((job) => job.id), [...ids, "zero", "nothing"]);
  assert.deepEqual(jobs.map((job) => job.payload), [{ n: 0 }, { n: 1 }, {}, 0, {}]);
  assert.deepEqual(await master.deleteJobs([ids[0], "unknown", "zero"]), [true, false, true]);
  assert.deepEqual(await master.deleteJobs([]), []);
});

test("calls of one turn cross together, and each has its own answer", async (t) => {
  const master = new Cluster(t).master();
  const outcomes = await Promise.allSettled([
    master.add("fits"),
    master.add("x".repeat(600_000)),
    master.add("fits too", { id: "own" }),
    master.add("bad", { id: "a\nb" }),
    master.add("bad", { colour: "red" }),
    master.add(12n),
    master.addJobs([{ n: 1 }, { n: 2 }]),
    master.deleteJobs(["unknown"]),
    master.deleteJobs(["x".repeat(300)]),
  ]);
  const summary = outcomes.map(({ value, reason }) => reason?.code ?? typeof value);
  assert.deepEqual(summary, [
    "object",
    "SWARM_TOO_LARGE",
    "object",
    "SWARM_INVALID_ARGUMENT",
    "SWARM_INVALID_ARGUMENT",
    "SWARM_INVALID_ARGUMENT",
    "object",
    "object",
    "SWARM_TOO_LARGE",
  ]);
  assert.deepEqual(outcomes[7].value, [false]);
  assert.equal((await master.stats()).waiting, 4);
});

test("values that cannot be written as JSON are refused", async (t) => {
  const master = new Cluster(t).master();
  const cycle = {};
  cycle.self = cycle;
  for (const payload of [cycle, 1n, { big: 1n }, () => {}, Symbol("x")]) {
    await assert.rejects(master.add(payload), { code: "SWARM_INVALID_ARGUMENT" });
  }
  const [error] = await called((done) => master.addJob(cycle, done));
  assert.ok(error instanceof assemblage.InvalidArgumentError);
  assert.ok(error.cause instanceof TypeError);
});

test("bytes arrive as bytes, in payloads and results", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  cluster.worker().process((job) => job.payload);
  const bytes = Buffer.from([0, 1, 10, 13, 255, 254, 0]);
  assert.deepEqual(await master.run(bytes), bytes);
  assert.deepEqual(await master.run(new Uint8Array([1, 2])), Buffer.from([1, 2]));
  assert.deepEqual(await master.run(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + 2)), bytes.subarray(0, 2));
  assert.deepEqual(await master.run(new DataView(new ArrayBuffer(3), 1)), Buffer.alloc(2));
  assert.deepEqual(await master.run(Buffer.alloc(0)), Buffer.alloc(0));
  const changed = Buffer.from("before");
  const result = master.run(changed);
  changed.write("after!");
  assert.deepEqual(await result, Buffer.from("before"));
});

test("the bytes of a payload can be had, JSON or not", async (t) => {
  const cluster = new Cluster(t);
  const jobs = collect(cluster.worker());
  const master = cluster.master();
  await master.addMany([{ payload: { a: "é" } }, { payload: Buffer.from([255]) }]);
  await until(() => jobs.length === 2, "both jobs arrive");
  assert.deepEqual(jobs.map((job) => job.payload), [{ a: "é" }, Buffer.from([255])]);
  assert.deepEqual(jobs.map((job) => job.payloadBytes), [Buffer.from('{"a":"é"}'), Buffer.from([255])]);
});

test("a handler's return completes the job, its throw fails it", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  cluster.worker().process(async (job) => {
    if (job.payload.fail) throw new RangeError(job.payload.fail);
    if (job.payload.sync) return job.payload.sync;
    await null;
    return job.payload.n === undefined ? undefined : job.payload.n * 2;
  });
  assert.equal(await master.run({ n: 21 }), 42);
  assert.equal(await master.run({ sync: "at once" }), "at once");
  assert.equal(await master.run({}), null);
  await assert.rejects(master.run({ fail: "line one\nline two é" }), (error) => {
    assert.ok(error instanceof assemblage.JobFailedError);
    assert.equal(error.message, "RangeError: line one\nline two é");
    assert.equal(error.reason, "failed");
    return true;
  });
  assert.equal((await called((done) => master.run({ n: 1 }, done)))[1], 2);
});

test("a handler that is no async function, and one that throws no error", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  cluster.worker().process((job) => {
    if (job.payload === "throw") throw "a text";
    return { got: job.payload };
  });
  assert.deepEqual(await master.run("value"), { got: "value" });
  await assert.rejects(master.run("throw"), { message: "a text" });
});

test("a result that cannot be sent fails the job", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  cluster.worker().process((job) => (job.payload === "large" ? "x".repeat(200_000) : 1n));
  await assert.rejects(master.run("large"), { code: "SWARM_JOB_FAILED", message: /200002 bytes/ });
  await assert.rejects(master.run("bigint"), { code: "SWARM_JOB_FAILED", message: /JSON/ });
});

test("results can be awaited by id, before and after the job is done, and by another master", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const id = await master.addJob({ n: 1 }, { result: true });
  const early = master.result(id);
  cluster.worker().process((job) => job.payload.n + 1);
  assert.equal(await early, 2);
  assert.equal(await cluster.master().result(id), 2);
  await assert.rejects(master.result("unknown"), { code: "SWARM_NOT_FOUND" });
});

test("a wait ends by its signal or its time limit, the job goes on", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const abort = new AbortController();
  const run = master.run({ n: 1 }, { id: "one", signal: abort.signal });
  await until(async () => (await master.stats()).waiting === 1, "the job is stored");
  const waits = [run, master.result("one", { signal: abort.signal })];
  const reason = new Error("enough");
  abort.abort(reason);
  for (const wait of waits) await assert.rejects(wait, { code: "SWARM_CANCELLED", cause: reason });
  await assert.rejects(master.run({}, { signal: abort.signal }), { code: "SWARM_CANCELLED" });
  await assert.rejects(master.result("one", { timeout: 10 }), { code: "SWARM_TIMEOUT" });
  await assert.rejects(master.run({ n: 1 }, { timeout: 10 }), { code: "SWARM_TIMEOUT" });
  await assert.rejects(master.result("one", { timeout: -1 }), { code: "SWARM_INVALID_ARGUMENT" });
  cluster.worker().process((job) => job.payload.n);
  assert.equal(await master.result("one", { timeout: 20_000, signal: new AbortController().signal }), 1);
});

test("many waits may share a signal", async (t) => {
  const master = new Cluster(t).master();
  const warnings = [];
  const warned = (warning) => warnings.push(warning.name);
  process.on("warning", warned);
  atEnd(t, () => process.off("warning", warned));
  const abort = new AbortController();
  const waits = Array.from({ length: 50 }, (_, n) => master.run({ n }, { signal: abort.signal }));
  await until(async () => (await master.stats()).waiting === 50, "the jobs are stored");
  abort.abort();
  for (const outcome of await Promise.allSettled(waits)) assert.equal(outcome.reason.code, "SWARM_CANCELLED");
  assert.deepEqual(warnings, []);
});

test("slots limit the active jobs of a worker, passed to process or to createWorker", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  await master.addJobs(Array.from({ length: 6 }, (_, n) => ({ n })));
  let open = () => {};
  const gate = new Promise((resolve) => {
    open = resolve;
  });
  const running = [0, 0];
  const workers = [
    cluster.worker().process(async () => { running[0]++; await gate; }, { slots: 2 }),
    cluster.worker({ slots: 1 }).process(async () => { running[1]++; await gate; }),
  ];
  await until(() => running[0] + running[1] === 3, "all slots are taken");
  assert.deepEqual(running, [2, 1]);
  assert.equal((await master.stats()).waiting, 3);
  assert.throws(() => workers[0].process(() => {}), { code: "SWARM_INVALID_ARGUMENT" });
  open();
  await until(async () => (await master.stats()).completed === 6, "all are done");
  const started = cluster.worker();
  await started.ready();
  assert.throws(() => started.process(() => {}, { slots: 3 }), { code: "SWARM_INVALID_ARGUMENT" });
  assert.throws(() => cluster.worker().process(() => {}, { slots: 0 }), { code: "SWARM_INVALID_ARGUMENT" });
  assert.throws(() => cluster.worker().process("no function"), { code: "SWARM_INVALID_ARGUMENT" });
});

test("a deletion aborts the handler's signal; its slot is free when the handler has returned", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const worker = cluster.worker();
  const order = [];
  let end;
  const returned = new Promise((resolve) => {
    end = resolve;
  });
  worker.process(async (job, { signal }) => {
    job.on("delete", () => order.push("delete"));
    order.push(`run ${signal.aborted}`);
    await once(signal, "abort");
    order.push(`${signal.reason.code} ${job.deleteReason} ${job.cancelled}`);
    await returned;
    return "too late";
  });
  const id = await master.addJob({}, { result: true });
  await until(() => order.length === 1, "the handler runs");
  await master.deleteJob(id);
  await until(() => order.length === 3, "the handler is notified");
  assert.deepEqual(order, ["run false", "delete", "SWARM_JOB_DELETED deleted true"]);
  assert.equal(worker.health().active, 1);
  end();
  await until(async () => (await master.stats()).deleting === 0, "the slot is free");
  await assert.rejects(master.result(id), { code: /SWARM_(JOB_DELETED|NOT_FOUND)/ });
});

test("jobs of the event API are completed, failed and released by hand", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const jobs = collect(cluster.worker());
  const results = ["done", "failed", "again"].map((payload) => master.run(payload));
  const failed = assert.rejects(results[1], { message: "Error: no luck" });
  await until(() => jobs.length === 3, "all jobs arrive");
  await jobs[0].complete({ fine: true });
  await jobs[1].fail(new Error("no luck"));
  await jobs[2].release();
  assert.deepEqual(await results[0], { fine: true });
  await failed;
  await until(() => jobs.length === 4, "the released job comes again");
  assert.equal(jobs[3].id, jobs[2].id);
  assert.ok(jobs[3].fence > jobs[2].fence);
  assert.deepEqual(await called((done) => assert.equal(jobs[3].complete("second", done), undefined)), [null]);
  assert.equal(await results[2], "second");
  await assert.rejects(jobs[2].complete("late"), { code: "SWARM_STALE_FENCE" });
  await assert.rejects(jobs[0].fail("twice"), { code: "SWARM_STALE_FENCE" });
});

test("a refused result leaves the job with its worker", async (t) => {
  const cluster = new Cluster(t);
  const worker = cluster.worker();
  const jobs = collect(worker);
  const result = cluster.master().run({});
  await until(() => jobs.length === 1, "the job arrives");
  await assert.rejects(jobs[0].complete("x".repeat(200_000)), { code: "SWARM_TOO_LARGE" });
  await assert.rejects(jobs[0].complete(1n), { code: "SWARM_INVALID_ARGUMENT" });
  assert.deepEqual(Object.keys(worker.jobs), [jobs[0].id]);
  await jobs[0].complete("short");
  assert.equal(await result, "short");
});

test("a job deleted while a listener is about to complete it may still be completed by it", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const worker = cluster.worker();
  const outcomes = [];
  worker.on("add", (job) => job.on("delete", () => job.complete("late").then(() => outcomes.push("ok"), (e) => outcomes.push(e.code))));
  const id = await master.addJob({});
  await until(() => Object.keys(worker.jobs).length === 1, "the job arrives");
  await master.deleteJob(id);
  await until(() => outcomes.length === 1, "the completion is answered");
  await until(async () => (await master.stats()).deleting === 0, "the slot is free");
});

test("a job finished by a listener is not handled too", async (t) => {
  const cluster = new Cluster(t);
  const worker = cluster.worker();
  const handled = [];
  worker.on("add", (job) => job.payload.mine && job.complete("by the listener"));
  worker.process((job) => {
    handled.push(job.payload);
    return "by the handler";
  });
  const master = cluster.master();
  assert.equal(await master.run({ mine: true }), "by the listener");
  assert.equal(await master.run({}), "by the handler");
  assert.deepEqual(handled, [{}]);
});

test("drain finishes what is active, takes nothing new, and requeues the rest", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const worker = cluster.worker();
  const jobs = collect(worker);
  await master.addJob({ n: 1 });
  await until(() => jobs.length === 1, "the job arrives");
  const drained = worker.drain();
  const other = collect(cluster.worker());
  await master.addJob({ n: 2 });
  await until(() => other.length === 1, "the next job goes elsewhere");
  await jobs[0].complete();
  await drained;
  assert.equal(jobs.length, 1);
});

test("terminate gives handlers the grace to finish", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const worker = cluster.worker();
  const order = [];
  worker.on("close", () => order.push("close"));
  worker.process(async (job, { signal }) => {
    order.push("run");
    await once(signal, "abort");
    order.push(signal.reason.code);
    await new Promise((resolve) => setImmediate(resolve));
    order.push("handler ends");
  });
  await master.addJob({});
  await until(() => order.length === 1, "the handler runs");
  await worker.terminate({ grace: 10_000 });
  assert.deepEqual(order, ["run", "SWARM_CLOSED", "handler ends", "close"]);
  assert.equal((await master.stats()).waiting, 1);
});

test("jobs finished before terminate are not requeued", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const worker = cluster.worker();
  const jobs = collect(worker);
  const results = Promise.all([master.run({ n: 1 }), master.run({ n: 2 })]);
  await until(() => jobs.length === 2, "the jobs arrive");
  for (const job of jobs) job.complete(job.payload.n);
  await worker.terminate();
  assert.deepEqual(await results, [1, 2]);
  assert.equal((await master.stats()).completed, 2);
});

test("terminate does not wait beyond its grace", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const worker = cluster.worker();
  let runs = 0;
  worker.process(() => {
    runs++;
    return new Promise(() => {});
  });
  await master.addJob({});
  await until(() => runs === 1, "the handler runs");
  await worker.terminate({ grace: 50 });
  assert.equal((await master.stats()).waiting, 1);
});

test("a closed member refuses calls, and answers every pending one", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const id = await master.addJob({}, { result: true });
  const result = master.result(id);
  let closed = 0;
  master.on("close", () => closed++);
  await Promise.all([assert.rejects(result, { code: "SWARM_CLOSED" }), master.close()]);
  assert.equal(closed, 1);
  for (const call of ["addJob", "add", "stats", "ready", "close", "run"]) {
    await assert.rejects(master[call]({}), { code: "SWARM_CLOSED" }, call);
  }
  await assert.rejects(master.result("x"), { code: "SWARM_CLOSED" });
  await assert.rejects(master.deleteJob("x"), { code: "SWARM_CLOSED" });
  assert.equal(master.health().healthy, false);
  const worker = cluster.worker();
  const jobs = collect(worker);
  await until(() => jobs.length === 1, "the job arrives");
  await worker.terminate();
  await assert.rejects(jobs[0].complete(), { code: "SWARM_CLOSED" });
  await assert.rejects(worker.drain(), { code: "SWARM_CLOSED" });
});

test("members dispose of themselves", { skip: !Symbol.asyncDispose }, async (t) => {
  const cluster = new Cluster(t);
  const [master, worker] = [cluster.master(), cluster.worker()];
  for (const member of [worker, master]) {
    await member.ready();
    await member[Symbol.asyncDispose]();
    await member[Symbol.asyncDispose]();
    assert.equal(member.health().connected, false);
  }
});

test("health and stats show states and counts", async (t) => {
  const cluster = new Cluster(t, { lease: 30_000 });
  const master = cluster.master();
  const worker = cluster.worker();
  const jobs = collect(worker);
  assert.equal(worker.health().healthy, false);
  await Promise.all([master.ready(), worker.ready()]);
  await master.addJobs([{}, {}]);
  await until(() => jobs.length === 2, "the jobs arrive");
  const health = worker.health();
  assert.equal(health.healthy, true);
  assert.equal(health.connected, true);
  assert.equal(health.active, 2);
  assert.equal(health.incarnation, worker.id);
  assert.ok(health.leaseLeft > 15_000 && health.leaseLeft <= 30_000, `${health.leaseLeft}`);
  const stats = await worker.stats();
  assert.equal(stats.active, 2);
  assert.equal(stats.members, 2);
  assert.equal(stats.added, 2);
});

test("log records reach the logger", async (t) => {
  const records = [];
  assemblage.setLogger((record) => records.push(record));
  atEnd(t, () => assemblage.setLogger(null));
  const master = new Cluster(t, { url: "redis://127.0.0.1:1", timeout: 200 }).master();
  master.on("error", () => {});
  await until(() => records.length > 0, "a record comes");
  assert.deepEqual({ ...records[0], message: "" }, { level: "warn", target: "libswarm::member", message: "" });
  assert.match(records[0].message, /127\.0\.0\.1:1/);
  assert.throws(() => assemblage.setLogger(() => {}, { level: "loud" }), { code: "SWARM_INVALID_ARGUMENT" });
});

test("large payloads and many of them come through", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const jobs = collect(cluster.worker());
  const large = "é".repeat(200_000);
  await Promise.all([...Array(20)].map((_, n) => master.add({ n, large })));
  await until(() => jobs.length === 20, "all jobs arrive");
  assert.deepEqual(jobs.map((job) => job.payload.n).sort((a, b) => a - b), [...Array(20).keys()]);
  assert.ok(jobs.every((job) => job.payload.large === large));
});
