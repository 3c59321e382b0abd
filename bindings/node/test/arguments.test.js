"use strict";
// Every public function refuses, with a typed error, an argument that it would take for something else.

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { Cluster, Program, assemblage, called, until, url } = require("./support.js");

const { NewJob } = assemblage;

/** No texts, and nothing that a text could be meant by. */
const NO_NAMES = [undefined, null, true, {}, [], ["a"], () => {}, Symbol("s"), Object.create(null), "\ud800"];
const NO_OPTIONS = ["text", 5, true, [], [1], Symbol("s"), { colour: "red" }];
const NO_LISTS = [5, "abc", true, {}, undefined, null, Symbol("s"), Buffer.from("abc"), { length: 2 }, (async function* many() {})()];
const NO_TIMES = [-1, NaN, Infinity, 1e19, "soon", "5", 5n, true, {}, [], Symbol("s")];
const NO_FUNCTIONS = [5, "text", {}, [], true, Symbol("s")];

const show = (value) => {
  try {
    return typeof value === "symbol" ? String(value) : JSON.stringify(value) ?? typeof value;
  } catch {
    return typeof value;
  }
};

/** Each call with each bad value fails with an InvalidArgumentError (or the error of `codes`) and a message. */
async function refuse(calls, codes = /^SWARM_INVALID_ARGUMENT$/) {
  for (const [name, call, values] of calls) {
    for (const value of values) {
      let error;
      try {
        const outcome = await call(value);
        assert.fail(`${name} takes ${show(value)}: ${show(outcome)}`);
      } catch (thrown) {
        error = thrown;
      }
      if (error.code === "ERR_ASSERTION") throw error;
      assert.ok(error instanceof assemblage.SwarmError, `${name} with ${show(value)}: ${error.stack}`);
      assert.match(error.code, codes, `${name} with ${show(value)}: ${error.message}`);
      assert.ok(error.message.length > 10, error.message);
    }
  }
}

test("masters", async (t) => {
  const master = new Cluster(t).master();
  const options = [...NO_OPTIONS, { id: {} }, { id: true }, { task: ["a"] }, { resource: {} }, { unique: () => {} }, { unique: {} }, { unique: ["k"] }, { unique: { key: "k", until: "stop" } }, { headers: { a: {} } },
    { headers: { a: undefined } }, { headers: "a" }, { priority: {} }, { priority: "high" }, { delay: [] }, { timeouts: false }, { backoff: true },
    { retries: [] }, { ephemeral: 5 }, { result: "perhaps" }];
  const waits = [{ timeout: 0 }, { timeout: "5" }, { timeout: 5n }, { timeout: NaN }, { signal: 5 }, { signal: {} }, { signal: "abort" }];
  await refuse([
    ["addJob", (value) => master.addJob({}, value), options],
    ["addJob", (value) => master.addJob({}, {}, value), NO_FUNCTIONS],
    ["add", (value) => master.add({}, value), options],
    ["add", (value) => master.add(value), [1n, () => {}, Symbol("s"), { toJSON() { throw null; } }]],
    ["NewJob", (value) => master.addJobs([new NewJob(1, value)]), options],
    ["addJobs", (value) => master.addJobs(value), NO_LISTS],
    ["addJobs", (value) => master.addJobs([1], value), options],
    ["addMany", (value) => master.addMany(value), NO_LISTS],
    ["addMany", (value) => master.addMany([value]), [5, "text", null, undefined, true, [], { colour: 1 }, Symbol("s")]],
    ["deleteJob", (value) => master.deleteJob(value), [true, {}, [], ["a"], Symbol("s"), "\ud800"]],
    ["deleteJobs", (value) => master.deleteJobs(value), NO_LISTS],
    ["deleteJobs", (value) => master.deleteJobs([value]), NO_NAMES],
    ["result", (value) => master.result(value), NO_NAMES],
    ["result", (value) => master.result("x", value), [...NO_OPTIONS, ...waits, { id: "x" }]],
    ["run", (value) => master.run({}, value), [...options, ...waits]],
    ["runMany", (value) => master.runMany(value), NO_LISTS],
    ["runMany", (value) => master.runMany([1], value), [...options, ...waits, { keep: "yes" }]],
    ["runEach", (value) => master.runEach(value), NO_LISTS],
    ["runEach", (value) => master.runEach([1], value).next(), [...options, ...waits, { keep: 1 }]],
    ["job", (value) => master.job(value), NO_NAMES],
    ["jobs", (value) => master.jobs(value), [...NO_NAMES, "lost"]],
    ["jobs", (value) => master.jobs("failed", value), [...NO_OPTIONS, { limit: 0 }, { limit: 1001 }, { limit: "5" }, { limit: 1.5 }, { limit: NaN }, { after: {} }]],
    ["pause", (value) => master.pause(value), [true, {}, [], Symbol("s")]],
    ["resume", (value) => master.resume(value), [true, {}, [], Symbol("s")]],
    ["retryFailed", (value) => master.retryFailed(value), [5, true, {}, Symbol("s"), [{}], [null]]],
    ["deleteFailed", (value) => master.deleteFailed(value), [5, true, {}, Symbol("s"), [{}], [null]]],
    ["choose", (value) => master.choose(value), [undefined, null, ...NO_FUNCTIONS]],
    ["choose", (value) => master.choose(() => {}, value), [...NO_OPTIONS, ...NO_TIMES.map((within) => ({ within })), { within: 5 }, { tasks: 5 }, { tasks: [{}] }]],
  ]);
  // Nothing of it was done.
  const { added, deleted } = await master.stats();
  assert.deepEqual([added, deleted], [0, 0]);
});

