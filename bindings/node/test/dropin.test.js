"use strict";
// Programs written for assemblage 0.1: what they call, what is reported to them, and in which order.

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { test } = require("node:test");
const { Cluster, assemblage, atEnd, called, collect, until, url } = require("./support.js");

test("members have the properties of assemblage 0.1", (t) => {
  const cluster = new Cluster(t);
  const config = { url, db: "-18", prefix: "mine", expireDelay: 5000 };
  const master = cluster.keep(assemblage.createMaster("  my cluster ", config));
  assert.equal(master.type, "master");
  assert.equal(master.id, "my cluster");
  assert.equal(master.config, config);
  assert.equal(master.prefix, "mine.");
  assert.equal(master.db, 2);
  assert.equal(master.expireDelay, 5000);
  assert.equal(master.redisClient, undefined);

  const worker = cluster.keep(assemblage.createWorker(7, { url }));
  assert.equal(worker.type, "worker");
  assert.equal(worker.assemblageId, "7");
  assert.match(worker.id, /^[0-9a-f]{20}$/);
  assert.equal(worker.running, true);
  assert.deepEqual(worker.jobs, {});
  assert.equal(worker.prefix, "7.");
  assert.equal(worker.db, 0);
  assert.equal(worker.expireDelay, 60000);

  const unnamed = cluster.keep(assemblage.createWorker(undefined, { url }));
  assert.equal(unnamed.assemblageId, "");
  assert.equal(unnamed.prefix, "");
});

test("options that the core refuses are errors at the call", () => {
  for (const config of [{ url: "http://x" }, { port: 99999 }, { url, slots: 0 }, { url, lease: 10 }, { client: {} }]) {
    assert.throws(() => assemblage.createWorker("mail", config), { code: "SWARM_INVALID_ARGUMENT" }, JSON.stringify(config));
  }
  assert.throws(() => assemblage.createMaster("a{b}", { url }), { code: "SWARM_INVALID_ARGUMENT" });
});

test("an expireDelay below the shortest lease is raised, as any was taken", async (t) => {
  const worker = new Cluster(t).worker({ expireDelay: 5 });
  await worker.ready();
  assert.equal(worker.expireDelay, 5);
});

test("unknown options are refused, because a misspelt one would be ignored in silence", () => {
  assert.throws(() => assemblage.createMaster("mail", { url, retries: 3 }), { code: "SWARM_INVALID_ARGUMENT", message: /retries/ });
});

test("addJob takes any JSON value, and makes {} of those that are falsy", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const jobs = collect(cluster.worker());
  const values = [0, "", false, null, undefined, "text", 7, [1, "é😀\n"], { _id: "a", _worker: "b", _action: "c" }, true];
  for (const value of values) {
    const [error, id, ...rest] = await called((done) => assert.equal(master.addJob(value, done), undefined));
    assert.equal(error, null);
    assert.match(id, /^[0-9a-f]{20}$/);
    assert.deepEqual(rest, [false]);
  }
  const [error, id] = await called((done) => assert.equal(master.addJob(done), undefined));
  assert.equal(error, null);
  await until(() => jobs.length === values.length + 1, "all jobs arrive");
  assert.deepEqual(
    jobs.map((job) => job.payload),
    [{}, {}, {}, {}, {}, "text", 7, [1, "é😀\n"], { _id: "a", _worker: "b", _action: "c" }, true, {}],
  );
  assert.equal(jobs.at(-1).id, id);
});

test("add has one argument and the worker as this; the oldest job comes first, even the ones added first of all", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  for (let n = 0; n < 50; n++) master.addJob({ n });
  await once(master, "ready");
  for (let n = 50; n < 100; n++) master.addJob({ n });
  const worker = cluster.worker();
  const seen = [];
  worker.on("add", function add(...args) {
    assert.equal(this, worker);
    assert.equal(args.length, 1);
    assert.equal(args[0].worker, worker);
    seen.push(args[0].payload.n);
  });
  await until(() => seen.length === 100, "all jobs arrive");
  assert.deepEqual(seen, Array.from({ length: 100 }, (_, n) => n));
  assert.equal(Object.keys(worker.jobs).length, 100);
});

