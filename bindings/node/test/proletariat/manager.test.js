"use strict";
// Managers: what they see, what they set, and their own program.

const assert = require("node:assert/strict");
const { execFileSync, spawn } = require("node:child_process");
const path = require("node:path");
const { test } = require("node:test");
const { Parts, atEnd, called, knows, next, proletariat, seen, takes, until } = require("./support.js");

/** A manager that listens, and a client that knows so. */
async function watched(t, options) {
  const parts = new Parts(t);
  const manager = parts.manager(options);
  const client = parts.client();
  await until(() => client._peer.connected && client._peer.reports.wanted, "the client knows that the manager listens");
  return { parts, manager, client };
}

test("a manager sees works come and end", async (t) => {
  const { parts, manager, client } = await watched(t);
  const worker = parts.worker((w, handler) => (w.args.fails ? handler(new Error("no")) : handler(null, "done")), { slots: 7 });
  await until(() => worker._slots, "the worker takes works");
  await knows(manager, 1, 1);
  const works = [{ n: 1, _key: "k" }, { fails: true }];
  await called((cb) => client.work(works, { runTimeout: 9000, assigntimeout: 8000, priority: 3 }, cb));
  await until(() => seen(manager, "finish").length === 2, "both are finished");
  const received = seen(manager, "receive").map(([w]) => w);
  assert.deepEqual(received.map(({ args, key, status }) => [args, key, status]), [[works[0], "k", "new"], [works[1], undefined, "new"]]);
  const [{ id, rid, timeout, assigntimeout, priority, requester }] = received;
  assert.match(id, /^W.*R/);
  assert.ok(id.endsWith(rid));
  assert.deepEqual([timeout, assigntimeout, priority, requester], [9000, 8000, 3, client.id]);
  const finished = new Map(seen(manager, "finish").map(([w, result]) => [w.id, result]));
  assert.deepEqual(finished.get(id), { err: null, data: "done" });
  assert.equal(finished.get(received[1].id).err.message, "no");

  assert.deepEqual(Object.keys(manager.clients), [client.id]);
  await until(() => manager.workers[worker.id].slots === 7, "the slots are known");
  assert.equal(manager.workers[worker.id].id, worker.id);
  assert.equal(manager.workers[worker.id].pid, process.pid);
  assert.equal(manager._ledger.works.size, 0);
});

test("a manager sees works that are aborted, and by which worker", async (t) => {
  const { parts, manager, client } = await watched(t);
  const begun = [];
  const worker = parts.worker((w) => begun.push(w.args), { slots: 1 });
  await knows(manager, 1, 1);
  await takes(worker);
  const finished = called((cb) => client.work(["runs", "waits"], { timeout: 3000 }, cb));
  await until(() => begun.length === 1, "one runs");
  await finished;
  await until(() => seen(manager, "abort").length === 2, "both are aborted");
  const aborted = new Map(seen(manager, "abort").map(([w, workerId]) => [w.args, [w.requester, workerId]]));
  assert.deepEqual(aborted, new Map([["waits", [client.id, null]], ["runs", [client.id, worker.id]]]));
  await until(() => manager._ledger.works.size === 0, "nothing is left of the other");
});

test("a manager sees the works of a dead worker given up, and then done", async (t) => {
  const { parts, manager, client } = await watched(t);
  const program = parts.program(`
    const worker = new proletariat.Worker(options);
    worker.on("work", (w) => say("work", worker.id));
    worker.start();`);
  await knows(manager, 1, 1);
  const result = called((cb) => client.work(["x"], cb));
  const [id] = await program.prints("work");
  await until(() => [...manager._ledger.works.values()].some((work) => work.worker === id), "the manager knows who has it");
  program.child.kill("SIGKILL");
  await until(() => seen(manager, "giveup").length === 1, "it is given up");
  const [[w, record]] = seen(manager, "giveup");
  assert.deepEqual([w.args, record.id, manager.workers], ["x", id, {}]);
  parts.worker((_, handler) => handler(null, "done"));
  assert.equal((await result)[1][0].data, "done");
});

test("works of a worker that another takes at once are given up first", async (t) => {
  const { parts, manager, client } = await watched(t);
  const program = parts.program(`
    const worker = new proletariat.Worker(options);
    worker.on("work", (w) => say("work", worker.id));
    worker.start();`);
  const result = called((cb) => client.work(["x"], cb));
  const [id] = await program.prints("work");
  await until(() => [...manager._ledger.works.values()].some((work) => work.worker === id), "the manager knows who has it");
  const other = parts.worker((_, handler) => handler(null, "done"));
  await until(() => other._slots, "the other takes works");
  // It notices nothing by itself.
  clearInterval(manager._looker);
  program.child.kill("SIGKILL");
  assert.equal((await result)[1][0].data, "done");
  await until(() => seen(manager, "finish").length === 1, "it is finished");
  assert.deepEqual(seen(manager, "giveup").map(([w, record]) => [w.args, record.id]), [["x", id]]);
  assert.equal(seen(manager, "finish")[0][0].worker, other.id);
  const names = manager.seen.map(([name]) => name);
  assert.deepEqual(names, ["receive", "giveup", "finish"]);
});

