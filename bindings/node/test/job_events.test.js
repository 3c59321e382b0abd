"use strict";
// The transitions of jobs, as a master follows them.

const test = require("node:test");
const assert = require("node:assert/strict");
const { Cluster } = require("./support.js");

/** The next `count` events. */
async function take(events, count) {
  const taken = [];
  while (taken.length < count) taken.push((await events.next()).value);
  return taken;
}

const kinds = (events) => events.map(({ id, kind }) => [id, kind]);

test("a follower gets the transitions and continues where it was", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const events = master.events();
  await events.ready();
  const before = Date.now() - 1000;
  const worker = cluster.worker().process((job) => {
    if (job.payload === "fail") throw new Error("no");
  });
  await worker.ready();
  const { id } = await master.add(1);
  const found = await take(events, 3);
  assert.deepEqual(kinds(found), [[id, "added"], [id, "assigned"], [id, "completed"]]);
  assert.ok(found.every(({ time }) => time > before && time < Date.now() + 1000));
  assert.deepEqual([found[1].worker, found[2].fence], [worker.incarnation, found[1].fence]);
  assert.deepEqual([found[0].worker, found[0].fence, found[0].dueAt], ["", 0, undefined]);
  const bad = await master.add("fail");
  const failed = (await take(events, 3))[2];
  assert.deepEqual([failed.id, failed.kind, failed.reason, failed.text], [bad.id, "failed", "failed", "Error: no"]);
  await master.add(1, { delay: 3_600_000 });
  const [, delayed] = await take(events, 2);
  assert.equal(delayed.kind, "delayed");
  assert.ok(delayed.dueAt > Date.now() + 3_500_000);
  assert.deepEqual(await take(master.events({ after: found[0].position }), 2), found.slice(1));
  for await (const event of master.events({ after: "0" })) {
    assert.deepEqual(event, found[0]);
    break;
  }
  assert.throws(() => master.events({ from: "0" }), { code: "SWARM_INVALID_ARGUMENT" });
  assert.throws(() => master.events({ after: {} }), { code: "SWARM_INVALID_ARGUMENT" });
  const wrong = master.events({ after: "x" });
  await assert.rejects(wrong.next(), { code: "SWARM_INVALID_ARGUMENT", message: /after/ });
  assert.deepEqual(await wrong.next(), { done: true, value: undefined });
  await assert.rejects(wrong.ready(), { code: "SWARM_CLOSED" });
});

test("an iterator ends with return and with its master", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const events = master.events();
  const [first, second] = [events.next(), events.next()];
  await events.ready();
  assert.deepEqual(await events.return("over"), { done: true, value: "over" });
  assert.deepEqual([await first, await second, await events.next()], Array(3).fill({ done: true, value: undefined }));
  const rest = master.events();
  await rest.ready();
  await master.add(1);
  assert.equal((await rest.next()).value.kind, "added");
  const waiting = rest.next();
  await master.close();
  assert.deepEqual([await waiting, await rest.next()], Array(2).fill({ done: true, value: undefined }));
  assert.throws(() => master.events(), { code: "SWARM_CLOSED" });
});

test("events that are not kept are missed, and permanent recording is an option", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master({ events: "always", eventsMax: 100 });
  await master.ready();
  const { id } = await master.add(1);
  const first = (await master.events({ after: "0" }).next()).value;
  assert.equal(first.id, id);
  const ids = await master.addJobs(Array(500).fill(1));
  const seen = [];
  for await (const event of master.events({ after: first.position })) {
    seen.push(event);
    if (event.id === ids.at(-1)) break;
  }
  assert.equal(seen[0].kind, "missed");
  assert.ok(seen.length > 100 && seen.length <= 201, seen.length);
  assert.throws(() => cluster.master({ events: "never" }), { code: "SWARM_INVALID_ARGUMENT" });
  assert.throws(() => cluster.master({ eventsMax: 99 }), { code: "SWARM_INVALID_ARGUMENT" });
});
