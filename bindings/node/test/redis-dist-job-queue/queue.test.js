"use strict";
// Submitting and performing in one process.

const assert = require("node:assert/strict");
const net = require("node:net");
const { test } = require("node:test");
const { RedisServer } = require("../support.js");
const { JobQueue, called, folderOf, masterOf, queueOf, redisConfig, submit, until } = require("./support.js");

test("its synopsis", async (t) => {
  const queue = queueOf(t, { tasks: ["echo"] });
  assert.equal(queue.start(), undefined);
  const [error] = await called((done) => {
    assert.equal(queue.submitJob("echo", { resourceId: "resource_id", params: { theString: "derp" } }, done), undefined);
  });
  assert.equal(error, null);
  await until(() => queue.reported.jobSuccess.length, "the job is performed");
  assert.deepEqual(queue.reported.jobSuccess, [{ type: "echo", resource: "resource_id", params: { theString: "derp" }, retries: 0 }]);
  assert.deepEqual(await called((done) => queue.shutdown(done)), []);
  assert.deepEqual(queue.reported.error, []);
});

test("options have the defaults of 0.1, are merged, and are left as they are", async (t) => {
  const config = Object.freeze({ ...redisConfig(), no_ready_check: true });
  const passed = Object.freeze({ redisConfig: config, namespace: "n.", queueId: "q", unknown: 1, flushStaleTimeout: 5, workerCount: 3, childProcessCount: 0 });
  const queue = queueOf(t, passed);
  const { namespace, queueId, workerCount, childProcessCount, flushStaleTimeout, shuttingDown, cluster } = queue;
  assert.deepEqual([namespace, queueId, workerCount, childProcessCount, flushStaleTimeout, shuttingDown, cluster], ["n.", "q", 3, 0, 5, false, "n.q"]);
  assert.deepEqual(queue.redisConfig, { ...config, db: 0 });

  const plain = new JobQueue();
  plain.on("error", () => {});
  atEndShutdown(t, plain);
  assert.deepEqual(plain.redisConfig, { host: "127.0.0.1", port: 6379, db: 0 });
  assert.equal(plain.cluster, "redis-dist-job-queue.default");
  assert.deepEqual([plain.workerCount, plain.flushStaleTimeout], [require("node:os").cpus().length, 30000]);
});

test("the database of redisConfig is used, and its count is not limited to 16", async (t) => {
  const queue = queueOf(t, { redisConfig: { ...redisConfig(), db: 3 } });
  await submit(queue, "echo");
  const there = masterOf(t, queue, { db: 3 });
  assert.equal((await there.stats()).waiting, 1);
  assert.equal((await masterOf(t, queue, { db: 0 }).stats()).waiting, 0);
  const none = queueOf(t, { redisConfig: { ...redisConfig(), db: undefined } });
  await submit(none, "echo");
  assert.equal((await masterOf(t, none, { db: 0 }).stats()).waiting, 1);
  const beyond = queueOf(t, { redisConfig: { ...redisConfig(), db: 16 } });
  await assert.rejects(submit(beyond, "echo"), /DB index is out of range/);
});

test("options that cannot be used are thrown by the constructor, or by start", (t) => {
  assert.throws(() => new JobQueue({ redisConfig: { port: "none" } }), { code: "SWARM_INVALID_ARGUMENT" });
  const queue = queueOf(t, { workerCount: "many", tasks: ["echo"] });
  assert.throws(() => queue.start(), { code: "SWARM_INVALID_ARGUMENT" });
});

test("options of a job may be left out, and a callback too", async (t) => {
  const queue = queueOf(t, { tasks: ["echo"] });
  queue.start();
  const outcomes = [called((done) => queue.submitJob("echo", done)), called((done) => queue.submitJob("echo", null, done)), called((done) => queue.submitJob("echo", undefined, done))];
  assert.deepEqual(await Promise.all(outcomes), [[null], [null], [null]]);
  queue.submitJob("echo");
  queue.submitJob("echo", { params: "no callback" });
  await until(() => queue.reported.jobSuccess.length === 5, "all are performed");
  assert.deepEqual(queue.reported.jobSuccess.slice(0, 3).map((job) => job.params), [null, null, null]);
  // Each has a resource of its own.
  assert.equal(new Set(queue.reported.jobSuccess.map((job) => job.resource)).size, 5);
});

