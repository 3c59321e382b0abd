"use strict";
// Processes that end by a signal leave the cluster at once, with what they have spawned.

const assert = require("node:assert/strict");
const { randomBytes } = require("node:crypto");
const path = require("node:path");
const { test } = require("node:test");
const { Program, assemblage, atEnd, until, url } = require("../support.js");

const clustr = JSON.stringify(path.join(__dirname, "../../clustr-node"));
const file = JSON.stringify(path.join(__dirname, "fixtures/worker.js"));

/** Far longer than any test waits, so that nothing here happens by the end of a lease. */
const LEASE = 120_000;

/** A program with `clustr` and `options`, and a master of its cluster. */
function cluster(t) {
  const name = `test-${randomBytes(6).toString("hex")}`;
  const master = assemblage.createMaster(name, { url });
  atEnd(t, () => master.close());
  const program = (source) => new Program(t, `
    const clustr = require(${clustr});
    const options = ${JSON.stringify({ cluster: name, lease: LEASE, reloadDelay: 1, grace: 10_000 })};
    const alone = (part) => part._member.on("ready", () => say("ready"));
    ${source}`);
  const pids = async () => (await master.members()).filter(({ role }) => role === "worker").map(({ pid }) => pid);
  return { master, name, program, pids };
}

for (const signal of ["SIGINT", "SIGTERM"]) {
  test(`a worker that ends by ${signal} has left at once`, async (t) => {
    const { program, pids } = cluster(t);
    const it = program(`alone(clustr.Worker.create({ ...options, group: "web" }));`);
    await it.prints("ready");
    it.child.kill(signal);
    assert.equal(await it.end(), signal);
    await until(async () => (await pids()).length === 0, "it has left");
    assert.equal(it.errors, "");
  });

  test(`a program with a handler of its own for ${signal} is left alone`, async (t) => {
    const { program, pids } = cluster(t);
    const it = program(`
      const worker = clustr.Worker.create({ ...options, group: "web" });
      alone(worker);
      let asked = 0;
      process.on("${signal}", () => { say("own"); if (++asked === 2) worker.close(7); });`);
    await it.prints("ready");
    it.child.kill(signal);
    await it.prints("own");
    assert.deepEqual(await pids(), [it.child.pid]);
    it.child.kill(signal);
    assert.equal(await it.end(), 7);
    await until(async () => (await pids()).length === 0, "it has left");
  });
}

// SIGTERM ends a master with the exit code 15, as always.
for (const [signal, end] of [["SIGINT", "SIGINT"], ["SIGTERM", 15]]) {
  test(`a master that ends by ${signal} has left, and all that it has spawned`, async (t) => {
    const { program, pids } = cluster(t);
    const it = program(`
      const master = clustr.Master.create(options);
      console.log = () => {};
      master.onClusterStarted(() => say("started"));
      master.spawn([{ file: ${file} }, { file: ${file} }]);`);
    await it.prints("started");
    assert.equal((await pids()).length, 3);
    it.child.kill(signal);
    assert.equal(await it.end(), end);
    await until(async () => (await pids()).length === 0, "all have left");
    assert.equal(it.errors, "");
  });
}

test("a process that closes takes its other members with it: their jobs are no crash", async (t) => {
  const { master, name, program } = cluster(t);
  const it = program(`
    const part = clustr.Master.create(options);
    alone(part);
    assemblage.createWorker(options.cluster, { url, tasks: ["other"] }).on("add", () => say("add"));`);
  await it.prints("ready");
  const id = await master.addJob({}, { task: "other" });
  await it.prints("add");
  it.child.kill("SIGTERM");
  assert.equal(await it.end(), 15);
  await until(async () => (await master.job(id)).state === "waiting", `the job of ${name} waits`);
  assert.equal((await master.job(id)).crashes, 0);
});

test("with handleSignals: false a signal ends the process as it is", async (t) => {
  const { program } = cluster(t);
  const it = program(`
    const worker = clustr.Worker.create({ ...options, group: "web", handleSignals: false });
    clustr.Worker.create({ ...options, group: "web", redis: { url, handleSignals: false } });
    alone(worker);
    say("listeners", process.listenerCount("SIGINT"));`);
  assert.deepEqual(await it.prints("listeners"), [0]);
  await it.prints("ready");
  it.child.kill("SIGINT");
  assert.equal(await it.end(), "SIGINT");
});
