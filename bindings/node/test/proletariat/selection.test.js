"use strict";
// workSelectWorker: a manager's own function chooses who does each work.

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { Parts, assemblage, atEnd, called, connected, knows, next, proletariat, until } = require("./support.js");

/** A manager that is not started. */
function managerOf(t, parts) {
  const manager = new proletariat.Manager(parts.options);
  atEnd(t, () => manager.stop());
  return manager;
}

/** Resolves once the manager chooses in Redis, or does not. */
function choosing(manager, does = true) {
  return until(async () => ((await manager._peer.master.queues()).chooser !== "") === does, `the manager chooses: ${does}`);
}

/** A worker that answers at once with its name, and the names by the ids of such workers. */
const names = new Map();
async function named(parts, name, options) {
  const worker = parts.worker((w, handler) => handler(null, name), options);
  names.set(worker.id, name);
  await until(() => worker._slots?.pool.incarnation, "the worker takes works");
  return worker;
}

/** Chooses the worker of this name. */
const only = (name) => function select(work, workers) {
  return this.workers[Object.keys(workers).find((id) => names.get(id) === name)] ?? null;
};

const results = async (client, works, opts) => (await called((cb) => client.work(works, opts, cb)))[1].map(({ data }) => data);

test("workSelectWorker is called for each work, with what is free for it, and its choice is done", async (t) => {
  const parts = new Parts(t);
  const manager = managerOf(t, parts);
  const asked = [];
  manager.workSelectWorker = function select(work, workers, totalAvailable) {
    asked.push({ self: this, work: { ...work }, workers: { ...workers }, totalAvailable, records: Object.keys(workers).every((id) => this.workers[id].id === id) });
    return only("bob").apply(this, arguments);
  };
  const warnings = [];
  const warn = (warning) => warnings.push(warning);
  process.on("warning", warn);
  t.after(() => process.off("warning", warn));
  manager.start();
  const client = parts.client();
  await Promise.all([connected(client), choosing(manager)]);
  const ann = await named(parts, "ann", { slots: 3 });
  const active = [];
  const bob = parts.worker((w, handler) => active.push(() => handler(null, w.args)), { slots: 10, prioritySlots: { 1: 3, 2: 2 } });
  names.set(bob.id, "bob");
  await until(() => bob._slots?.pool.incarnation, "the worker takes works");
  const low = called((cb) => client.work([{ n: 1, _key: "k" }, { n: 2 }], { runTimeout: 9000 }, cb));
  await until(() => active.length === 2, "bob has both");
  const high = called((cb) => client.work({ n: 3 }, { priority: 2 }, cb));
  await until(() => active.length === 3, "bob has all");
  active.forEach((done) => done());
  assert.deepEqual((await low)[1].map(({ data }) => data.n), [1, 2]);
  assert.deepEqual((await high)[1], { n: 3 });

  const [first, second] = asked;
  assert.ok(asked.every(({ self, records }) => self === manager && records), "the records are there, though the manager has not inspected the cluster since");
  const { id, rid, requester, ...work } = first.work;
  assert.match(id, /^W0R/);
  assert.ok(id.endsWith(rid));
  assert.deepEqual([requester, work], [client.id, {
    key: "k", args: { n: 1, _key: "k" }, timeout: 9000, assigntimeout: undefined, priority: 0, status: "queued", worker: null,
  }]);
  assert.deepEqual([first.workers, first.totalAvailable], [{ [ann.id]: 3, [bob.id]: 5 }, 8], "5 of bob's slots are for it");
  assert.deepEqual([second.workers, second.totalAvailable], [{ [ann.id]: 3, [bob.id]: 4 }, 7], "one of them is taken");
  const { work: last, workers } = asked.find(({ work: { args } }) => args.n === 3);
  assert.deepEqual([last.priority, workers[ann.id], workers[bob.id]], [2, 3, 8]);
  assert.deepEqual(warnings, []);
});

test("it may be set, replaced and removed while the manager runs", async (t) => {
  const parts = new Parts(t);
  const manager = managerOf(t, parts);
  manager.start();
  const client = parts.client();
  await Promise.all([named(parts, "ann", { slots: 100 }), named(parts, "bob", { slots: 100 }), connected(client)]);
  await knows(manager, 2, 1);
  assert.equal(manager.workSelectWorker, undefined);
  const works = Array.from({ length: 6 }, (_, n) => n);
  assert.deepEqual(new Set(await results(client, works)), new Set(["ann", "bob"]), "the worker with the fewest");
  manager.workSelectWorker = only("ann");
  await choosing(manager);
  assert.deepEqual(new Set(await results(client, works)), new Set(["ann"]));
  manager.workSelectWorker = only("bob");
  assert.deepEqual(new Set(await results(client, works)), new Set(["bob"]));
  for (const remove of [() => delete manager.workSelectWorker, () => (manager.workSelectWorker = null)]) {
    remove();
    assert.deepEqual(new Set(await results(client, works)), new Set(["ann", "bob"]));
    await choosing(manager, false);
    manager.workSelectWorker = only("ann");
    await choosing(manager);
    assert.deepEqual(new Set(await results(client, works)), new Set(["ann"]));
  }
  await manager.stop();
  assert.deepEqual(new Set(await results(client, works)), new Set(["ann", "bob"]), "without a manager");
  manager.start();
  await choosing(manager);
  assert.deepEqual(new Set(await results(client, works)), new Set(["ann"]));
});

