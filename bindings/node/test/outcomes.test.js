"use strict";
// Whatever a program throws, returns or names, each of its jobs ends, and none harms another of the same turn.

const assert = require("node:assert/strict");
const { test } = require("node:test");
const vm = require("node:vm");
const { Cluster, Program, assemblage, collect, until } = require("./support.js");

const LONE = "\ud800";

function revoked(target = {}) {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
}

function throwing(what) {
  return { get() { throw new Error(`${what} throws`); } };
}

function cyclic() {
  const value = {};
  value.self = value;
  return value;
}

/** What a handler may throw, and what is kept of it. */
const thrown = {
  "a lone surrogate": [() => new Error(`a ${LONE} b`), /^Error: a \ufffd b$/],
  "a lone surrogate as text": [() => LONE, /^\ufffd$/],
  "undefined": [() => undefined, /^undefined$/],
  "null": [() => null, /^null$/],
  "a text": [() => "a text", /^a text$/],
  "a number": [() => 0, /^0$/],
  "a BigInt": [() => 12n, /^12$/],
  "a Symbol": [() => Symbol("s"), /^Symbol\(s\)$/],
  "a function": [() => function named() {}, /named/],
  "an object with a message": [() => ({ message: "its message" }), /^its message$/],
  "an object without a prototype": [() => Object.create(null), /null prototype/],
  "a message getter that throws": [() => Object.defineProperty({}, "message", throwing("message")), /./],
  "an error whose message getter throws": [() => Object.defineProperty(new Error(), "message", throwing("message")), /./],
  "an error whose name is a Symbol": [() => Object.assign(new Error("m"), { name: Symbol("n") }), /m/],
  "an error whose message is an object without a prototype": [() => Object.assign(new Error(), { message: Object.create(null) }), /Error/],
  "an error whose message is a Symbol": [() => Object.assign(new Error(), { message: Symbol("n") }), /Error/],
  "toString that throws": [() => ({ toString() { throw new Error("toString throws"); } }), /./],
  "an error whose toString throws": [() => Object.assign(new Error("m"), { toString() { throw new Error("x"); } }), /m/],
  "an error whose toString returns no text": [() => Object.assign(new Error("m"), { toString: () => ({}) }), /m/],
  "an error whose stack getter throws": [() => Object.defineProperty(new Error("m"), "stack", throwing("stack")), /^Error: m$/],
  "an error whose cause getter throws": [() => Object.defineProperty(new Error("m"), "cause", throwing("cause")), /^Error: m$/],
  "an error that is its own cause": [() => { const e = new Error("m"); e.cause = e; return e; }, /^Error: m$/],
  "no error, with the prototype of one": [() => Object.create(Error.prototype), /^Error$/],
  "an error of another realm": [() => vm.runInNewContext("new RangeError('elsewhere')"), /^RangeError: elsewhere$/],
  "a revoked proxy": [() => revoked(), /./],
  "a revoked proxy of an error": [() => revoked(new Error("m")), /./],
  "a revoked proxy of a function": [() => revoked(() => {}), /./],
  "a proxy whose every trap throws": [() => new Proxy({}, new Proxy({}, { get() { throw new Error("trap"); } })), /./],
  "a very long text": [() => new Error("x".repeat(1_000_000)), /^Error: x{16000}/],
  "RetryAfter with a pause that is none": [() => Object.assign(new assemblage.RetryAfter(0, "m"), { after: NaN }), /m/],
  "RetryAfter whose pause throws": [() => Object.defineProperty(new assemblage.RetryAfter(0, "m"), "after", throwing("after")), /m/],
  "PermanentFailure": [() => new assemblage.PermanentFailure(LONE), /^PermanentFailure: \ufffd$/],
};

/** What a handler may return that cannot be sent. */
const returned = {
  "a cycle": cyclic,
  "a BigInt": () => 1n,
  "a function": () => () => {},
  "a Symbol": () => Symbol("s"),
  "a revoked proxy": () => revoked(),
  "an object with toJSON that throws": () => ({ toJSON() { throw new Error("toJSON throws"); } }),
  "an object with toJSON that throws null": () => ({ toJSON() { throw null; } }),
  "an object with toJSON that throws a revoked proxy": () => ({ toJSON() { throw revoked(); } }),
  "an object with toJSON that returns nothing": () => ({ toJSON() {} }),
  "an object with a getter that throws": () => Object.defineProperty({}, "a", { enumerable: true, ...throwing("a") }),
  "a then that throws when it is called": () => ({ then() { throw new Error("then throws"); } }),
  "a then getter that throws": () => Object.defineProperty({}, "then", throwing("then")),
  "a detached buffer": () => { const view = new Uint8Array(8); structuredClone(view.buffer, { transfer: [view.buffer] }); return view; },
  "a text longer than any may be": () => "x".repeat(200_000),
};