test("the queued works of a client that was killed are aborted, too; those that go on without it are not", async (t) => {
  const { parts, manager } = await watched(t);
  const worker = parts.worker(() => {}, { slots: 1 });
  await knows(manager, 1, 1);
  const program = parts.program(`
    const client = new proletariat.Client(options);
    const wait = setInterval(() => client._peer.reports.wanted && (clearInterval(wait), client.work(["runs", "waits"]), client.work(["stays"], { keepState: true })), 5);`);
  await until(() => seen(manager, "receive").length === 3, "the manager knows them");
  await until(() => [...manager._ledger.works.values()].some(({ status }) => status === "running"), "one runs");
  program.child.kill("SIGKILL");
  await until(() => seen(manager, "abort").length === 2, "both are aborted");
  const aborted = new Map(seen(manager, "abort").map(([w, workerId]) => [w.args, workerId]));
  assert.deepEqual(aborted, new Map([["waits", null], ["runs", worker.id]]));
});

test("the queued works of a client that came and went between two inspections are aborted, too", async (t) => {
  const { parts, manager } = await watched(t);
  parts.worker(() => {}, { slots: 1 });
  await knows(manager, 1, 1);
  // From now on it inspects the cluster when the test makes it.
  clearInterval(manager._looker);
  await manager._looks;
  const program = parts.program(`
    const client = new proletariat.Client(options);
    const wait = setInterval(() => client._peer.reports.wanted && (clearInterval(wait), client.work(["runs", "waits"])), 5);`);
  await until(() => [...manager._ledger.works.values()].some(({ status }) => status === "running"), "one runs");
  program.child.kill("SIGKILL");
  await until(async () => (await manager._peer.look()).peers.every(({ member }) => member.pid !== program.child.pid), "the client is gone");
  await until(() => seen(manager, "abort").length === 1, "the one that runs is aborted by its worker");
  await manager._look(manager._peer);
  assert.equal(seen(manager, "abort").length, 1, "it might have come since");
  await manager._look(manager._peer);
  assert.deepEqual(seen(manager, "abort").map(([w]) => w.args), ["runs", "waits"]);
});

test("works that were pushed before the manager listened have all their properties, however they end", async (t) => {
  const parts = new Parts(t);
  const client = parts.client();
  await next(client, "connect");
  const handlers = [];
  const first = parts.worker((w, handler) => handlers.push(handler), { slots: 2 });
  const opts = { priority: 3, runTimeout: 60_000 };
  const finished = called((cb) => client.work([{ n: 1 }, { n: 2 }], opts, cb));
  await until(() => handlers.length === 2, "they run");
  const late = called((cb) => client.work([{ n: 3 }], { ...opts, timeout: 6500 }, cb));
  const unassigned = called((cb) => client.work([{ n: 4 }], { ...opts, assigntimeout: 6000 }, cb));
  const manager = parts.manager();
  await until(() => manager._ledger.works.size === 2, "those that run are reported to the manager");
  assert.ok([...manager._ledger.works.values()].every(({ status, worker }) => status === "running" && worker === first.id));
  await until(() => seen(manager, "abort").length === 1 && seen(manager, "assigntimeout").length === 1, "those that wait end");
  handlers[0](null, "done");
  await until(() => seen(manager, "finish").length === 1, "one is finished");
  await first.stop();
  parts.worker((_, handler) => handler(null, "again"));
  await until(() => seen(manager, "finish").length === 2, "the other, too");
  await Promise.all([finished, late, unassigned]);
  const works = [...seen(manager, "finish"), ...seen(manager, "abort"), ...seen(manager, "assigntimeout"), ...seen(manager, "giveup")].map(([w]) => w);
  assert.deepEqual(works.map(({ args }) => args.n), [1, 2, 3, 4, 2]);
  for (const w of works) assert.deepEqual([w.priority, w.timeout, w.requester, w.id.endsWith(w.rid)], [3, 60_000, client.id, true]);
});