test("workers", async (t) => {
  const cluster = new Cluster(t);
  const [worker, others] = [cluster.worker(), new Cluster(t)];
  await refuse([
    ["process", (value) => worker.process(value), [undefined, null, ...NO_FUNCTIONS, { a: "no function" }, [() => {}]]],
    ["process", (value) => others.worker().process(() => {}, value), [...NO_OPTIONS, { slots: 0 }, { slots: -1 }, { slots: 1.5 }, { slots: NaN }, { slots: "many" }, { slots: {} }]],
    ["setTasks", (value) => worker.setTasks(value), [5, true, {}, Symbol("s"), [{}], [null], [true]]],
    ["deleteJob", (value) => worker.deleteJob(value), NO_NAMES],
    ["terminate", (value) => worker.terminate(value), [...NO_OPTIONS, ...NO_TIMES.map((grace) => ({ grace }))]],
  ]);
  assert.equal(worker.running, true, "it goes on");
  const [error] = await called((done) => worker.terminate({ grace: NaN }, done));
  assert.equal(error.code, "SWARM_INVALID_ARGUMENT");

  worker.on("add", async (job) => {
    const settled = await Promise.allSettled([
      job.complete(1n), job.complete(Symbol("s")), job.retry("x", -1), job.retry("x", NaN), job.retry("x", "5"), job.retry("x"), job.retry("x", Infinity),
      ...NO_FUNCTIONS.map((callback) => job.complete(1, callback)), ...NO_FUNCTIONS.map((callback) => job.fail("x", callback)),
    ]);
    for (const { reason } of settled) assert.equal(reason?.code, "SWARM_INVALID_ARGUMENT");
    for (const progress of [undefined, 1n, () => {}, Symbol("s")]) assert.throws(() => job.progress(progress), { code: "SWARM_INVALID_ARGUMENT" });
    await job.complete("done");
  });
  assert.equal(await cluster.master().run({}), "done");
});

test("members, and their messages", async (t) => {
  const cluster = new Cluster(t);
  for (const member of [cluster.master(), cluster.worker()]) {
    await refuse([
      ["send", (value) => member.send(value, 1), [undefined, null, 5, "nobody", true, {}, [], { groups: "g" }, { group: {} }, { group: "g", name: "n" }, { pid: "x" },
        { pid: -1 }, { pid: 1.5 }, { pid: 1, host: {} }, { name: "n", colour: "red" }, { member: [] }, Symbol("s")]],
      ["send", (value) => member.send("all", value), [1n, () => {}, Symbol("s")]],
      ["send", (value) => member.send("all", 1, value), [...NO_OPTIONS, ...NO_TIMES.map((request) => ({ request })), ...NO_TIMES.map((acknowledged) => ({ acknowledged })), { request: 0 }]],
      ["kill", (value) => member.kill(value), [undefined, null, 5, "nobody", {}]],
      ["kill", (value) => member.kill("all", value), ["1", 1.5, NaN, 2 ** 32, {}, true, Symbol("s")]],
      ["exitOnKill", (value) => member.exitOnKill(value), [...NO_OPTIONS, ...NO_TIMES.map((grace) => ({ grace })), ...NO_FUNCTIONS.map((onKill) => ({ onKill }))]],
      ["confirm", (value) => member.confirm(value), NO_NAMES],
      ["confirmations", (value) => member.confirmations(1, value), NO_NAMES],
      ["confirmations", (value) => member.confirmations(value, "x"), [-1, 1.5, NaN, Infinity, "1", {}, true, Symbol("s")]],
      ["setData", (value) => member.setData(value), [undefined, 1n, () => {}, Symbol("s")]],
      ["ready", (value) => member.ready(value), NO_FUNCTIONS],
      ["stats", (value) => member.stats(value), NO_FUNCTIONS],
    ]);
  }
});