/** Runs jobs named by `values` beside innocent ones of the same turn, and checks the texts of their failures. */
async function failsAlone(t, values, make, handle) {
  const cluster = new Cluster(t);
  const worker = cluster.worker({ slots: 1000 });
  const uncaught = [];
  const catcher = (error) => uncaught.push(error);
  process.on("uncaughtExceptionMonitor", catcher);
  t.after(() => process.off("uncaughtExceptionMonitor", catcher));
  worker.process(handle);
  const master = cluster.master();
  const names = Object.keys(values);
  const outcomes = await master.runMany(names.flatMap((name) => [{ innocent: name }, { name }]), { keep: true, timeout: 15_000 });
  for (const [at, name] of names.entries()) {
    const [innocent, failed] = outcomes.slice(2 * at, 2 * at + 2);
    assert.deepEqual([innocent.status, innocent.value], ["fulfilled", name], `beside ${name}`);
    assert.equal(failed.status, "rejected", name);
    assert.equal(failed.reason.code, "SWARM_JOB_FAILED", name);
    assert.match(failed.reason.message, make(values[name]), name);
  }
  await until(async () => (await master.stats()).active === 0, "nothing stays active");
  assert.equal(worker.health().active, 0);
  assert.deepEqual(worker.jobs, {});
  assert.deepEqual(uncaught, []);
}

test("whatever a handler throws, at once or later, fails its job alone", async (t) => {
  for (const later of [false, true]) {
    await failsAlone(t, thrown, ([, text]) => text, (job) => {
      const { name, innocent } = job.payload;
      if (innocent !== undefined) return innocent;
      if (later) return new Promise((_, reject) => setImmediate(() => reject(thrown[name][0]())));
      throw thrown[name][0]();
    });
  }
});

test("whatever a handler returns that cannot be sent fails its job alone", async (t) => {
  for (const later of [false, true]) {
    await failsAlone(t, returned, () => /./, (job) => {
      const { name, innocent } = job.payload;
      if (innocent !== undefined) return innocent;
      return later ? new Promise((resolve) => setImmediate(() => resolve(returned[name]()))) : returned[name]();
    });
  }
});

test("whatever is passed to fail, failPermanently and retry is taken as its text", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const worker = cluster.worker();
  worker.on("add", (job) => {
    const { name, how } = job.payload;
    if (job.attempt > 1) return void job.failPermanently("enough");
    const error = thrown[name][0]();
    void (how === "retry" ? job.retry(error, 0) : job[how](error));
  });
  // A function is taken as the callback.
  const names = Object.keys(thrown).filter((name) => !name.startsWith("RetryAfter") && !name.endsWith("function"));
  const jobs = names.flatMap((name) => [{ name, how: "fail" }, { name, how: "failPermanently" }, { name, how: "retry" }]);
  const outcomes = await master.runMany(jobs, { keep: true, timeout: 15_000, retries: 0 });
  for (const { position, reason } of outcomes) {
    const { name, how } = jobs[position];
    if (name === "undefined") assert.equal(reason.message, "", how);
    else assert.match(reason.message, thrown[name][1], `${name} ${how}`);
  }
});

test("a lone surrogate in content travels, in text it is replaced, and as a name it is refused alone", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const seen = [];
  const worker = cluster.worker();
  worker.process((job) => {
    job.progress({ text: LONE });
    seen.push(job.payload);
    return LONE;
  });
  const calls = [
    master.run({ text: LONE }),
    master.add("x", { id: LONE }),
    master.add("x", { task: LONE }),
    master.add("x", { resource: LONE }),
    master.add("x", { unique: LONE }),
    master.add("x", { headers: { [LONE]: "x" } }),
    master.add("x", { headers: { x: LONE } }),
    master.addJob("x", { id: LONE }),
    master.deleteJob(LONE),
    master.deleteJobs(["unknown", LONE]),
    master.result(LONE),
    master.job(LONE),
    master.pause(LONE),
    master.retryFailed([LONE]),
    master.send({ name: LONE }, "x"),
    master.confirm(LONE),
    worker.deleteJob(LONE),
    master.run("innocent", { id: "innocent" }),
    master.deleteJobs(["unknown"]),
  ];
  const outcomes = await Promise.allSettled(calls);
  assert.deepEqual(outcomes[0].value, LONE);
  for (const { reason } of outcomes.slice(1, -2)) assert.equal(reason?.code, "SWARM_INVALID_ARGUMENT");
  assert.deepEqual(outcomes.slice(-2).map(({ value }) => value), [LONE, [false]]);
  assert.deepEqual(seen, [{ text: LONE }, "innocent"]);
  for (const config of [{ name: LONE }, { group: LONE }, { tasks: [LONE] }, { prefix: LONE }, { password: LONE }]) {
    assert.throws(() => cluster.worker(config), { code: "SWARM_INVALID_ARGUMENT" }, JSON.stringify(config));
  }
  assert.throws(() => worker.setTasks([LONE]), { code: "SWARM_INVALID_ARGUMENT" });
  assert.throws(() => worker.process({ [LONE]: () => {} }), { code: "SWARM_INVALID_ARGUMENT" });
});

