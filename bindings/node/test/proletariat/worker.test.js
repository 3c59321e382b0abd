"use strict";
// Workers: slots and guarantees, their end by themselves and by signals.

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { Parts, called, knows, proletariat, until } = require("./support.js");

/** How many of ten works of each priority a worker takes at once, the lowest priority first, with nothing else to do. */
async function limits(parts, client, taken) {
  const counts = [];
  for (const priority of [0, 1, 2]) {
    const from = taken.length;
    const result = called((cb) => client.work(Array(12).fill(priority), { priority }, cb));
    await until(() => [...client._works.values()].every(({ shown }) => shown.pushed > 0), "they are pushed");
    const count = await until(async () => {
      const { active, waiting } = await client._peer.master.stats();
      return active + waiting === 12 && taken.length - from === active && active > 0 && (await settledAt(client, active));
    }, "some are taken");
    counts.push(count);
    // All at once, or each answer would let in another.
    let next = from;
    while (next < from + 12) {
      await until(() => taken.length > next, "the next is taken");
      taken[next++]();
    }
    await result;
  }
  return counts;
}

/** `active` if it stays what it is over several renewals of what the worker asks for. */
async function settledAt(client, active) {
  for (let n = 0; n < 20; n++) if ((await client._peer.master.stats()).active !== active) return 0;
  return active;
}

test("slots limit what a worker does at once", async (t) => {
  const parts = new Parts(t);
  const client = parts.client();
  const taken = [];
  parts.worker((w, handler) => taken.push(handler), { slots: 10 });
  assert.deepEqual(await limits(parts, client, taken), [10, 10, 10]);
});

test("guarantees limit each range of priorities", async (t) => {
  const parts = new Parts(t);
  const client = parts.client();
  const taken = [];
  parts.worker((w, handler) => taken.push(handler), { slots: 10, prioritySlots: { 0: 99, 1: 3, 2: 2 } });
  assert.deepEqual(await limits(parts, client, taken), [5, 8, 10]);
});

for (const [how, start] of [
  ["by the worker's own option", (parts, take) => parts.worker(take, { slots: 10, prioritySlots: { 1: 3, 2: 2 }, SACRED_GUARANTEES: true })],
  ["by a manager that is there before", async (parts, take) => {
    await knows(parts.manager({ SACRED_GUARANTEES: true }), 0, 1);
    return parts.worker(take, { slots: 10, prioritySlots: { 1: 3, 2: 2 } });
  }],
  ["by a manager that comes later", async (parts, take, client) => {
    const worker = parts.worker(take, { slots: 10, prioritySlots: { 1: 3, 2: 2 } });
    await until(() => worker._slots, "the worker takes works");
    await knows(parts.manager({ SACRED_GUARANTEES: true }), 1, 1);
    return worker;
  }],
]) {
  test(`guarantees are sacred ${how}`, async (t) => {
    const parts = new Parts(t);
    const client = parts.client();
    const taken = [];
    const worker = await start(parts, (w, handler) => taken.push(handler));
    await until(() => worker._slots?.sacred, "the worker knows it");
    assert.deepEqual(await limits(parts, client, taken), [5, 8, 7]);
  });
}

test("a change of the guarantees waits for what is in hand, and stop does not wait for it", async (t) => {
  const parts = new Parts(t);
  const client = parts.client();
  const handlers = [];
  const worker = parts.worker((w, handler) => handlers.push(handler), { slots: 2, prioritySlots: { 1: 1 } });
  const result = called((cb) => client.work(["first"], cb));
  await until(() => handlers.length === 1, "it runs");
  const manager = parts.manager({ SACRED_GUARANTEES: true });
  await until(() => worker._draining, "the worker takes no more");
  handlers[0](null, "done");
  assert.equal((await result)[1][0].data, "done");
  await until(() => worker._slots?.sacred, "the worker takes works again");

  client.work(["second"]);
  await until(() => handlers.length === 2, "it runs");
  await manager.stop();
  parts.manager();
  await until(() => worker._draining, "the worker takes no more");
  await worker.stop();
});

test("slots that cannot be are an error", () => {
  for (const opts of [{ slots: 3, prioritySlots: { 1: 2, 2: 2 } }, { slots: -1 }, { slots: 1e10 }, { slots: "many" }, { prioritySlots: { 1: "x" } }, { prioritySlots: { high: 2 } }]) {
    assert.throws(() => new proletariat.Worker(opts), { code: "EINVSLOTNR" }, JSON.stringify(opts));
  }
  assert.ok(new proletariat.Worker({ slots: 3, prioritySlots: { 1: 2, 2: 1 } }));
});

test("works wait for a listener, answers for none", async (t) => {
  const parts = new Parts(t);
  const client = parts.client();
  const worker = parts.worker(null, { ANSWER_THRESHOLD: 50, CLEANUP_REQS: 1, CLEANUP_CHECKINT: 1, CON_RETRYTIME: 1 });
  const results = called((cb) => client.work(["answered", "answered"], cb));
  await until(() => worker._peer.connected, "the worker is there");
  const hanging = [];
  worker.on("work", (w, handler) => (w.args === "hangs" ? hanging.push(handler) : handler(null, w.args)));
  assert.deepEqual((await results)[1].map(({ data }) => data), ["answered", "answered"]);
  // One that takes long holds back no other, however many answers are to be kept.
  client.work("hangs");
  assert.deepEqual(await called((cb) => client.work("short", cb)), [null, "short"]);
  await until(() => hanging.length === 1, "the other runs");
});

