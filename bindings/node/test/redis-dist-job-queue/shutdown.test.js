"use strict";
// How queues and their processes end, and what they do without Redis.

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { Program, RedisServer } = require("../support.js");
const { called, fixture, folderOf, free, masterOf, queueOf, redisConfig, submit, until } = require("./support.js");

const params = (folder, n) => ({ n, file: folder.path("begun"), until: folder.path("go") });

const program = (t, source, options = {}) => new Program(t, `
  const JobQueue = require("assemblage/redis-dist-job-queue");
  const queue = new JobQueue(${JSON.stringify({ redisConfig: redisConfig(), queueId: `q${Math.random()}`, ...options })});
  ${source}`, { node: ["--no-deprecation"] });

test("a queue never started is shut down, again too, and refuses what comes after", async (t) => {
  const queue = queueOf(t, { tasks: ["echo"] });
  await submit(queue, "echo");
  const order = [];
  const both = [called((done) => queue.shutdown(done)).then((args) => order.push(args)), called((done) => queue.shutdown(done)).then((args) => order.push(args))];
  assert.equal(queue.shuttingDown, true);
  await Promise.all(both);
  assert.deepEqual(order, [[], []]);
  assert.deepEqual(await called((done) => queue.shutdown(done)), []);
  assert.equal(queue.shutdown(), undefined);
  for (const call of [
    (done) => queue.submitJob("echo", {}, done), (done) => queue.retryFailedJobs(done), (done) => queue.deleteFailedJobs(done),
    (done) => queue.forceFlushStaleJobs(done), (done) => queue.flushStaleJobs(done),
  ]) {
    const [error, ...more] = await called(call);
    assert.deepEqual([error.code, more], ["SWARM_CLOSED", []]);
  }
  queue.start();
  assert.deepEqual(queue.reported.error.map((error) => error.code), ["SWARM_CLOSED"]);
});

test("jobs submitted right before shutdown are stored, and their callbacks come first", async (t) => {
  const queue = queueOf(t);
  const order = [];
  for (let n = 0; n < 100; n++) queue.submitJob("echo", { params: n }, (error) => order.push(error));
  await called((done) => queue.shutdown(done));
  assert.deepEqual(order, Array(100).fill(null));
  assert.equal((await masterOf(t, queue).stats()).waiting, 100);
});

test("shutdown waits for jobs in progress, reports them, and takes no others", async (t) => {
  const queue = queueOf(t, { tasks: ["hold"], workerCount: 2 });
  const other = queueOf(t, { queueId: queue.queueId });
  const folder = folderOf(t);
  const master = masterOf(t, queue);
  queue.start();
  await submit(queue, "hold", { params: params(folder, 1) });
  await until(() => folder.lines("begun").length === 1, "begun");
  let closed = false;
  const end = called((done) => queue.shutdown(done)).then(() => { closed = true; });
  await free(master, 0);
  await submit(other, "hold", { params: params(folder, 2) });
  assert.equal(closed, false);
  folder.make("go");
  await end;
  assert.deepEqual(queue.reported.jobSuccess.map((job) => job.params.n), [1]);
  const { waiting, active } = await master.stats();
  assert.deepEqual([waiting, active, folder.lines("begun").length], [1, 0, 1]);
});

test("no job is lost or failed by processes that come and go", async (t) => {
  const queue = queueOf(t);
  const folder = folderOf(t);
  const count = 400;
  let completed = 0;
  for (let n = 0; n < count; n++) queue.submitJob("echo", { resourceId: `r${n % 7}`, params: { n, file: folder.path("out") } });
  while (completed < count) {
    const one = queueOf(t, { queueId: queue.queueId, tasks: ["echo"], workerCount: 4 });
    one.start();
    await until(() => one.reported.jobSuccess.length >= 20 || completed + one.reported.jobSuccess.length === count, "some are done");
    await called((done) => one.shutdown(done));
    completed += one.reported.jobSuccess.length;
    assert.deepEqual([...one.reported.jobFail, ...one.reported.error], []);
  }
  const done = folder.lines("out").map(([n]) => n);
  assert.deepEqual(done.toSorted((a, b) => a - b), Array.from({ length: count }, (_, n) => n));
  // Each resource in the order of submission.
  for (let r = 0; r < 7; r++) {
    const its = done.filter((n) => n % 7 === r);
    assert.deepEqual(its, its.toSorted((a, b) => a - b));
  }
});

test("a process that only submits ends by itself", async (t) => {
  const it = program(t, `queue.submitJob("echo", {}, (error) => say("stored", error));`);
  assert.equal(await it.end(), 0);
  assert.deepEqual(it.printed, [["stored", null]]);
  assert.equal(it.errors, "");
});