test("null skips a work until there is something new, and later works go on", async (t) => {
  const parts = new Parts(t);
  const manager = managerOf(t, parts);
  const skipped = [];
  manager.workSelectWorker = function select(work, workers) {
    if (work.args === "odd" && skipped.push(work.id) === 1) return null;
    return this.workers[Object.keys(workers)[0]];
  };
  manager.start();
  const client = parts.client();
  await Promise.all([named(parts, "ann"), connected(client), choosing(manager)]);
  const done = [];
  client.workIndividual(["odd", "next"], null, (err, data, w) => done.push(w.original));
  await until(() => done.length === 2, "both are done");
  assert.deepEqual(done, ["next", "odd"]);
  assert.ok(skipped.length > 1);
});

test("an error that it throws, and an answer that is no record, are reported, and the work is done all the same", async (t) => {
  const parts = new Parts(t);
  const manager = managerOf(t, parts);
  const errors = [];
  manager.on("error", (error) => errors.push(error));
  const answers = [() => { throw new Error("oops"); }, () => { throw 7; }, () => ({ id: "nobody" }), () => "nobody", () => Promise.resolve(null)];
  let asked = 0;
  manager.workSelectWorker = function select(work, workers) {
    if (asked < answers.length) return answers[asked++]();
    return this.workers[Object.keys(workers)[0]];
  };
  manager.start();
  const client = parts.client();
  await Promise.all([named(parts, "ann"), connected(client), choosing(manager)]);
  assert.deepEqual(await results(client, [1, 2, 3, 4, 5, 6]), Array(6).fill("ann"));
  assert.deepEqual(errors.map(({ message }) => message.slice(0, 16)), ["oops", "workSelectWorker", "workSelectWorker", "workSelectWorker", "workSelectWorker"]);
  // Without a listener it is logged.
  manager.removeAllListeners("error");
  const records = [];
  assemblage.setLogger((record) => records.push(record), { level: "error" });
  asked = 0;
  client.work(7);
  await until(() => records.length > 0, "it is logged");
  assert.deepEqual(records[0], { level: "error", target: "assemblage", message: "Error: oops" });
});

test("it has nothing to do with messages and reports, and gets works as the events have them", async (t) => {
  const parts = new Parts(t);
  const manager = managerOf(t, parts);
  const received = [];
  const asked = [];
  manager.on("receive", (w) => received.push(w));
  manager.workSelectWorker = function select(work, workers) {
    asked.push(work);
    return this.workers[Object.keys(workers)[0]];
  };
  manager.start();
  await choosing(manager);
  const client = parts.client();
  const worker = await named(parts, "ann");
  await until(() => client._peer.connected && client._peer.reports.wanted, "the client knows that the manager listens");
  const arrived = next(worker, "sysmsg");
  const [error, answer] = await called((cb) => client.systemMessage("hello", cb));
  assert.deepEqual([error, answer.receivedBy, (await arrived)[0]], [null, 1, "hello"]);
  assert.deepEqual(asked, []);
  await manager._peer.master.pause("");
  const done = results(client, ["x"], { assigntimeout: 60_000 });
  await until(() => received.length === 1, "the manager has it");
  await manager._peer.master.resume("");
  assert.deepEqual(await done, ["ann"]);
  assert.equal(asked.length, 1);
  assert.equal(asked[0], received[0]);
  assert.equal(asked[0].assigntimeout, 60_000);
});

test("a manager that chooses stops cleanly, and is not asked any more", async (t) => {
  const parts = new Parts(t);
  const program = parts.program(`
    const manager = new proletariat.Manager(options);
    manager.workSelectWorker = function () { say("asked"); manager.stop().then(() => say("stopped")); return null; };
    manager.start();
    // One inspection after the other, so that it is printed once.
    const check = async () => {
      if (manager._peer.connected && (await manager._peer.master.queues()).chooser) say("chooses");
      else setTimeout(check, 5);
    };
    check();`);
  await program.prints("chooses");
  const client = parts.client();
  await Promise.all([named(parts, "ann"), connected(client)]);
  assert.deepEqual(await results(client, [1, 2, 3]), ["ann", "ann", "ann"]);
  assert.equal(await program.end(), 0);
  assert.deepEqual([program.printed, program.errors], [[["chooses"], ["asked"], ["stopped"]], ""]);
});
