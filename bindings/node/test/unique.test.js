"use strict";
// Unique keys: one job at a time has each.

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { Cluster, assemblage, until } = require("./support.js");

const { NewJob } = assemblage;

test("an add is dropped while another job has the key", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const first = await master.add(1, { unique: "k", result: true });
  assert.deepEqual(first, { id: first.id, existed: false, replaced: false });
  assert.deepEqual(await master.add(2, { unique: { key: "k" } }), { id: first.id, existed: true, replaced: false });
  assert.deepEqual(await master.addJobs([3, new NewJob(4, { unique: "other", id: "o" })], { unique: "k" }), [first.id, "o"]);
  const existed = [];
  const run = master.run(5, { unique: "k", id: "own", onExisted: (id) => existed.push(id) });
  await until(() => existed.length === 1, "it is known that the job exists");
  assert.deepEqual(existed, [first.id]);
  const { id } = await new Promise((resolve) => master.addJob(6, { unique: "k" }, (error, id, there) => resolve({ id: there && id })));
  assert.equal(id, first.id);
  cluster.worker().process((job) => job.payload * 10);
  assert.equal(await run, 10);
  await until(async () => (await master.stats()).completed === 2, "all are done");
  assert.equal((await master.add(7, { unique: "k" })).existed, false);
});

test("a group waits for the jobs that have its keys", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const outcomes = [];
  const all = (async () => {
    for await (const outcome of master.runEach([1, 2, 3], { unique: "k" })) outcomes.push(outcome);
  })();
  await until(async () => (await master.stats()).added === 1, "one is added");
  cluster.worker().process((job) => job.payload);
  await all;
  outcomes.sort((a, b) => a.position - b.position);
  assert.deepEqual(outcomes.map(({ value, existed }) => [value, existed]), [[1, false], [1, true], [1, true]]);
  assert.equal(new Set(outcomes.map(({ id }) => id)).size, 1);
});

test("a waiting job is replaced, and the newest follows an active one", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const latest = { unique: { key: "k", onConflict: "latest" } };
  const first = await master.add("a", { unique: { key: "k", onConflict: "replace" } });
  assert.deepEqual(await master.add("b", latest), { id: first.id, existed: true, replaced: true });
  const order = [];
  let open;
  const gate = new Promise((resolve) => {
    open = resolve;
  });
  cluster.worker().process(async (job) => {
    order.push(job.payload);
    await gate;
  });
  await until(() => order.length === 1, "it is active");
  const follower = await master.add("c", latest);
  assert.equal(follower.existed, false);
  const more = await master.addMany([{ payload: "d" }, { payload: "e" }], latest);
  assert.deepEqual(more, Array(2).fill({ id: follower.id, existed: true, replaced: true }));
  open();
  await until(async () => (await master.stats()).completed === 2, "both are done");
  assert.deepEqual(order, ["b", "e"]);
});

test("a debounced job starts after the last add", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const options = { unique: { key: "k", until: "start" }, debounce: 200, maxWait: 5000 };
  const from = Date.now();
  const added = [];
  for (const n of [1, 2, 3]) added.push(await master.add(n, options));
  assert.deepEqual(added.map(({ id, replaced }) => [id, replaced]), [[added[0].id, false], [added[0].id, true], [added[0].id, true]]);
  const order = [];
  cluster.worker().process((job) => void order.push(job.payload));
  await until(() => order.length === 1, "it has started");
  assert.deepEqual(order, [3]);
  assert.ok(Date.now() - from >= 200);
});

test("options that exclude each other are refused", async (t) => {
  const master = new Cluster(t).master();
  for (const [options, text] of [
    [{ unique: {} }, /unique key is empty/],
    [{ unique: { key: "k", until: 0 } }, /unique\.until is 0 ms, it must be 1 ms/],
    [{ unique: { key: "k", until: "stop" } }, /unique\.until is `stop`, it must be end or start, or a number of milliseconds/],
    [{ unique: { key: "k", onConflict: "keep" } }, /unique\.onConflict is `keep`/],
    [{ unique: { key: "k", onConflict: "attach", until: "start" } }, /set unique\.until to end/],
    [{ unique: { key: "k", oops: 1 } }, /unknown part `oops`/],
    [{ debounce: 5 }, /set unique/],
    [{ unique: "k", debounce: 5, delay: 5 }, /leave out delay and runAt/],
    [{ unique: "k", maxWait: 5 }, /maxWait needs debounce/],
    [{ similar: "k" }, /unknown job option `similar`/],
  ]) {
    await assert.rejects(master.add(1, options), (error) => error.code === "SWARM_INVALID_ARGUMENT" && text.test(error.message), String(text));
  }
  assert.equal((await master.stats()).added, 0);
});
