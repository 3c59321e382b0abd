"use strict";
// When processes end: masters do not keep them alive, workers do, and nothing hangs or crashes on the way out.

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { Cluster, Program, until } = require("./support.js");

const program = (t, source, options) => {
  const cluster = new Cluster(t);
  return { cluster, it: new Program(t, source, { args: [cluster.name], ...options }) };
};

test("a master without pending calls lets the process end, one with pending calls does not", async (t) => {
  const { cluster, it } = program(t, `
    const master = assemblage.createMaster(args[0], { url });
    master.addJob({ n: 1 }, (error, id) => say("added", error, typeof id));
    process.on("exit", () => say("exit"));
  `);
  assert.equal(await it.end(), 0);
  assert.deepEqual(it.printed, [["added", null, "string"], ["exit"]]);
  assert.equal((await cluster.master().stats()).waiting, 1);

  const waiting = program(t, `
    const master = assemblage.createMaster(args[0], { url });
    master.run({ n: 1 }).then((result) => say("result", result));
  `);
  const worker = waiting.cluster.worker().process(() => "done");
  assert.equal(await waiting.it.end(), 0);
  assert.deepEqual(waiting.it.printed, [["result", "done"]]);
  await worker.terminate();

  const idle = program(t, `assemblage.createMaster(args[0], { url });`);
  assert.equal(await idle.it.end(), 0);
});

test("a worker keeps the process alive until it is terminated, and writes nothing by itself", async (t) => {
  const { cluster, it } = program(t, `
    const worker = assemblage.createWorker(args[0], { url });
    worker.on("ready", () => say("ready"));
    worker.on("close", () => say("close"));
    process.stdin.once("data", () => { process.stdin.destroy(); worker.terminate((error) => say("terminated", error)); });
    worker.on("add", () => say("add"));
  `);
  await it.prints("ready");
  await cluster.master().addJob({ n: 1 });
  await it.prints("add");
  it.child.stdin.write("go\n");
  assert.equal(await it.end(), 0);
  assert.deepEqual(it.printed, [["ready"], ["add"], ["close"], ["terminated", null]]);
  assert.equal(it.errors, "");
});

test("exits with work in flight are clean", async (t) => {
  for (const source of [
    `const master = assemblage.createMaster(args[0], { url }); for (let n = 0; n < 20000; n++) master.addJob({ n }); process.exit(0);`,
    `const master = assemblage.createMaster(args[0], { url }); for (let n = 0; n < 20000; n++) master.addJob({ n });
     setImmediate(() => process.exit(0));`,
    `const master = assemblage.createMaster(args[0], { url }); const worker = assemblage.createWorker(args[0], { url });
     let seen = 0; worker.process(async () => { if (++seen === 500) process.exit(0); await null; });
     for (let n = 0; n < 5000; n++) master.addJob({ n });`,
    `const master = assemblage.createMaster(args[0], { url }); const worker = assemblage.createWorker(args[0], { url });
     worker.on("add", (job) => { worker.terminate(); process.exit(0); }); master.addJob({});`,
    `assemblage.createWorker(args[0], { url }).ready().then(() => process.exit(0));`,
    `assemblage.createWorker(args[0], { url }); process.exit(0);`,
  ]) {
    const { it } = program(t, source);
    assert.equal(await it.end(), 0, `${source} ${it.errors}`);
    assert.equal(it.errors, "");
  }
});

test("an error thrown by a listener ends the process as any uncaught error does", async (t) => {
  const { cluster, it } = program(t, `
    assemblage.createWorker(args[0], { url }).on("add", () => { throw new Error("of the program"); });
  `);
  await cluster.master().addJob({});
  assert.equal(await it.end(), 1);
  assert.match(it.errors, /Error: of the program/);
});

test("a process without Redis stays alive for its worker, and ends when asked to", async (t) => {
  const { it } = program(t, `
    const worker = assemblage.createWorker(args[0], { url: "redis://127.0.0.1:1", timeout: 200 });
    worker.once("error", (error) => { say(error.code); worker.terminate({ grace: 0 }, () => say("terminated")); });
  `);
  assert.equal(await it.end(), 0);
  assert.deepEqual(it.printed, [["SWARM_UNAVAILABLE"], ["terminated"]]);
});

test("ESM and CommonJS programs share one addon", async (t) => {
  const { it } = program(t, `
    import("${require.resolve("../index.mjs")}").then(({ default: esm, createMaster }) => {
      say(esm === assemblage, createMaster === assemblage.createMaster);
    });
  `);
  assert.equal(await it.end(), 0);
  assert.deepEqual(it.printed, [[true, true]]);
});

test("jobs of a worker whose process ends by itself are requeued at once", async (t) => {
  const { cluster, it } = program(t, `
    const worker = assemblage.createWorker(args[0], { url });
    worker.on("add", () => say("add"));
    process.once("SIGTERM", () => worker.terminate());
  `);
  const master = cluster.master();
  await master.addJob({ n: 1 });
  await it.prints("add");
  it.child.kill("SIGTERM");
  assert.equal(await it.end(), 0);
  await until(async () => (await master.stats()).waiting === 1, "the job waits again");
});