test("late reports change nothing of finished works", async (t) => {
  const { manager } = await watched(t);
  const w = (id) => ({ id, rid: "R1", args: id, priority: 0 });
  for (const [id, over] of [["W0R1", { e: "finish", by: "worker 2" }], ["W1R1", { e: "assigntimeout" }], ["W2R1", { e: "drop" }], ["W3R1", { e: "abort" }]]) {
    manager._ledger.enter({ e: "receive", id, w: w(id) }, "client");
    // Of a work that runs its worker reports the abort, not its client.
    if (over.e !== "drop") manager._ledger.enter({ e: "assign", fence: 1, id, w: w(id) }, "worker 1");
    manager._ledger.enter({ ...over, id, w: w(id) }, "client");
    const before = manager.seen.length;
    for (const late of [{ e: "assign", fence: 2 }, { e: "abort" }, { e: "drop" }]) manager._ledger.enter({ ...late, id, w: w(id) }, "worker 2");
    assert.deepEqual([manager.seen.slice(before), manager._ledger.works.size], [[], 0], over.e);
  }
  assert.deepEqual(seen(manager, "giveup").map(([work, { id }]) => [work.id, id]), [["W0R1", "worker 1"]]);
});

test("a dead worker of this machine is noticed at once, whatever the lease, and assigned nothing", async (t) => {
  const parts = new Parts(t, { lease: 60_000 });
  const client = parts.client();
  const program = parts.program(`
    const worker = new proletariat.Worker(options);
    worker.on("work", (w) => say("work"));
    worker.start();`);
  const result = called((cb) => client.work("active", cb));
  await program.prints("work");
  await until(() => client._peer._neighbours.processes.size >= 3, "its members are known");
  program.child.kill("SIGKILL");
  parts.worker((_, handler) => handler(null, "done"), { slots: 2 });
  assert.deepEqual(await result, [null, "done"]);
  const results = await called((cb) => client.work([1, 2, 3, 4, 5, 6, 7, 8], cb));
  assert.ok(results[1].every(({ data }) => data === "done"));
});

test("a listener added later gets events from then on; without one there are no reports", async (t) => {
  const parts = new Parts(t);
  const manager = new proletariat.Manager(parts.options);
  atEnd(t, () => manager.stop());
  manager.start();
  const client = parts.client();
  parts.worker((w, handler) => handler(null, w.args));
  await knows(manager, 1, 1);
  await called((cb) => client.work([1], cb));
  assert.equal(client._peer.reports.wanted, false);
  const finished = next(manager, "finish");
  await until(() => client._peer.reports.wanted, "the client knows that the manager listens");
  await called((cb) => client.work([2], cb));
  const [w, result] = await finished;
  assert.deepEqual([w.args, result], [2, { err: null, data: 2 }]);
});

test("cleanup comes after CLEANUP_REQS works and every CLEANUP_CHECKINT", async (t) => {
  const { parts, manager, client } = await watched(t, { CLEANUP_REQS: 3 });
  parts.worker((w, handler) => handler());
  await called((cb) => client.work([1, 2, 3], cb));
  await until(() => seen(manager, "cleanup").length === 1, "there is one");
  const idle = parts.manager({ CLEANUP_CHECKINT: 50 });
  await until(() => seen(idle, "cleanup").length >= 2, "there are more");
});

for (const [who, begin] of [
  ["a manager that was there before", async (parts) => {
    const manager = parts.manager({ HOLDSIMILARWORK: true });
    await until(() => manager._peer.connected, "the manager is there");
    return parts.client();
  }],
  ["a manager that comes later", async (parts) => {
    const client = parts.client();
    await next(client, "connect");
    parts.manager({ HOLDSIMILARWORK: true });
    await until(() => client._peer.settings?.hold, "the client knows it");
    return client;
  }],
  ["the client itself", (parts) => parts.client({ HOLDSIMILARWORK: true })],
]) {
  test(`works with the same key share a result when ${who} asks for it`, async (t) => {
    const parts = new Parts(t);
    const client = await begin(parts);
    const assigned = [];
    parts.worker((w, handler) => assigned.push([w, handler]));
    const key = "a key with blanks, é and more ".repeat(20);
    const first = called((cb) => client.work([{ _key: key, n: 1 }, { _key: key, n: 2 }, { n: 3 }, { _key: 7, n: 4 }, { _key: "7", n: 5 }], cb));
    await until(() => assigned.length === 3, "one of each key runs");
    const second = called((cb) => client.work({ _key: key, n: 6 }, cb));
    await until(async () => (await client._peer.master.stats()).blocked === 3, "the others wait for those of their keys");
    for (const [w, handler] of assigned) handler(null, w.args.n);
    assert.deepEqual((await first)[1].map(({ data }) => data), [1, 1, 3, 4, 4]);
    assert.deepEqual(await second, [null, 1]);
    assert.equal(assigned.length, 3);
  });
}

