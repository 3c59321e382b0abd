"use strict";
// Async contexts, two copies of the package, dropped masters, and what is seen of members and jobs.

const assert = require("node:assert/strict");
const { AsyncLocalStorage } = require("node:async_hooks");
const { cpSync, mkdtempSync, readdirSync, rmSync } = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { test } = require("node:test");
const { inspect } = require("node:util");
const { Cluster, Program, assemblage, atEnd, collect, until } = require("./support.js");

test("callbacks, listeners and handlers have the AsyncLocalStorage of where they were passed", async (t) => {
  const storage = new AsyncLocalStorage();
  const cluster = new Cluster(t);
  const seen = {};
  const note = (name) => () => (seen[name] = storage.getStore());
  // Whoever makes the members is another request than those who use them.
  const [master, worker, handling] = storage.run("maker", () => [cluster.master(), cluster.worker({ tasks: "a", name: "receives" }), cluster.worker({ tasks: "b" })]);
  storage.run("listener", () => {
    worker.on("ready", note("on"));
    worker.once("ready", note("once"));
    worker.prependOnceListener("ready", note("prepended"));
    worker.on("message", note("message"));
  });
  await worker.ready();
  await storage.run("add", () => new Promise((resolve) => {
    worker.on("add", (job) => {
      note("add")();
      storage.run("delete", () => job.once("delete", note("delete")));
      resolve();
    });
    master.addJob({}, { id: "one", task: "a" }, note("addJob"));
  }));
  storage.run("callback", () => master.deleteJob("one", note("deleteJob")));
  storage.run("handler", () => handling.process(note("process")));
  storage.run("run", () => master.run({}, { task: "b" }, note("run")));
  storage.run("send", () => master.send({ name: "receives" }, 1, note("send")));
  await storage.run("awaited", async () => {
    await master.stats();
    note("promise")();
  });
  const expected = {
    on: "listener", once: "listener", prepended: "listener", message: "listener", add: "add", delete: "delete", addJob: "add", deleteJob: "callback",
    process: "handler", run: "run", send: "send", promise: "awaited",
  };
  await until(() => Object.keys(seen).length === Object.keys(expected).length, `all are called: ${Object.keys(seen)}`);
  assert.deepEqual(seen, expected);
});

test("listeners are removed and listed as of any emitter", (t) => {
  const worker = new Cluster(t).worker();
  const calls = [];
  const [a, b, c] = ["a", "b", "c"].map((name) => (...args) => calls.push([name, ...args]));
  worker.on("x", a).once("x", b).addListener("x", c).prependOnceListener("x", a);
  assert.deepEqual(worker.listeners("x"), [a, a, b, c]);
  worker.off("x", c).off("x", b);
  worker.emit("x", 1);
  worker.emit("x", 2);
  assert.deepEqual(calls, [["a", 1], ["a", 1], ["a", 2]]);
  worker.off("x", a);
  assert.equal(worker.listenerCount("x"), 0);
  assert.throws(() => worker.on("x", 5), { code: "ERR_INVALID_ARG_TYPE" });
  assert.throws(() => worker.once("x"), { code: "ERR_INVALID_ARG_TYPE" });
});

test("errors and jobs of another copy of the package are known", async (t) => {
  const folder = mkdtempSync(path.join(os.tmpdir(), "assemblage-copy-"));
  atEnd(t, () => rmSync(folder, { recursive: true, force: true }));
  const root = path.join(__dirname, "..");
  for (const name of ["index.js", "lib", ...readdirSync(root).filter((each) => each.endsWith(".node"))]) {
    cpSync(path.join(root, name), path.join(folder, name), { recursive: true });
  }
  const other = require(folder);
  assert.notEqual(other.SwarmError, assemblage.SwarmError);
  const cluster = new Cluster(t);
  const master = cluster.master();
  const attempts = {};
  cluster.worker().process((job) => {
    attempts[job.payload] = (attempts[job.payload] ?? 0) + 1;
    throw job.payload === "permanent" ? new other.PermanentFailure("never") : new other.RetryAfter(1, "later");
  });
  await master.addJobs([new other.NewJob("seven", { priority: 7, task: "x" })]);
  assert.equal((await master.jobs("waiting")).jobs[0].priority, 7);
  await assert.rejects(master.run("permanent", { retries: 3 }), (error) => {
    assert.ok(error instanceof other.JobFailedError && error instanceof other.SwarmError && error instanceof assemblage.JobFailedError);
    assert.ok(!(error instanceof other.TimeoutError));
    return true;
  });
  await assert.rejects(master.run("retried", { retries: 2, backoff: 60_000 }));
  assert.deepEqual(attempts, { permanent: 1, retried: 3 });
  class Own extends assemblage.TimeoutError {}
  assert.ok(new Own("x") instanceof assemblage.TimeoutError && new Own("x") instanceof Own);
  assert.ok(!(new assemblage.TimeoutError("x") instanceof Own));
  for (const value of [null, undefined, 5, "x", {}, new Error("x")]) assert.ok(!(value instanceof assemblage.SwarmError));
});

