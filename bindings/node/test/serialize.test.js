"use strict";
// The options `serialize` and `parse`: values of classes in payloads, results and messages.

const test = require("node:test");
const assert = require("node:assert/strict");
const { Cluster, collect, until } = require("./support.js");

/** Writes Map and BigInt, which JSON does not have, into it. */
const text = {
  serialize: (value) =>
    JSON.stringify(value, (_, each) => (each instanceof Map ? { map: [...each] } : typeof each === "bigint" ? { bigint: String(each) } : each), 2),
  parse: (content) =>
    Buffer.isBuffer(content)
      ? content
      : JSON.parse(content, (_, each) => (Array.isArray(each?.map) ? new Map(each.map) : typeof each?.bigint === "string" ? BigInt(each.bigint) : each)),
};

/** A format of bytes. */
const bytes = {
  serialize: (value) => Buffer.from(`v:${JSON.stringify(value)}`),
  parse: (content) => JSON.parse(content.toString().slice(2)),
};

const VALUE = { big: 2n ** 70n, many: new Map([["a", 1]]) };

test("payloads and results are of the classes that serialize and parse know", async (t) => {
  const cluster = new Cluster(t);
  const [master, worker] = [cluster.master(text), cluster.worker(text)];
  worker.process((job) => ({ echo: job.payload }));
  assert.deepEqual(await master.run(VALUE), { echo: VALUE });
  const outcomes = await master.runMany([{ payload: VALUE }, { payload: [1n] }].map(({ payload }) => payload));
  assert.deepEqual(outcomes.map(({ value }) => value), [{ echo: VALUE }, { echo: [1n] }]);
  await master.add(VALUE, { id: "later", delay: 60_000 });
  assert.deepEqual((await master.job("later")).payload, VALUE);
  assert.deepEqual((await master.jobs("delayed")).jobs[0].payload, VALUE);
  // Bytes are sent unchanged.
  assert.deepEqual(await master.run(Buffer.from("raw")), { echo: Buffer.from("raw").toJSON() });
});

test("a format may have bytes", async (t) => {
  const cluster = new Cluster(t);
  const [master, worker] = [cluster.master(bytes), cluster.worker(bytes)];
  worker.process((job) => [job.payload, job.payloadBytes.toString()]);
  assert.deepEqual(await master.run({ a: 1 }), [{ a: 1 }, 'v:{"a":1}']);
});

test("messages and their replies are read and written, too", async (t) => {
  const cluster = new Cluster(t);
  const [master, worker] = [cluster.master(text), cluster.worker(text)];
  const received = [];
  worker.on("message", (message) => {
    received.push(message.payload);
    if (message.wantsReply) message.reply(new Map([["echo", 1n]]));
  });
  await worker.ready();
  const receipt = await master.send("all", VALUE, { request: 10_000 });
  assert.deepEqual(receipt.replies.map(({ payload }) => payload), [new Map([["echo", 1n]])]);
  assert.deepEqual(received, [VALUE]);
});

test("errors of serialize and parse reach the caller", async (t) => {
  const cluster = new Cluster(t);
  const broken = (serialize) => cluster.master({ serialize });
  for (const [serialize, part] of [
    [() => { throw new Error("no such value"); }, /serialize failed: Error: no such value/],
    [() => undefined, /serialize returned undefined for the payload/],
    [() => "{", /not JSON for the payload/],
  ]) {
    await assert.rejects(broken(serialize).add(1), (error) => error.code === "SWARM_INVALID_ARGUMENT" && part.test(error.message));
  }
  assert.throws(() => cluster.master({ parse: 1 }), { code: "SWARM_INVALID_ARGUMENT", message: /the option parse is 1, it must be a function/ });

  const master = cluster.master({ parse: () => { throw new Error("cannot read"); } });
  await master.add(1, { id: "a" });
  await assert.rejects(master.job("a"), /cannot read/);
  const jobs = collect(cluster.worker({ parse: () => { throw new Error("cannot read"); } }));
  const job = await until(() => jobs[0], "the job");
  assert.throws(() => job.payload, /cannot read/);
  await job.complete({ ok: true });
  const refused = assert.rejects(master.run(2), /cannot read/);
  await (await until(() => jobs[1], "the second job")).complete(3);
  await refused;
});