test("deleteJob answers with the id it was called with", async (t) => {
  const master = new Cluster(t).master();
  assert.deepEqual(await called((done) => assert.equal(master.deleteJob("", done), undefined)), [null, false]);
  assert.deepEqual(await called((done) => master.deleteJob(undefined, done)), [null, false]);
  assert.deepEqual(await called((done) => master.deleteJob(done)), [null, false]);
  assert.deepEqual((await called((done) => master.deleteJob(" never-there ", done))).slice(0, 2), [null, "never-there"]);
  assert.deepEqual((await called((done) => master.deleteJob(12345, done))).slice(0, 2), [null, "12345"]);
});

test("a job deleted before it was assigned is never delivered", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const [gone, kept] = [await master.addJob({ n: 1 }), await master.addJob({ n: 2 })];
  await master.deleteJob(gone);
  const jobs = collect(cluster.worker());
  await until(() => jobs.length > 0, "the other job arrives");
  assert.deepEqual(jobs.map((job) => job.id), [kept]);
});

test("delete comes once, without arguments, with the job as this", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const worker = cluster.worker();
  const jobs = collect(worker);
  const id = await master.addJob({ n: 1 });
  await until(() => jobs.length === 1, "the job arrives");
  assert.equal(worker.jobs[id], jobs[0]);
  const seen = [];
  jobs[0].on("delete", function deleted(...args) {
    seen.push([this, args.length]);
  });
  await Promise.all([master.deleteJob(id), master.deleteJob(id), jobs[0].deleteJob()]);
  await until(() => seen.length > 0, "the job is reported");
  await until(async () => (await master.stats()).deleting === 0, "the slot is free");
  assert.deepEqual(seen, [[jobs[0], 0]]);
  assert.deepEqual(worker.jobs, {});
});

test("job.deleteJob works without a master", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  await master.addJob({ n: 1 });
  const worker = cluster.worker();
  const jobs = collect(worker);
  await until(() => jobs.length === 1, "the job arrives");
  await master.close();
  const deleted = once(jobs[0], "delete");
  const [error] = await called((done) => assert.equal(jobs[0].deleteJob(done), undefined));
  assert.equal(error, null);
  await deleted;
});

test("queueDeleteJob of a worker is deleteJob by another name", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const worker = cluster.worker({ tasks: "none" });
  assert.equal(worker.queueDeleteJob, worker.deleteJob);
  const id = await master.addJob({ n: 1 });
  assert.deepEqual(await called((done) => assert.equal(worker.queueDeleteJob(id, done), undefined)), [null, true]);
  assert.equal(await worker.queueDeleteJob(id), false);
});

test("terminate: deletes, return, close, callback; a second call is refused at once", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const worker = cluster.worker();
  const order = [];
  const jobs = collect(worker);
  await master.addJobs([{ n: 0 }, { n: 1 }]);
  await until(() => jobs.length === 2, "the jobs arrive");
  for (const job of jobs) job.on("delete", () => order.push(`delete ${job.payload.n}`));
  worker.on("close", (...args) => order.push(`close ${args.length}`));
  await new Promise((resolve) => {
    const returned = worker.terminate((error) => {
      order.push(`callback ${error}`);
      resolve();
    });
    assert.equal(returned, undefined);
    assert.equal(worker.running, false);
    assert.deepEqual(worker.jobs, {});
    worker.terminate((error) => order.push(`${error.name}: ${error.message}`));
    order.push("returned");
  });
  assert.deepEqual(order, ["delete 0", "delete 1", "ClosedError: Already stopped", "returned", "close 0", "callback null"]);
  assert.equal((await master.stats()).waiting, 2);
  await assert.rejects(worker.terminate(), { message: "Already stopped", code: "SWARM_CLOSED" });
});

