"use strict";
// A master that chooses the workers of waiting jobs.

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { Cluster, Program, RedisServer, called, collect, next, until } = require("./support.js");

/** Longer than any test, so that nothing is assigned by default. */
const LONG = 3_600_000;

/** The payloads of a worker's jobs. */
const payloads = (jobs) => jobs.map((job) => job.payload);

const nothingWaits = async (master) => (await master.stats()).waiting === 0;

test("a master chooses the worker of each job, and is shown what each can still take", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const [ann, bob] = [cluster.worker({ name: "ann", group: "g", slots: 2 }), cluster.worker({ name: "bob", slots: 4, prioritySlots: { 5: 1 } })];
  const [anns, bobs] = [collect(ann), collect(bob)];
  await Promise.all([ann.ready(), bob.ready()]);
  const seen = [];
  await master.choose((job, workers) => {
    seen.push([job, workers]);
    // No worker takes jobs named x now.
    return job.payload === "x" ? null : workers.find(({ name }) => name === "bob");
  }, { within: LONG });
  assert.equal((await master.queues()).chooser, master.incarnation);
  await master.add("first", { id: "first", headers: { a: "b" } });
  await until(() => bobs.length === 1, "the first arrives");
  const [[job, workers]] = seen;
  assert.deepEqual(job, await master.job("first").then((active) => ({ ...active, state: "waiting", holder: "", fence: 0, assignedAt: undefined }))
    .then(({ assignedAt, ...waiting }) => waiting));
  assert.deepEqual(workers.map(({ name, room }) => [name, room]).sort(), [["ann", 2], ["bob", 3]], "the guaranteed slot is not for it");
  const { host, pid, room, ...rest } = workers.find(({ name }) => name === "ann");
  assert.deepEqual(rest, { incarnation: ann.incarnation, name: "ann", group: "g", tasks: [""], active: 0 });
  assert.deepEqual([pid, host.length > 0, room], [process.pid, true, 2]);

  await master.addMany([{ payload: "x" }, { payload: "a" }, { payload: "b" }, { payload: "c" }, { payload: "high", priority: 7 }]);
  await until(() => bobs.length === 4, "three more arrive");
  assert.deepEqual(payloads(bobs), ["first", "high", "a", "b"], "higher priorities go first, and bob has two slots more for the others");
  const c = seen.find(([{ payload }]) => payload === "c")[1];
  assert.deepEqual(c.map(({ name }) => name), ["ann"], "a worker without free slots is not shown");
  const free = new Map(seen.map(([{ payload }, shown]) => [payload, shown.find(({ name }) => name === "bob")?.room]));
  assert.deepEqual(["high", "a", "b"].map((payload) => free.get(payload)), [3, 2, 1], "each choice takes a free slot");
  assert.deepEqual([anns.length, (await master.stats()).waiting], [0, 2]);
  await bobs[0].complete();
  await until(() => bobs.length === 5, "a slot is free for c");
  // The choice is over.
  assert.deepEqual(await called((done) => master.stopChoosing(done)), [null]);
  await until(() => anns.length === 1, "x goes by default");
  assert.equal((await master.queues()).chooser, "");
});

test("the choice may be an incarnation, come later, and be replaced; jobs of other tasks are not chosen for", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const workers = { ann: cluster.worker({ name: "ann", tasks: ["", "t"] }), bob: cluster.worker({ name: "bob", tasks: ["", "t"] }) };
  const jobs = { ann: collect(workers.ann), bob: collect(workers.bob) };
  await Promise.all(Object.values(workers).map((worker) => worker.ready()));
  const asked = [];
  const to = (name) => async (job, shown) => {
    asked.push([name, job.payload]);
    await new Promise(setImmediate);
    return name && shown.find((worker) => worker.name === name)?.incarnation;
  };
  await master.choose(to("ann"), { within: LONG });
  await master.addJobs([1, 2, 3]);
  await until(() => jobs.ann.length === 3, "they go to ann");
  assert.deepEqual(await called((done) => master.choose(to("bob"), { within: LONG, tasks: [""] }, done)), [null]);
  await master.addJobs([4, 5, 6]);
  await until(() => jobs.bob.length === 3, "they go to bob");
  await master.addJobs([7], { task: "t" });
  await until(() => jobs.ann.length + jobs.bob.length === 7, "it is assigned without a choice");
  assert.deepEqual(asked.map(([name]) => name), ["ann", "ann", "ann", "bob", "bob", "bob"]);
  // What is left by one is asked of the next.
  await master.choose(to(null), { within: LONG, tasks: "" });
  await master.addJobs([8]);
  await until(() => asked.some(([, payload]) => payload === 8), "it is left");
  await master.choose(to("bob"), { within: LONG });
  await until(() => jobs.bob.some((job) => job.payload === 8), "it goes to bob");
});