test("dropped masters leave and are collected; those of which something is to come are not", async (t) => {
  const cluster = new Cluster(t);
  const observer = cluster.master();
  await observer.ready();
  const it = new Program(t, `
    const collected = new Set();
    const registry = new FinalizationRegistry((name) => collected.add(name));
    const made = (name, use) => {
      const master = assemblage.createMaster(args[0], { url, name });
      registry.register(master, name);
      return Promise.resolve(use(master)).then(() => undefined);
    };
    (async () => {
      const results = [];
      for (let n = 0; n < 20; n++) await made("plain" + n, async (master) => { await master.ready(); await master.add(n); });
      await made("message", async (master) => { master.on("message", () => say("message")); await master.ready(); });
      await made("ephemeral", (master) => master.add("ephemeral", { ephemeral: true, id: "ephemeral" }));
      await made("data", (master) => master.setData(1));
      await made("run", async (master) => { await master.ready(); master.run("run").then((result) => say("result", result)); });
      process.stdin.on("data", () => process.exit(0));
      const poll = setInterval(() => {
        global.gc();
        if (collected.size < 20) return;
        clearInterval(poll);
        say("collected", [...collected].filter((name) => !name.startsWith("plain")));
      }, 20);
    })();
  `, { args: [cluster.name], node: ["--expose-gc"] });
  assert.deepEqual(await it.prints("collected"), [[]]);
  const names = await until(async () => {
    const members = (await observer.members()).map(({ name }) => name).sort();
    return members.length === 5 && members;
  }, "those that were collected have left");
  assert.deepEqual(names, ["", "data", "ephemeral", "message", "run"]);
  assert.equal((await observer.job("ephemeral")).state, "waiting");
  await observer.send({ name: "message" }, 1);
  await it.prints("message");
  cluster.worker().process((job) => job.payload);
  assert.deepEqual(await it.prints("result"), ["run"]);
  it.child.stdin.write("go\n");
  assert.equal(await it.end(), 0);
});

test("jobs and members can be written as JSON and shown, without secrets", async (t) => {
  const cluster = new Cluster(t);
  const { hostname, port } = new URL(process.env.SWARM_REDIS_URL);
  const master = cluster.keep(assemblage.createMaster(cluster.name, { url: `redis://${hostname}:${port}`, password: undefined, name: "shown" }));
  const worker = cluster.worker();
  const jobs = collect(worker);
  await master.add({ a: [1] }, { id: "one", headers: { trace: "1" }, priority: 3 });
  await until(() => jobs.length === 1, "the job arrives");
  const [job] = jobs;
  assert.deepEqual(JSON.parse(JSON.stringify(job)), {
    id: "one", payload: { a: [1] }, task: "", priority: 3, resource: "", group: "", headers: { trace: "1" }, attempt: 1, retriesLeft: 0, crashes: 0, fence: job.fence,
    cancelled: false,
  });
  assert.match(inspect(job), /^Job \{\n? *id: 'one'/);
  assert.match(inspect([[[job]]]), /Job one/);
  assert.deepEqual(JSON.parse(JSON.stringify(worker)), { type: "worker", cluster: cluster.name, incarnation: worker.incarnation });
  assert.match(inspect(master), /^Master \{[^]*cluster: /);

  for (const config of [{ url: "redis://user:sesame@127.0.0.1:1" }, { host: "127.0.0.1", port: 1, password: "sesame" }, { url: "rediss://user:sesame@127.0.0.1:1" }]) {
    let member;
    try {
      member = cluster.keep(assemblage.createMaster("x", config));
    } catch (error) {
      assert.doesNotMatch(inspect(error, { showHidden: true, depth: 9 }), /sesame/);
      continue;
    }
    member.on("error", (error) => assert.doesNotMatch(inspect(error), /sesame/));
    for (const depth of [0, 2, 9]) assert.doesNotMatch(inspect(member, { showHidden: true, depth }), /sesame/);
    assert.doesNotMatch(JSON.stringify(member), /sesame/);
    const error = await member.ready().catch((reason) => reason);
    assert.doesNotMatch(inspect(error, { showHidden: true, depth: 9 }), /sesame/);
  }
});