test("a lone surrogate in what is stored is seen beside others", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const worker = cluster.worker();
  const jobs = collect(worker);
  await worker.setData({ text: LONE });
  await master.addMany([{ payload: LONE, id: "a" }, { payload: "x", id: "b" }]);
  await until(() => jobs.length === 2, "both arrive");
  for (const job of jobs) job.progress({ text: LONE });
  const info = await until(async () => {
    const found = await master.job("a");
    return found.progress && found;
  }, "the progress is stored");
  assert.deepEqual([info.payload, info.progress], [LONE, { text: LONE }]);
  assert.equal((await master.jobs("active")).jobs.length, 2);
  assert.deepEqual((await master.members()).find(({ role }) => role === "worker").data, { text: LONE });
  jobs.forEach((job) => job.fail(LONE));
  const failed = await until(async () => {
    const page = await master.jobs("failed");
    return page.jobs.length === 2 && page;
  }, "both have failed");
  assert.deepEqual(failed.jobs.map(({ error }) => error), ["\ufffd", "\ufffd"]);
});

test("a finish that cannot cross leaves its job with its worker, and its call is answered", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const worker = cluster.worker();
  const jobs = collect(worker);
  const results = master.runMany(["a", "b"], { keep: true, timeout: 15_000 });
  await until(() => jobs.length === 2, "both arrive");
  const { finish } = worker._native;
  const refused = jobs[0].fence;
  // As if the addon could not take a batch with the first job.
  worker._native.finish = (rows, ...rest) => {
    for (let at = 0; at < rows.length; at += 3) if (rows[at] === refused) throw new Error("it does not cross");
    return finish.call(worker._native, rows, ...rest);
  };
  const answers = await Promise.allSettled(jobs.map((job) => job.complete(job.payload)));
  delete worker._native.finish;
  assert.deepEqual(answers.map(({ status }) => status), ["rejected", "fulfilled"]);
  assert.match(answers[0].reason.message, /does not cross/);
  assert.deepEqual(Object.keys(worker.jobs), [jobs[0].id], "it is still active");
  await jobs[0].complete("after all");
  assert.deepEqual((await results).map(({ value }) => value), ["after all", "b"]);
});

test("an outcome of a handler that cannot cross fails its job", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const worker = cluster.worker().process((job) => job.payload);
  await worker.ready();
  const { finish } = worker._native;
  worker._native.finish = (rows, text, ...rest) => {
    if (text.includes("spoilt") && rows[1] !== 3) throw new Error("it does not cross");
    return finish.call(worker._native, rows, text, ...rest);
  };
  const outcomes = await master.runMany(["spoilt", "fine"], { keep: true, timeout: 15_000 });
  assert.match(outcomes[0].reason?.message ?? "", /does not cross/);
  assert.equal(outcomes[1].value, "fine");
});

test("a call that cannot cross is answered, and does not keep the process alive", async (t) => {
  const cluster = new Cluster(t);
  const it = new Program(t, `
    const master = assemblage.createMaster(args[0], { url });
    (async () => {
      await master.ready();
      for (const method of ["submit", "deleteJobs", "stats", "send", "run", "result", "runEach"]) {
        Object.defineProperty(master._native, method, { configurable: true, value() { throw new Error("it does not cross"); } });
      }
      const outcomes = await Promise.allSettled([
        master.add({}), master.addJobs([1, 2]), master.deleteJobs(["a"]), master.stats(), master.send("all", 1), master.run({}),
        master.result("a"), master.runMany([1]),
      ]);
      for (const { reason } of outcomes) say(reason.message);
    })();
  `, { args: [cluster.name] });
  assert.equal(await it.end(), 0, it.errors);
  assert.deepEqual(it.printed, Array(8).fill(["it does not cross"]));
});