test("jobs go by default when the choice takes too long, and late answers change nothing", async (t) => {
  // The time of a choice ends at a renewal, a third of the lease, at the latest.
  const cluster = new Cluster(t, { lease: 1000 });
  const master = cluster.master();
  const [ann, bob] = [cluster.worker({ slots: 1 }), cluster.worker({ slots: 1 })];
  const [anns, bobs] = [collect(ann), collect(bob)];
  await Promise.all([ann.ready(), bob.ready()]);
  let answer;
  await master.choose((_, workers) => new Promise((resolve) => { answer = () => resolve(workers[0]); }), { within: 50 });
  await master.addJobs([1, 2]);
  await until(() => anns.length === 1 && bobs.length === 1, "both are assigned");
  answer();
  await Promise.all([...anns, ...bobs].map((job) => job.complete()));
  await master.addJobs([3]);
  await until(() => nothingWaits(master), "the third is assigned");
});

test("each error that choose throws is an uncaught exception, and the job waits", async (t) => {
  const cluster = new Cluster(t);
  const it = new Program(t, `
    const master = assemblage.createMaster(args[0], { url });
    const worker = assemblage.createWorker(args[0], { url });
    process.on("uncaughtException", (error) => say("uncaught", error.message, error.code ?? null));
    worker.on("add", (job) => say("add", job.payload));
    const seen = new Set();
    worker.ready().then(() => master.choose(({ payload }, workers) => {
      const first = !seen.has(payload) && seen.add(payload);
      if (first && payload === "sync") throw new Error("sync");
      if (first && payload === "async") return Promise.reject(new Error("async"));
      if (first && payload === "odd") return 7;
      // None of the workers: it waits.
      if (first && payload === "stranger") return { incarnation: "0123456789abcdef" };
      return workers[0];
    }, { within: ${LONG} })).then(() => say("chooses"));
    process.stdin.on("end", () => { worker.terminate(); master.close(); });
    process.stdin.resume();`, { args: [cluster.name] });
  await it.prints("chooses");
  const master = cluster.master();
  let reported = 0;
  for (const payload of ["sync", "async", "odd", "stranger"]) {
    await master.add(payload);
    if (payload !== "stranger") await it.prints("uncaught", ++reported);
    // Something new to choose: now it is chosen for, too.
    await master.add(`after ${payload}`);
    await until(() => it.printed.some(([what, id]) => what === "add" && id === payload), `${payload} is assigned`);
  }
  await until(() => nothingWaits(master), "all are assigned");
  it.child.stdin.end();
  assert.equal(await it.end(), 0);
  const uncaught = it.printed.filter(([what]) => what === "uncaught").map(([, message, code]) => [message, code]);
  assert.deepEqual(uncaught.slice(0, 2), [["sync", null], ["async", null]]);
  assert.deepEqual([uncaught.length, uncaught[2][1]], [3, "SWARM_INVALID_ARGUMENT"]);
});