test("a process that performs lives until shutdown, and prints nothing by itself", async (t) => {
  const it = program(t, `
    queue.registerTask(${JSON.stringify(fixture("echo"))});
    queue.start();
    queue.on("jobSuccess", () => queue.shutdown(() => say("shut")));
    setTimeout(() => queue.submitJob("echo"), 300).unref();
  `);
  assert.equal(await it.end(), 0);
  assert.deepEqual(it.printed, [["shut"]]);
  assert.equal(it.errors, "");
});

test("an error without a listener is logged, and one thrown by a listener is the program's own", async (t) => {
  const it = program(t, `
    queue.registerTask(${JSON.stringify(fixture("fail"))});
    queue.start();
    queue.submitJob("fail", { params: { how: "twice" } });
    process.on("warning", (warning) => say("warning", warning.message));
    require("assemblage").setLogger(({ level, target, message }) => say(level, target, message), { level: "error" });
    queue.on("jobSuccess", () => setImmediate(() => queue.shutdown(() => say("shut"))));
  `);
  assert.equal(await it.end(), 0);
  assert.deepEqual(it.printed, [["error", "assemblage", "Error: fail: callback called twice"], ["shut"]]);

  const throwing = program(t, `
    queue.registerTask(${JSON.stringify(fixture("echo"))});
    queue.start();
    queue.submitJob("echo");
    queue.on("jobSuccess", () => { throw new Error("of the program"); });
  `);
  assert.equal(await throwing.end(), 1);
  assert.match(throwing.errors, /Error: of the program/);
});

test("without Redis nothing throws, calls answer, and shutdown ends", async (t) => {
  for (const childProcessCount of [0, 1]) {
    const queue = queueOf(t, { redisConfig: { port: 1, timeout: 300 }, tasks: ["echo"], childProcessCount });
    queue.start();
    const [error] = await called((done) => queue.submitJob("echo", {}, done));
    assert.equal(error.code, "SWARM_UNAVAILABLE");
    await until(() => queue.reported.error.length > 0, "it is reported");
    assert.ok(queue.reported.error.every((one) => one.code === "SWARM_UNAVAILABLE"));
    assert.deepEqual(await called((done) => queue.shutdown(done)), []);
  }
});

test("a queue goes on when Redis returns, and is shut down while it is away", async (t) => {
  const server = await RedisServer.start(t);
  const folder = folderOf(t);
  const queue = queueOf(t, { redisConfig: { ...redisConfig(server.url), timeout: 2000 }, tasks: ["echo", "hold"] });
  queue.start();
  await submit(queue, "echo");
  await until(() => queue.reported.jobSuccess.length === 1, "performed");
  await server.kill();
  await until(() => queue.reported.error.length > 0, "the loss is reported");
  await server.start();
  await until(() => called((done) => queue.submitJob("echo", {}, done)).then(([error]) => error === null), "stored again");
  await until(() => queue.reported.jobSuccess.length === 2, "performed again");

  await submit(queue, "hold", { params: params(folder, 1) });
  await until(() => folder.lines("begun").length === 1, "begun");
  await server.kill();
  const end = called((done) => queue.shutdown(done));
  folder.make("go");
  assert.deepEqual(await end, []);
});

test("names of the login are those of node_redis too", async (t) => {
  const server = await RedisServer.start(t, "--requirepass", "s:e@c/r%t");
  for (const login of [{ auth_pass: "s:e@c/r%t" }, { password: "s:e@c/r%t" }, { user: "default", password: "s:e@c/r%t" }, { url: `redis://:s%3Ae%40c%2Fr%25t@127.0.0.1:${server.port}`, host: undefined }]) {
    const queue = queueOf(t, { redisConfig: { ...redisConfig(server.url), ...login } });
    await submit(queue, "echo");
  }
  for (const path of [{ path: server.socket }, { socket: server.socket }]) {
    const queue = queueOf(t, { redisConfig: { ...path, auth_pass: "s:e@c/r%t", db: 2 } });
    await submit(queue, "echo");
  }
  const wrong = queueOf(t, { redisConfig: redisConfig(server.url) });
  await assert.rejects(submit(wrong, "echo"), { code: "SWARM_AUTH_FAILED" });
});

test("CommonJS and ES modules have one class", async (t) => {
  const it = program(t, `
    import("assemblage/redis-dist-job-queue").then((module) => say(module.default === JobQueue, module.JobQueue === JobQueue));`);
  assert.equal(await it.end(), 0);
  assert.deepEqual(it.printed, [[true, true]]);
});
