"use strict";
// Parts whose process ends by a signal leave at once: no lease has to expire, and no crash is counted.

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { Parts, assemblage, atEnd, called, until, url } = require("./support.js");

const SIGNALS = ["SIGINT", "SIGTERM"];

/** Far longer than any test waits, so that nothing here happens by the end of a lease. */
const LEASE = 120_000;

/** Silent parts of this machine are noticed by their processes; not here, where each is to leave by itself. */
function unnoticed(...parts) {
  for (const part of parts) part._peer._neighbours.close();
}

const WORKER = `
  const worker = new proletariat.Worker({ ...options, slots: 2 });
  worker.on("work", (w) => say("work", w.args));
  worker.on("abort", (w) => say("abort", w.args));
  worker.start();`;

/** A master of the cluster of these parts. */
function masterOf(t, parts) {
  const master = assemblage.createMaster(`proletariat:${parts.options.port}`, { url });
  atEnd(t, () => master.close());
  return master;
}

for (const signal of SIGNALS) {
  test(`the works of a worker that ends by ${signal} are done at once by another, and no crash is counted`, async (t) => {
    const parts = new Parts(t, { lease: LEASE });
    const client = parts.client();
    const program = parts.program(WORKER);
    const results = called((cb) => client.work(["a", "b", "c"], cb));
    await program.prints("work", 2);
    unnoticed(client);
    program.child.kill(signal);
    assert.equal(await program.end(), signal);
    assert.deepEqual(program.printed.filter(([word]) => word === "abort").map(([, args]) => args).sort(), ["a", "b"]);
    assert.equal(program.errors, "");
    const master = masterOf(t, parts);
    await until(async () => (await master.stats()).waiting === 3, "the works wait");
    unnoticed(parts.worker((_, handler) => handler(null, "done")));
    assert.deepEqual((await results)[1].map(({ data }) => data), ["done", "done", "done"]);
    assert.equal((await master.stats()).crashes, 0);
  });

  test(`the works of a client that ends by ${signal} are aborted at once, except those that go on without it`, async (t) => {
    const parts = new Parts(t, { lease: LEASE });
    const aborted = [];
    const begun = [];
    const worker = parts.worker((w) => begun.push(w.args), { slots: 2 });
    worker.on("abort", (w) => aborted.push(w.args));
    const program = parts.program(`
      const client = new proletariat.Client(options);
      client.work("ephemeral", () => say("called back"));
      client.work("kept", { keepState: true }, () => say("called back"));
      client.work(["waits"], { priority: -1 }, () => say("called back"));`);
    await until(() => begun.length === 2, "two works run");
    unnoticed(worker);
    program.child.kill(signal);
    assert.equal(await program.end(), signal);
    await until(() => aborted.length > 0, "the work of the client is aborted");
    const master = masterOf(t, parts);
    await until(async () => (await master.stats()).active === (begun.includes("kept") ? 1 : 0), "the other goes on");
    assert.deepEqual(aborted.includes("kept"), false);
    assert.equal((await master.stats()).waiting, 0);
    assert.deepEqual(program.printed, []);
    assert.equal(program.errors, "");
  });

  test(`a manager that ends by ${signal} has left at once`, async (t) => {
    const parts = new Parts(t, { lease: LEASE });
    const master = masterOf(t, parts);
    const program = parts.program(`
      const manager = new proletariat.Manager(options);
      manager.on("finish", () => {});
      manager.start();
      manager._peer.on("connected", () => say("there"));`);
    await program.prints("there");
    program.child.kill(signal);
    assert.equal(await program.end(), signal);
    await until(async () => (await master.members()).every(({ pid }) => pid !== program.child.pid), "it has left");
  });

  test(`a program with a handler of its own for ${signal} is left alone, and stops its worker`, async (t) => {
    const parts = new Parts(t, { lease: LEASE });
    const client = parts.client();
    const program = parts.program(`${WORKER}
      let asked = 0;
      process.on("${signal}", () => {
        say("own", ++asked);
        if (asked === 2) worker.stop(() => process.exit(7));
      });`);
    const result = called((cb) => client.work("a", cb));
    await program.prints("work");
    unnoticed(client);
    program.child.kill(signal);
    await program.prints("own");
    const master = masterOf(t, parts);
    assert.equal((await master.stats()).active, 1, "it still has its work");
    program.child.kill(signal);
    assert.equal(await program.end(), 7);
    parts.worker((_, handler) => handler(null, "done"));
    assert.deepEqual(await result, [null, "done"]);
    assert.equal((await master.stats()).crashes, 0);
  });
}

test("a work survives any number of restarts of its workers", async (t) => {
  const parts = new Parts(t, { lease: LEASE });
  const client = parts.client();
  const result = called((cb) => client.work("a", cb));
  for (let restart = 0; restart < 6; restart++) {
    const program = parts.program(WORKER);
    await program.prints("work");
    program.child.kill(SIGNALS[restart % 2]);
    assert.equal(await program.end(), SIGNALS[restart % 2]);
  }
  parts.worker((_, handler) => handler(null, "done"));
  assert.deepEqual(await result, [null, "done"]);
  const { failed, crashes } = await masterOf(t, parts).stats();
  assert.deepEqual([failed, crashes], [0, 0]);
});

test("with handleSignals: false a signal ends the process as it is, and listeners are gone after the end", async (t) => {
  const parts = new Parts(t);
  const program = parts.program(`
    const all = [new proletariat.Client({ ...options, handleSignals: false }), new proletariat.Worker({ ...options, redis: { url, handleSignals: false } })];
    all[1].start();
    const off = process.listenerCount("SIGTERM");
    const client = new proletariat.Client(options), worker = new proletariat.Worker(options), manager = new proletariat.Manager(options);
    worker.start();
    manager.start();
    const on = process.listenerCount("SIGTERM");
    Promise.all([client.close(), worker.stop(), manager.stop()]).then(() => setImmediate(() => setImmediate(() => say("listeners", off, on, process.listenerCount("SIGTERM")))));`);
  assert.deepEqual(await program.prints("listeners"), [0, 1, 0]);
  program.child.kill("SIGTERM");
  assert.equal(await program.end(), "SIGTERM");
});