test("no callback is asked after stopChoosing or close, in whatever state it finds the choice", async (t) => {
  for (const end of ["stopChoosing", "close"]) {
    const cluster = new Cluster(t);
    const [master, adder] = [cluster.master(), cluster.master()];
    const jobs = collect(cluster.worker());
    await until(async () => (await adder.members()).some(({ role }) => role === "worker"), "the worker is there");
    let asked = 0;
    let stopped;
    let late;
    const choose = () => {
      assert.equal(stopped, undefined, "it is over");
      asked += 1;
      if (asked === 2) stopped = master[end]();
      return new Promise((resolve) => { late = resolve; if (asked === 1) resolve(null); });
    };
    await master.choose(choose, { within: LONG });
    await adder.addJobs([1, 2, 3]);
    await until(() => stopped !== undefined, "the second is asked");
    await stopped;
    late(null);
    await until(() => jobs.length === 3, "they go by default");
    // A start that is under way ends with it.
    if (end === "close") continue;
    await Promise.all([master.choose(choose, { within: LONG }), master.stopChoosing()]);
    await adder.addJobs([4]);
    await until(() => jobs.length === 4, "no master chooses");
    assert.equal((await adder.queues()).chooser, "");
    await master.stopChoosing();
  }
});

test("bad arguments are refused and change nothing; a closed master chooses nothing", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const jobs = collect(cluster.worker());
  const asked = [];
  await master.choose((job, [worker]) => (asked.push(job.payload), worker), { within: LONG });
  for (const [choose, options] of [
    [undefined], [{}], [() => {}, { within: 9 }], [() => {}, { within: 3_600_001 }], [() => {}, { within: NaN }], [() => {}, { within: "soon" }],
    [() => {}, { within: -1 }], [() => {}, { within: Infinity }], [() => {}, { tasks: ["a\n"] }], [() => {}, { tasks: "x".repeat(257) }],
  ]) {
    const code = options?.tasks?.length > 256 ? "SWARM_TOO_LARGE" : "SWARM_INVALID_ARGUMENT";
    await assert.rejects(master.choose(choose, options), { code });
  }
  await until(async () => (await master.members()).length === 2, "the worker is there");
  await master.addJobs([1, 2]);
  await until(() => jobs.length === 2, "they are assigned");
  assert.deepEqual(asked, [1, 2], "the one before chooses");
  await master.close();
  await assert.rejects(master.choose(() => {}), { code: "SWARM_CLOSED" });
  await assert.rejects(master.stopChoosing(), { code: "SWARM_CLOSED" });
});

test("a master goes on choosing after Redis was lost, and none chooses if Redis cannot be reached", async (t) => {
  const server = await RedisServer.start(t);
  const cluster = new Cluster(t, { url: server.url, lease: 1000, timeout: 500 });
  const master = cluster.master();
  master.on("error", () => {});
  const worker = cluster.worker();
  worker.on("error", () => {});
  const jobs = collect(worker);
  await Promise.all([worker.ready(), master.ready()]);
  const asked = [];
  const choose = (job, [to]) => (asked.push(job.payload), to);
  await master.choose(choose, { within: LONG });
  await server.kill();
  await server.start();
  await until(async () => (await master.queues().catch(() => ({}))).chooser === master.incarnation, "it chooses in the new Redis");
  await until(async () => (await master.members()).length === 2, "the worker is there");
  await master.addJobs([1]);
  await until(() => jobs.length === 1, "it is assigned");
  assert.deepEqual(asked, [1]);
  await server.kill();
  const [error] = await called((done) => master.choose(choose, done));
  assert.ok(error === null || error.retryable, error);
});

test("a master that chooses does not keep its process alive, and does not disturb its end", async (t) => {
  const cluster = new Cluster(t);
  const chooser = `
    const master = assemblage.createMaster(args[0], { url });
    const chosen = master.choose((job, [worker]) => (say("asked"), worker)).then(() => say("chooses"));`;
  const idle = new Program(t, chooser, { args: [cluster.name] });
  assert.equal(await idle.end(), 0);
  assert.deepEqual([idle.printed, idle.errors], [[["chooses"]], ""]);
  const busy = new Program(t, `${chooser}
    const worker = assemblage.createWorker(args[0], { url });
    worker.process(() => say("runs") && process.exit(0));
    chosen.then(() => { for (let n = 0; n < 1000; n++) master.addJob({ n }); });`, { args: [cluster.name] });
  assert.equal(await busy.end(), 0);
  assert.equal(busy.errors, "");
});