test("works without a listener wait for the next one", async (t) => {
  const parts = new Parts(t);
  const client = parts.client();
  const worker = parts.worker();
  worker.once("work", (w, handler) => handler(null, "first"));
  const results = called((cb) => client.work([1, 2], cb));
  await until(() => worker._slots?.unclaimed.length === 1, "the second waits for a listener");
  worker.once("work", (w, handler) => handler(null, "second"));
  assert.deepEqual((await results)[1].map(({ data }) => data), ["first", "second"]);
});

test("the works of a worker that stops go to others, and it and starts again", async (t) => {
  const parts = new Parts(t);
  const client = parts.client();
  const aborted = [];
  const active = [];
  const first = parts.worker((w, handler) => active.push([w, handler]), { slots: 3 });
  first.on("abort", (w) => aborted.push(w.args));
  const results = called((cb) => client.work([1, 2, 3], cb));
  await until(() => active.length === 3, "the first has them");
  const { id } = first;
  const stopped = called((cb) => assert.equal(first.stop(cb), undefined));
  first.stop();
  assert.deepEqual(await stopped, [null]);
  assert.deepEqual(aborted, [1, 2, 3]);
  for (const [, handler] of active) handler(null, "too late");
  const second = parts.worker((w, handler) => handler(null, w.args * 2));
  assert.deepEqual((await results)[1].map(({ data }) => data), [2, 4, 6]);
  await second.stop();

  first.start();
  first.stop();
  first.start();
  assert.notEqual(first.id, id);
  const again = called((cb) => client.work([4], cb));
  await until(() => active.length === 4, "it takes works again");
  active[3][1](null, "again");
  assert.equal((await again)[1][0].data, "again");
  first.stop();
  first.start();
  await first.stop();
  assert.equal(first._peer, undefined);
  await new proletariat.Worker().stop();
});

test("the works of a killed worker are done at once by another", async (t) => {
  const parts = new Parts(t);
  const client = parts.client();
  const program = parts.program(`
    const worker = new proletariat.Worker({ ...options, slots: 2 });
    worker.on("work", (w) => say("work", w.args));
    worker.start();`);
  const results = called((cb) => client.work(["a", "b", "c"], cb));
  await program.prints("work", 2);
  const order = [];
  parts.worker((w, handler) => {
    order.push(w.args);
    handler(null, "done");
  }, { slots: 1 });
  await until(() => order.length === 1, "the other worker does what is left");
  program.child.kill("SIGKILL");
  // Nothing else happens that could set off a distribution.
  assert.deepEqual((await results)[1].map(({ data }) => data), ["done", "done", "done"]);
  assert.deepEqual(order.slice(1).sort(), ["a", "b"]);
});

test("a frozen worker loses its works, and gets `abort` when it thaws", async (t) => {
  const parts = new Parts(t);
  const client = parts.client();
  const program = parts.program(`
    const worker = new proletariat.Worker(options);
    worker.on("work", (w, handler) => { say("work", w.args); setTimeout(() => {}, 1e6); });
    worker.on("abort", (w) => say("abort", w.args));
    worker.on("error", (error) => say("error", error.code));
    worker.start();`);
  const result = called((cb) => client.work("frozen", cb));
  await program.prints("work");
  program.child.kill("SIGSTOP");
  parts.worker((w, handler) => handler(null, "done"));
  assert.deepEqual(await result, [null, "done"]);
  program.child.kill("SIGCONT");
  assert.deepEqual(await program.prints("abort"), ["frozen"]);
});

test("a work that kills every worker fails in the end", async (t) => {
  const parts = new Parts(t);
  const client = parts.client();
  let over = false;
  const result = called((cb) => client.work("poison", cb)).finally(() => (over = true));
  for (let n = 0; n < 6 && !over; n++) {
    const program = parts.program(`
      const worker = new proletariat.Worker(options);
      worker.on("work", () => process.kill(process.pid, "SIGKILL"));
      worker.start();`);
    await until(() => over || program.child.signalCode, "the worker crashes, or is spared");
  }
  const [error] = await result;
  assert.deepEqual([error.code, error.reason], ["SWARM_JOB_FAILED", "poison"]);
});

test("a stopped worker lets its process end, and DEBUG prints nothing", async (t) => {
  const parts = new Parts(t, { DEBUG: true });
  const program = parts.program(`
    const worker = new proletariat.Worker(options);
    const client = new proletariat.Client(options);
    const manager = new proletariat.Manager(options);
    manager.start();
    worker.on("work", (w, handler) => handler(null, "done"));
    worker.start();
    client.work(["x"], { timeout: 10000 }, (err, results) => {
      say(err, results);
      manager.stop();
      client.close();
      worker.stop(() => say("stopped"));
    });`);
  assert.equal(await program.end(), 0, program.errors);
  assert.deepEqual(program.printed, [[null, [{ err: null, data: "done" }]], ["stopped"]]);
  assert.equal(program.errors, "");
});