test("params stay what they are, through retries too", async (t) => {
  const queue = queueOf(t, { tasks: ["echo", "fail"], workerCount: 1 });
  const many = [0, "", false, null, [], {}, 1234567890123456, 0.1234567890123456, "a\nb\u2028\ud83d\ude00", [[]], { a: [], o: {} }, new Date(0), Buffer.from("x"), undefined, () => {}];
  for (const params of many) queue.submitJob("echo", { params });
  await submit(queue, "fail", { params: { how: "error", empty: [], long: 1234567890123456, part: 0.1234567890123456 }, retries: 1 });
  queue.start();
  await until(() => queue.reported.jobFail.length === 2, "all are performed");
  const kept = many.map((params) => JSON.parse(JSON.stringify(params) ?? "null"));
  assert.deepEqual(queue.reported.jobSuccess.map((job) => job.params), kept);
  for (const { params } of queue.reported.jobFail) {
    assert.deepEqual(params, { how: "error", empty: [], long: 1234567890123456, part: 0.1234567890123456 });
  }
});

test("params that are no JSON are an error of the callback", async (t) => {
  const queue = queueOf(t);
  const cycle = {};
  cycle.self = cycle;
  for (const params of [cycle, 1n, new BigInt64Array(1)]) {
    const [error, ...more] = await called((done) => queue.submitJob("echo", { params }, done));
    assert.ok(error instanceof Error, String(params));
    assert.deepEqual(more, []);
  }
  queue.submitJob("echo", { params: 1n });
  await until(() => queue.reported.error.length === 1, "without a callback it is an event");
});

test("a job is performed with its task module as `this`", async (t) => {
  const queue = queueOf(t, { tasks: ["echo"] });
  const folder = folderOf(t);
  queue.start();
  await submit(queue, "echo", { params: { n: 1, file: folder.path("out") } });
  await until(() => queue.reported.jobSuccess.length, "performed");
  assert.deepEqual(folder.lines("out"), [[1, process.pid, true]]);
});

test("jobs of one queue are performed in order, and by any process that has registered their task", async (t) => {
  const queue = queueOf(t);
  const folder = folderOf(t);
  for (let n = 0; n < 50; n++) await submit(queue, "echo", { params: { n, file: folder.path("out") } });
  const other = queueOf(t, { queueId: queue.queueId, tasks: ["echo"], workerCount: 1 });
  other.start();
  await until(() => other.reported.jobSuccess.length === 50, "all are performed");
  assert.deepEqual(folder.lines("out").map(([n]) => n), Array.from({ length: 50 }, (_, n) => n));
  assert.equal(queue.reported.jobSuccess.length, 0, "events are of the process that performed the job");
});

test("at most workerCount jobs run at once", async (t) => {
  const queue = queueOf(t, { tasks: ["hold"], workerCount: 3 });
  const folder = folderOf(t);
  const params = (n) => ({ n, file: folder.path("begun"), until: folder.path("go") });
  for (let n = 0; n < 5; n++) queue.submitJob("hold", { params: params(n) });
  queue.start();
  await until(() => folder.lines("begun").length === 3, "three have begun");
  const master = masterOf(t, queue);
  const { active, waiting } = await master.stats();
  assert.deepEqual([active, waiting, folder.lines("begun").length], [3, 2, 3]);
  folder.make("go");
  await until(() => queue.reported.jobSuccess.length === 5, "all are done");
});

