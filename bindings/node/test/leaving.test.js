"use strict";
// SIGINT and SIGTERM: workers leave, so that their jobs move at once and no crash is counted, and the process ends as it would have.

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { Cluster, Program, collect, until } = require("./support.js");

const HOLDER = `
  const worker = assemblage.createWorker(args[0], { url, ...(args[1] ?? {}) });
  worker.on("add", (job) => { say("add", job.id, job.crashes); job.once("delete", () => say("delete", job.deleteReason)); });
  worker.on("close", () => say("close"));
`;

test("with the program of a seed a job moves at once, and the process ends by its signal", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  for (const signal of ["SIGINT", "SIGTERM"]) {
    const it = new Program(t, HOLDER, { args: [cluster.name] });
    const id = await master.addJob({ signal });
    await it.prints("add");
    const other = cluster.worker();
    const jobs = collect(other);
    await other.ready();
    const began = performance.now();
    it.child.kill(signal);
    const job = await until(() => jobs.find((each) => each.id === id), "the job is with another worker");
    assert.ok(performance.now() - began < 5000, "long before the lease of a minute ends");
    assert.equal(job.crashes, 0, "it is no crash");
    assert.equal(await it.end(), signal);
    assert.deepEqual(it.printed.slice(1), [["delete", "terminated"], ["close"]]);
    assert.equal(it.errors, "");
    await job.complete();
    await other.terminate();
  }
});

test("a long-lived job survives any number of restarts", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const id = await master.addJob({});
  for (let restart = 0; restart < 6; restart++) {
    const it = new Program(t, HOLDER, { args: [cluster.name] });
    assert.deepEqual(await it.prints("add"), [id, 0]);
    it.child.kill("SIGTERM");
    assert.equal(await it.end(), "SIGTERM");
  }
  const { waiting, failed, crashes } = await master.stats();
  assert.deepEqual([waiting, failed, crashes], [1, 0, 0]);
});

test("handlers that finish within the grace complete their jobs; a second signal ends at once", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const source = `
    const worker = assemblage.createWorker(args[0], { url });
    worker.process(async (job, { signal }) => {
      say("run");
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      say("aborted");
      await new Promise((resolve) => job.payload === "ends" ? setImmediate(resolve) : 0);
    });`;
  const ends = new Program(t, source, { args: [cluster.name] });
  await master.addJob("ends");
  await ends.prints("run");
  ends.child.kill("SIGINT");
  assert.equal(await ends.end(), "SIGINT");
  await until(async () => (await master.stats()).active === 0, "it has left");
  await master.deleteJobs((await master.jobs("waiting")).jobs.map(({ id }) => id));

  const hangs = new Program(t, source, { args: [cluster.name] });
  await master.addJob("hangs");
  await hangs.prints("run");
  hangs.child.kill("SIGINT");
  await hangs.prints("aborted");
  hangs.child.kill("SIGINT");
  assert.equal(await hangs.end(), "SIGINT");
});

test("a program that handles a signal itself is left alone, and so is one that asks for it", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  await master.addJob({});
  for (const listen of ["on", "once", "prependListener"]) {
    const own = new Program(t, `process.${listen}("SIGTERM", () => say("own")); ${HOLDER} setInterval(() => {}, 1000);`, { args: [cluster.name] });
    await own.prints("add");
    own.child.kill("SIGTERM");
    await own.prints("own");
    const { active } = await master.stats();
    assert.equal(active, 1, "its job is still active");
    own.child.kill("SIGINT");
    assert.equal(await own.end(), "SIGINT", "of the other signal it has no handler");
  }
  const off = new Program(t, HOLDER, { args: [cluster.name, { handleSignals: false }] });
  await off.prints("add");
  off.child.kill("SIGTERM");
  assert.equal(await off.end(), "SIGTERM");
  assert.equal(off.printed.length, 1);
});

test("after its workers have left a program ends by a signal as before, and has no listeners of ours", async (t) => {
  const cluster = new Cluster(t);
  const it = new Program(t, `
    const workers = [0, 1].map(() => assemblage.createWorker(args[0], { url }));
    (async () => {
      await Promise.all(workers.map((worker) => worker.ready()));
      say("with", process.listenerCount("SIGINT"), process.listenerCount("SIGTERM"));
      for (const worker of workers) await worker.terminate();
      await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
      say("without", process.listenerCount("SIGINT"), process.listenerCount("SIGTERM"));
      setInterval(() => {}, 1000);
    })();
  `, { args: [cluster.name] });
  assert.deepEqual(await it.prints("with"), [1, 1]);
  assert.deepEqual(await it.prints("without"), [0, 0]);
  it.child.kill("SIGINT");
  assert.equal(await it.end(), "SIGINT");
});

test("a worker that is terminated by its program when the signal comes is waited for", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const it = new Program(t, `${HOLDER} process.stdin.once("data", () => { worker.terminate(() => say("left")); process.kill(process.pid, "SIGTERM"); });`, {
    args: [cluster.name],
  });
  await master.addJob({});
  await it.prints("add");
  it.child.stdin.write("go\n");
  assert.equal(await it.end(), "SIGTERM");
  await until(async () => (await master.stats()).waiting === 1, "the job waits");
  assert.ok(it.printed.some(([word]) => word === "left"));
});

test("two copies of the package leave together, and a thread does not disturb", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const it = new Program(t, `
    const fs = require("node:fs"), os = require("node:os"), path = require("node:path");
    const copy = fs.mkdtempSync(path.join(os.tmpdir(), "assemblage-copy-"));
    const from = path.dirname(require.resolve(${JSON.stringify(require.resolve(".."))}));
    for (const name of ["index.js", "lib", ...fs.readdirSync(from).filter((each) => each.endsWith(".node"))]) fs.cpSync(path.join(from, name), path.join(copy, name), { recursive: true });
    const other = require(copy);
    fs.rmSync(copy, { recursive: true });
    for (const each of [assemblage, other]) each.createWorker(args[0], { url, slots: 1 }).on("add", () => say("add"));
    new (require("node:worker_threads").Worker)(\`
      const { workerData: { from, name, url } } = require("node:worker_threads");
      require(from).createWorker(name, { url, slots: 1 });
    \`, { eval: true, workerData: { from, name: args[0], url } });
  `, { args: [cluster.name] });
  await master.addJobs([1, 2]);
  await it.prints("add", 2);
  it.child.kill("SIGTERM");
  assert.equal(await it.end(), "SIGTERM");
  await until(async () => (await master.stats()).waiting === 2, "both have left");
});

for (const name of ["signal-exit3", "signal-exit"]) {
  test(`a program that uses ${name}, which waits for no other listeners, is ended by a signal`, async (t) => {
    const cluster = new Cluster(t);
    const master = cluster.master();
    for (const first of ["exits", "assemblage"]) {
      const exits = `const { onExit } = require(${JSON.stringify(require.resolve(name))}); (onExit ?? require(${JSON.stringify(require.resolve(name))}))((code, signal) => { say("exit", code, signal); });`;
      const it = new Program(t, first === "exits" ? exits + HOLDER : HOLDER + exits, { args: [cluster.name] });
      const id = await master.addJob({});
      await it.prints("add");
      it.child.kill("SIGTERM");
      assert.equal(await it.end(), "SIGTERM");
      assert.deepEqual(it.printed.at(-1), ["exit", null, "SIGTERM"]);
      assert.ok(it.printed.some(([word]) => word === "close"), "it has left before");
      assert.deepEqual([await master.deleteJobs([id]), (await master.stats()).crashes], [[true], 0]);
    }
  });
}