test("an active work runs when the one before it is aborted", async (t) => {
  const parts = new Parts(t);
  const client = parts.client({ HOLDSIMILARWORK: true });
  const assigned = [];
  const worker = parts.worker((w, handler) => (w.args.n === 1 ? assigned.push(w) : handler(null, w.args.n)));
  await takes(worker);
  const first = called((cb) => client.work({ _key: "k", n: 1 }, { timeout: 3000 }, cb));
  await until(() => assigned.length === 1, "the first runs");
  const second = called((cb) => client.work({ _key: "k", n: 2 }, cb));
  assert.equal((await first)[0].code, "ECSTO");
  assert.deepEqual(await second, [null, 2]);
});

test("works with keys are apart unless a manager asks for it", async (t) => {
  const parts = new Parts(t);
  const client = parts.client();
  parts.worker((w, handler) => handler(null, w.args.n));
  const [, results] = await called((cb) => client.work([{ _key: "k", n: 1 }, { _key: "k", n: 2 }], cb));
  assert.deepEqual(results.map(({ data }) => data), [1, 2]);
});

test("a manager stops and starts again, and works go on without it", async (t) => {
  const parts = new Parts(t);
  const manager = parts.manager({ AVAIL_THRESHOLD: 1, DISTRIB_RANDMAX: 1, DEBUG: true });
  const client = parts.client();
  parts.worker((w, handler) => handler(null, w.args));
  await knows(manager, 1, 1);
  assert.deepEqual(await called((cb) => assert.equal(manager.stop(cb), undefined)), [null]);
  assert.deepEqual([manager.workers, manager.clients], [{}, {}]);
  assert.deepEqual(await called((cb) => client.work("without", cb)), [null, "without"]);
  manager.start();
  manager.start();
  await knows(manager, 1, 1);
  manager.stop();
  manager.start();
  await knows(manager, 1, 1);
  await new proletariat.Manager().stop();
});

test("a manager forgets works that are no longer reported", async (t) => {
  const { parts, manager, client } = await watched(t);
  const program = parts.program(`
    const client = new proletariat.Client(options);
    const wait = setInterval(() => client._peer.reports.wanted && (clearInterval(wait), client.work(["waits"], { keepState: true })), 5);`);
  await until(() => seen(manager, "receive").length === 1, "the manager knows it");
  // A work is reported to managers before it is in Redis.
  const [id] = await until(async () => {
    const { jobs } = await client._peer.master.jobs("waiting");
    return jobs.length === 1 && jobs.map((job) => job.id);
  }, "it waits");
  program.child.kill("SIGKILL");
  await knows(manager, 0, 1);
  await until(() => manager._ledger.works.size === 0, "it is forgotten");
  parts.worker((w, handler) => handler());
  await until(async () => (await client._peer.master.job(id)) === null, "it is done all the same");
});

for (const signal of ["SIGINT", "SIGTERM"]) {
  test(`the manager's own program ends cleanly at ${signal}`, async (t) => {
    const { bin } = require("../../package.json");
    const file = path.join(__dirname, "../..", bin["assemblage-proletariat-manager"]);
    const child = spawn(file, { stdio: ["ignore", "pipe", "pipe"] });
    atEnd(t, () => child.kill("SIGKILL"));
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (output += text));
    const client = new proletariat.Client();
    atEnd(t, () => client.close());
    await until(() => client._peer.managers.size > 0, "the manager is there");
    const [exited, silent] = [next(child, "exit"), called((cb) => client.systemMessage("hello", { to: "MANAGER" }, cb))];
    assert.deepEqual([(await silent)[0], (await silent)[1].done], [null, true]);
    child.kill(signal);
    assert.deepEqual(await exited, [0, null]);
    assert.equal(output, "");
    await until(async () => (await client._peer.look()).peers.every(({ member }) => member.pid !== child.pid), "it has left");
  });
}

test("the module is found under its name, by require and by import", () => {
  const run = (...args) => execFileSync(process.execPath, args, { cwd: path.join(__dirname, "../.."), encoding: "utf8" });
  const names = "Client,Manager,Worker\n";
  assert.equal(run("-e", 'console.log(Object.keys(require("assemblage/proletariat")).sort().join())'), names);
  assert.equal(run("--input-type=module", "-e", `
    import all, { Client, Manager, Worker } from "assemblage/proletariat";
    console.log(Object.keys(all).sort().join());
    if (all.Client !== Client || all.Manager !== Manager || all.Worker !== Worker) throw new Error("others");`), names);
});