test("jobs of one resource run one at a time, in the order of submission", async (t) => {
  const queue = queueOf(t, { tasks: ["hold", "echo"], workerCount: 4 });
  const folder = folderOf(t);
  for (let n = 0; n < 4; n++) {
    await submit(queue, "hold", { resourceId: "r", params: { n, file: folder.path("begun"), until: folder.path(`go${n}`) } });
  }
  queue.start();
  for (let n = 0; n < 4; n++) {
    await until(() => folder.lines("begun").length === n + 1, `job ${n} has begun`);
    // Another resource is not delayed.
    await submit(queue, "echo", { resourceId: `other${n}` });
    await until(() => queue.reported.jobSuccess.filter((job) => job.type === "echo").length === n + 1, "the other resource");
    assert.deepEqual(folder.lines("begun").map(([which]) => which), Array.from({ length: n + 1 }, (_, i) => i));
    assert.equal((await masterOf(t, queue).stats()).blocked, 3 - n);
    folder.make(`go${n}`);
  }
  await until(() => queue.reported.jobSuccess.length === 8, "all are done");
});

test("jobs that wait for their resource cost Redis next to nothing", async (t) => {
  const server = await RedisServer.start(t);
  const queue = queueOf(t, { tasks: ["hold"], workerCount: 4, redisConfig: redisConfig(server.url) });
  const folder = folderOf(t);
  for (let n = 0; n < 3; n++) queue.submitJob("hold", { resourceId: "r", params: { n, file: folder.path("begun"), until: folder.path("go") } });
  queue.start();
  await until(() => folder.lines("begun").length === 1, "the first has begun");
  const commands = async () => Number(/total_commands_processed:(\d+)/.exec(await info(server.url))[1]);
  const [before, since] = [await commands(), performance.now()];
  await until(() => performance.now() - since > 1000, "a second is over");
  const count = (await commands()) - before;
  assert.ok(count < 1000, `${count} commands in a second, those inside of scripts among them`);
  folder.make("go");
  await until(() => queue.reported.jobSuccess.length === 3, "all are done");
});

test("names may be any text", async (t) => {
  const names = ["a{b}c", "a'b\"c", "a%7bb", "\n", " a ", " ", "long".repeat(100), "sha256:x", "ünï", "]]"];
  const queues = names.map((name) => queueOf(t, { namespace: name, queueId: "", tasks: ["echo"] }));
  assert.equal(new Set(queues.map((queue) => queue.cluster)).size, names.length);
  for (const queue of queues) {
    for (const resourceId of names) queue.submitJob("echo", { resourceId });
    queue.submitJob("echo", { resourceId: 7 });
    queue.start();
  }
  for (const queue of queues) {
    await until(() => queue.reported.jobSuccess.length === names.length + 1, `the queue ${queue.namespace}`);
    assert.deepEqual(queue.reported.jobSuccess.map((job) => job.resource).sort(), [...names, "7"].sort());
    assert.deepEqual(queue.reported.error, []);
  }
  const empty = queueOf(t, { namespace: "", queueId: "" });
  assert.equal(empty.cluster, "%");
  await submit(empty, "x".repeat(300));
});

test("a job whose task no process has registered waits for one that has", async (t) => {
  const queue = queueOf(t, { tasks: ["echo"] });
  queue.start();
  await submit(queue, "fail", { params: {} });
  await submit(queue, "echo");
  await until(() => queue.reported.jobSuccess.length === 1, "the other task is performed");
  assert.equal((await masterOf(t, queue).stats()).waiting, 1);
  const other = queueOf(t, { queueId: queue.queueId, tasks: ["fail"] });
  other.start();
  await until(() => other.reported.jobSuccess.length === 1, "performed");
  assert.deepEqual([...queue.reported.error, ...queue.reported.jobFail], []);
});

test("start without a task, or without workers, performs nothing", async (t) => {
  const queue = queueOf(t);
  queue.start();
  const idle = queueOf(t, { queueId: queue.queueId, tasks: ["echo"], workerCount: 0 });
  idle.start();
  await submit(queue, "");
  await submit(queue, "echo");
  const master = masterOf(t, queue);
  await until(async () => (await master.stats()).members === 3, "both queues and this master are there");
  assert.equal((await master.stats()).waiting, 2);
});

/** Redis' statistics. */
function info(url) {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    let text = "";
    const socket = net.connect(Number(port), hostname, () => socket.end("INFO stats\r\n"));
    socket.setEncoding("utf8").on("data", (more) => (text += more)).once("end", () => resolve(text)).once("error", reject);
  });
}

function atEndShutdown(t, queue) {
  t.after(() => called((done) => queue.shutdown(done)));
}
