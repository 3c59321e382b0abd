"use strict";
// Values that are encrypted and compressed on their way to Redis.

const test = require("node:test");
const assert = require("node:assert/strict");
const { Cluster, until } = require("./support.js");

const codecKeys = "k1:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
const other = "k2:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
const secret = "plain-text-marker";

test("only members with the key read values", async (t) => {
  const cluster = new Cluster(t);
  const options = { codecKeys, codecRequired: true, compressFrom: 64 };
  const [master, worker, blind] = [cluster.master(options), cluster.worker(options), cluster.master({ codecKeys: other })];
  worker.process((job) => {
    if (Buffer.isBuffer(job.payload)) throw new Error(secret);
    return { got: job.payload };
  });
  assert.deepEqual(await master.run(secret.repeat(10), { id: "a" }), { got: secret.repeat(10) });
  await master.add(Buffer.from("fails"), { id: "b", result: true });
  await assert.rejects(master.result("b"), { code: "SWARM_JOB_FAILED", message: `Error: ${secret}` });
  await assert.rejects(blind.result("a"), { name: "CodecError", code: "SWARM_CODEC", message: /the key `k1`, which this member does not have/ });
  const [shown, hidden] = [await master.job("b"), await blind.job("b")];
  assert.deepEqual([shown.payload, shown.payloadEncoded, shown.error], [Buffer.from("fails"), undefined, `Error: ${secret}`]);
  assert.deepEqual([hidden.payload[0], hidden.payloadEncoded], [0xfe, true]);
  assert.ok(!JSON.stringify(hidden).includes(secret) && !hidden.error.includes(secret));
});

test("the job of a worker without the key can be retried, and a function that parses does not get encoded values", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master({ codecKeys });
  await master.add("x", { id: "a", result: true });
  const without = cluster.worker();
  without.process(() => {});
  await until(async () => (await master.stats()).failed === 1, "the failure");
  await without.terminate();
  const { reason, error } = await master.job("a");
  assert.equal(reason, "undecodable");
  assert.match(error, /add it to codecKeys/);
  const parsing = cluster.master({ parse: JSON.parse });
  assert.equal((await parsing.job("a")).payloadEncoded, true);
  cluster.worker({ codecKeys: `${codecKeys},${other}` }).process((job) => job.payload);
  assert.equal(await master.retryFailed(), 1);
  assert.equal(await master.result("a"), "x");
});

test("bad options are refused by name, and keys are not shown", (t) => {
  const cluster = new Cluster(t);
  for (const options of [{ codecKeys: "k1:hunter2" }, { codecRequired: true }, { compressFrom: 63 }]) {
    assert.throws(() => cluster.master(options), (error) => {
      assert.equal(error.code, "SWARM_INVALID_ARGUMENT");
      assert.match(error.message, new RegExp(Object.keys(options)[0]));
      assert.ok(!error.message.includes("hunter2"));
      return true;
    });
  }
});