test("constructors of members and supervisors, and the logger", async () => {
  const configs = [5, true, [], [url], Symbol("s"), () => {}, { url: 5 }, { url: "http://x" }, { colour: "red" }, { host: {} }, { host: true }, { port: "x" }, { port: {} },
    { lease: {} }, { lease: "long" }, { name: {} }, { group: [] }, { client: 5 }, { client: "x" }, { tls: {} }, { sentinels: {} }, { sentinels: [5n, {}] }, { nodes: true },
    { password: {} }, { username: {} }, { prefix: {} }, { db: {} , url: 5 }, { maxPayload: "big" }, { failedMax: -1 }, { expiredelay: 5 }, { redis: "x" }];
  const before = process.listenerCount("warning");
  await refuse([
    ["createMaster", (value) => assemblage.createMaster("x", value), configs],
    ["createWorker", (value) => assemblage.createWorker("x", value), [...configs, { slots: "x" }, { slots: {} }, { tasks: 5 }, { tasks: [{}] }, { prioritySlots: 5 }, { prioritySlots: { 1: {} }, slots: 5 }, { requeue: {} }, { requeue: "middle" }]],
    ["createMaster", (value) => assemblage.createMaster(value), [{}, [], true, Symbol("s"), () => {}, "\ud800", "a\nb"]],
    ["createSupervisor", (value) => assemblage.createSupervisor(value), [...NO_OPTIONS, { grace: -1 }, { grace: {} }, { backoff: "x" }, { backoff: { pause: 1 } }, { lines: {} }]],
    ["setLogger", (value) => assemblage.setLogger(value), NO_FUNCTIONS],
    ["setLogger", (value) => assemblage.setLogger(() => {}, value), [...NO_OPTIONS, { level: "loud" }, { level: 5 }]],
    ["RetryAfter", (value) => new assemblage.RetryAfter(value, "x"), [...NO_TIMES, undefined]],
  ]);
  assert.equal(process.listenerCount("warning"), before);
  assert.throws(() => assemblage.createMaster("x", { expiredelay: 5 }), { message: /`expiredelay`.*`expireDelay`/ });
  assert.throws(() => assemblage.createMaster("x", { password: { secret: "hidden" } }), (error) => !/hidden/.test(error.message));
});

test("supervisors", async (t) => {
  const supervisor = assemblage.createSupervisor();
  t.after(() => supervisor.stop());
  await refuse([
    ["spawn", (value) => supervisor.spawn(value), [undefined, null, 5, {}, [], true, "\ud800", "a\0b"]],
    ["spawn", (value) => supervisor.spawn("true", value, {}), [5, "text", true, Symbol("s")]],
    ["spawn", (value) => supervisor.spawn("true", [value]), [{}, null, undefined, Symbol("s"), "\ud800", "a\0b"]],
    ["spawn", (value) => supervisor.spawn("true", [], value), [...NO_OPTIONS, { env: 5 }, { env: [] }, { env: { A: {} } }, { cwd: {} }, { cpus: {} }, { count: "x" }, { count: 0 }, { name: {} }]],
    ["kill", (value) => supervisor.kill(value), [undefined, null, "1", {}, Symbol("s")]],
    ["reload", (value) => supervisor.reload(value), NO_FUNCTIONS],
    ["stop", (value) => supervisor.stop(value), NO_FUNCTIONS],
  ]);
  assert.deepEqual(supervisor.list(), []);
});

test("a URL is text or an object", async (t) => {
  const cluster = new Cluster(t);
  for (const config of [url, new URL(url), { url: new URL(url) }]) {
    const member = cluster.keep(assemblage.createMaster(cluster.name, config));
    await member.ready();
    assert.equal(member.config, config);
    await cluster.keep(assemblage.createWorker(cluster.name, config)).ready();
  }
});

test("ids are taken as they are; only the callback API of assemblage 0.1 trims spaces", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  await master.addMany([{ id: " a " }, { id: "a" }, { id: "a " }]);
  assert.equal(await master.deleteJob(" a "), " a ");
  assert.equal(await master.job(" a "), null);
  assert.equal((await master.job("a")).id, "a");
  assert.deepEqual(await master.deleteJobs(["a "]), [true]);
  const worker = cluster.worker({ tasks: "none" });
  assert.equal(await worker.deleteJob(" a"), false);
  assert.equal((await master.job("a")).id, "a");
  assert.deepEqual(await called((done) => master.deleteJob(" a ", done)), [null, "a", true]);
  assert.equal(await master.job("a"), null);
});

test("a failure of a call that is not awaited is not lost", async (t) => {
  const cluster = new Cluster(t);
  for (const call of ["master.addJob({}, { priority: 'high' })", "master.add({}, { priority: 'high' })", "master.deleteJob('x'.repeat(300))",
    "worker.deleteJob('x'.repeat(300))", "master.run(1n)", "worker.terminate({ grace: NaN })"]) {
    const it = new Program(t, `
      const master = assemblage.createMaster(args[0], { url });
      const worker = assemblage.createWorker(args[0], { url });
      process.on("unhandledRejection", (error) => { say(error.code); process.exit(0); });
      setInterval(() => {}, 1000);
      ${call};
    `, { args: [cluster.name] });
    await until(() => it.printed.length > 0, call);
    assert.match(it.printed[0][0], /^SWARM_(INVALID_ARGUMENT|TOO_LARGE)$/, call);
    assert.equal(await it.end(), 0);
  }
});