test("a worker terminated in the turn it was made closes too", async (t) => {
  const worker = new Cluster(t).worker();
  let closed = 0;
  worker.on("close", () => closed++);
  await worker.terminate();
  assert.equal(closed, 1);
});

test("jobs of a terminated worker go to others, behind those that wait", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const first = cluster.worker({ slots: 1 });
  const active = collect(first);
  await master.addJobs([{ n: 1 }, { n: 2 }]);
  await until(() => active.length === 1, "the first job arrives");
  await called((done) => first.terminate(done));
  assert.equal(active.length, 1, "nothing more is assigned to a worker that closes");
  const jobs = collect(cluster.worker());
  await until(() => jobs.length === 2, "both jobs arrive at another worker");
  assert.deepEqual(jobs.map((job) => job.payload.n), [2, 1]);
});

test("the worker with the fewest jobs is assigned the next, a new one until all have as many", async (t) => {
  const cluster = new Cluster(t);
  const [master, other] = [cluster.master(), cluster.master()];
  const workers = [cluster.worker(), cluster.worker()];
  const jobs = workers.map(collect);
  await Promise.all(workers.map((worker) => worker.ready()));
  for (let n = 0; n < 10; n++) await (n % 2 ? master : other).addJob({ n });
  await until(() => jobs[0].length + jobs[1].length === 10, "all jobs arrive");
  assert.deepEqual(jobs.map((list) => list.length), [5, 5]);
  const late = cluster.worker();
  jobs.push(collect(late));
  await late.ready();
  for (let n = 0; n < 5; n++) await master.addJob({ n });
  await until(() => jobs[2].length === 5, "the new worker is level");
  assert.deepEqual(jobs.map((list) => list.length), [5, 5, 5]);
});

test("jobs wait while there is no worker, and stay with their worker while there is no master", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  await master.addJob({ n: 1 });
  assert.equal((await master.stats()).waiting, 1);
  const worker = cluster.worker();
  const jobs = collect(worker);
  await until(() => jobs.length === 1, "the job arrives");
  await master.close();
  assert.equal((await worker.stats()).active, 1);
  assert.equal(Object.keys(worker.jobs).length, 1);
});

test("clusters of different prefix or database do not meet", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const elsewhere = [cluster.worker({ db: 1 }), cluster.worker({ prefix: `${cluster.name}-other` })];
  const strangers = elsewhere.map(collect);
  const jobs = collect(cluster.worker({ prefix: cluster.name }));
  await Promise.all(elsewhere.map((worker) => worker.ready()));
  await master.addJob({ n: 1 });
  await until(() => jobs.length === 1, "the job arrives");
  assert.deepEqual(strangers, [[], []]);
});

test("an error that a callback or a listener throws is uncaught, and stops nothing else", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const thrown = [];
  const catcher = (error) => thrown.push(error.message);
  process.prependListener("uncaughtException", catcher);
  const others = process.listeners("uncaughtException").filter((listener) => listener !== catcher);
  for (const listener of others) process.off("uncaughtException", listener);
  atEnd(t, () => {
    process.off("uncaughtException", catcher);
    for (const listener of others) process.on("uncaughtException", listener);
  });
  const called = [];
  for (let n = 0; n < 3; n++) {
    master.addJob({ n }, () => {
      called.push(n);
      throw new Error(`callback ${n}`);
    });
  }
  const worker = cluster.worker();
  const seen = [];
  worker.on("add", (job) => {
    seen.push(job.payload.n);
    throw new Error(`listener ${job.payload.n}`);
  });
  await until(() => seen.length === 3 && called.length === 3 && thrown.length === 6, "all are called");
  assert.deepEqual(thrown.sort(), ["callback 0", "callback 1", "callback 2", "listener 0", "listener 1", "listener 2"]);
});
