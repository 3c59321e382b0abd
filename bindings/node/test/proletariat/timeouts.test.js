"use strict";
// The three limits, and what is left of a work that is over one.

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { Parts, called, connected, knows, seen, takes, until } = require("./support.js");

test("ECSTO keeps what is done, aborts what runs, drops what waits, and frees the slots", async (t) => {
  const parts = new Parts(t);
  const client = parts.client();
  const assigned = [];
  const aborted = [];
  const late = [];
  const worker = parts.worker((w, handler) => {
    assigned.push(w.args);
    if (w.args === "slow") late.push(handler);
    else handler(null, w.args);
  }, { slots: 2 });
  worker.on("abort", (w) => aborted.push(w));
  await takes(worker);
  const finished = called((cb) => client.work(["fast", "slow", "slow", "waits"], { timeout: 3000 }, cb));
  await until(() => late.length === 2, "two run");
  const [error, results] = await finished;
  assert.equal(error, null);
  assert.deepEqual(results.map(({ err, data }) => err?.code ?? data), ["fast", "ECSTO", "ECSTO", "ECSTO"]);
  assert.ok(results[1].err instanceof Error);
  await until(() => aborted.length === 2, "both are aborted");
  assert.deepEqual(aborted.map(({ args, status }) => [args, status]), [["slow", "aborted"], ["slow", "aborted"]]);
  for (const handler of late) handler(null, "ignored");
  assert.deepEqual(await called((cb) => client.work("next", cb)), [null, "next"]);
  assert.deepEqual(assigned, ["fast", "slow", "slow", "next"]);
  const shown = called((cb) => worker.prependOnceListener("work", cb));
  client.work("shown", { runTimeout: 9000 });
  const [{ id, ...rest }] = await shown;
  assert.match(id, /^W/);
  assert.deepEqual(rest, { args: "shown", timeout: 9000, status: "done" });
});

test("ECSTO of one work, and of workIndividual", async (t) => {
  const parts = new Parts(t);
  const client = parts.client();
  const worker = parts.worker((w, handler) => w.args === "fast" && handler(null, "done"));
  await takes(worker);
  const [error] = await called((cb) => client.work("slow", { timeout: 300 }, cb));
  assert.equal(error.code, "ECSTO");
  const reported = [];
  const [none, results] = await called((cb) => {
    client.workIndividual(["slow", "fast"], { timeout: 3000 }, (err, data, w) => reported.push([err?.code, data, w.original]), cb);
  });
  assert.equal(none, null);
  assert.deepEqual(reported, [[undefined, "done", "fast"], ["ECSTO", null, "slow"]]);
  assert.deepEqual(results.map(({ err, data }) => [err?.code, data]), [["ECSTO", null], [undefined, "done"]]);
});

test("the time of ECSTO counts while there is no connection", async (t) => {
  const client = new Parts(t, { redis: "redis://127.0.0.1:1" }).client();
  assert.equal((await called((cb) => client.work("one", { timeout: 100 }, cb)))[0].code, "ECSTO");
  const [error, [result]] = await called((cb) => client.work(["many"], { timeout: 100 }, cb));
  assert.deepEqual([error, result.err.code], [null, "ECSTO"]);
});

test("ETO frees the slot without an abort, and a later answer is ignored", async (t) => {
  const parts = new Parts(t);
  const client = parts.client();
  const handlers = [];
  const worker = parts.worker((w, handler) => (w.args === "slow" ? handlers.push(handler) : handler(null, w.args)), { slots: 1 });
  worker.on("abort", () => assert.fail("there is no abort"));
  const [, [slow, fast]] = await called((cb) => client.work(["slow", "fast"], { runTimeout: 2000 }, cb));
  assert.deepEqual([slow.err.code, slow.err.message, slow.data], ["ETO", "Timeout", null]);
  assert.deepEqual(fast, { err: null, data: "fast" });
  handlers[0](null, "too late");
  assert.deepEqual(await called((cb) => client.work("after", cb)), [null, "after"]);
});

test("EATO comes without a worker, and the manager gets it", async (t) => {
  const parts = new Parts(t);
  const manager = parts.manager();
  const client = parts.client();
  await knows(manager, 0, 1);
  await until(() => client._peer.reports.wanted, "the client knows that the manager listens");
  const [, [result]] = await called((cb) => client.work([{ n: 1 }], { assigntimeout: 150, priority: 2 }, cb));
  assert.deepEqual([result.err.code, result.err.message, result.data], ["EATO", "Assign timeout", null]);
  await until(() => seen(manager, "assigntimeout").length === 1, "the manager gets it");
  const [[w]] = seen(manager, "assigntimeout");
  assert.deepEqual([w.args, w.assigntimeout, w.priority, w.requester], [{ n: 1 }, 150, 2, client.id]);

  // The shorter limit of the call ends it first, and nothing is left of the other.
  assert.equal((await called((cb) => client.work("x", { timeout: 100, assigntimeout: 30_000 }, cb)))[0].code, "ECSTO");
  await until(async () => (await client._peer.master.stats()).waiting === 0, "the work is dropped");
});

test("a work that is assigned in time has no EATO", async (t) => {
  const parts = new Parts(t);
  const client = parts.client();
  const handlers = [];
  await takes(parts.worker((w, handler) => handlers.push(handler)));
  await connected(client);
  const result = called((cb) => client.work("x", { assigntimeout: 2000 }, cb));
  await until(() => handlers.length === 1, "it is assigned");
  const [error] = await called((cb) => client.work("y", { timeout: 3000, assigntimeout: 2000 }, cb));
  assert.equal(error.code, "ECSTO");
  handlers[0](null, "done");
  assert.deepEqual(await result, [null, "done"]);
});

test("limits that are none do not end anything", async (t) => {
  const parts = new Parts(t);
  const client = parts.client();
  await connected(client);
  parts.worker((w, handler) => handler(null, w.args));
  for (const limit of [0, -1, NaN, "soon", null, 2 ** 40, Infinity]) {
    const opts = { timeout: limit, runTimeout: limit, assigntimeout: limit };
    assert.deepEqual(await called((cb) => client.work("x", opts, cb)), [null, "x"], String(limit));
  }
});
