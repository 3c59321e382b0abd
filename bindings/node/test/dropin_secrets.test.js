"use strict";
// Passwords are in nothing that is logged of the drop-in modules' objects and errors.

const assert = require("node:assert/strict");
const { inspect } = require("node:util");
const { test } = require("node:test");
const JobQueue = require("../redis-dist-job-queue");
const { Client, Manager, Worker } = require("../proletariat");
const { Program, atEnd, called, until } = require("./support.js");

const SECRET = "hunter2secret";
const URL_ = `redis://ann:${SECRET}@127.0.0.1:1`;

/** Everything that programs commonly print of a value. */
function texts(value) {
  return [inspect(value), inspect(value, { depth: 20, colors: true }), inspect({ value }, { depth: 20 }), JSON.stringify(value) ?? "", JSON.stringify([value]), `${value}`];
}

function keeps(value) {
  for (const text of texts(value)) assert.ok(!text.includes(SECRET), text);
}

/** An error with its properties and causes; its stack may name the lines of this file. */
function keepsError(error) {
  for (const text of [...texts(error), error.message, inspect(error, { showHidden: true, depth: 20 })]) assert.ok(!text.includes(SECRET), text);
}

test("proletariat: parts, and their errors", async (t) => {
  for (const redis of [URL_, { port: 1, password: SECRET }, { client: { options: { host: "127.0.0.1", port: 1, password: SECRET, lazyConnect: true } } }]) {
    for (const Part of [Client, Worker, Manager]) {
      const part = new Part({ redis });
      atEnd(t, () => (part.close ?? part.stop).call(part));
      const errors = [];
      part.on("error", (error) => errors.push(error));
      keeps(part);
      part.start?.();
      keeps(part);
      keeps(part._peer);
      assert.equal(part.options.redis, redis, "it is there all the same");
      await until(() => errors.length > 0, "it has trouble");
      errors.forEach(keepsError);
    }
  }
  for (const redis of [`redis://:${SECRET}`, `redis://localhost?password=${SECRET}`, SECRET]) {
    assert.throws(() => new Client({ redis }), (error) => (keepsError(error), true));
  }
});

test("redis-dist-job-queue: a queue, its redisConfig, and their errors", async (t) => {
  for (const redisConfig of [{ url: URL_ }, { port: 1, password: SECRET }, { port: 1, auth_pass: SECRET }, { port: 1, sentinelPassword: SECRET }]) {
    for (const childProcessCount of [0, 1]) {
      const queue = new JobQueue({ redisConfig: { ...redisConfig, timeout: 300 }, childProcessCount });
      atEnd(t, () => called((done) => queue.shutdown(done)));
      const errors = [];
      queue.on("error", (error) => errors.push(error));
      queue.registerTask("./redis-dist-job-queue/fixtures/echo");
      queue.start();
      keeps(queue);
      for (const text of [inspect(queue.redisConfig), inspect({ config: queue.redisConfig }, { depth: 5 })]) assert.ok(!text.includes(SECRET), text);
      assert.match(inspect(queue.redisConfig), /timeout: 300/);
      for (const [name, value] of Object.entries(redisConfig)) assert.equal(queue.redisConfig[name], value, "it is there all the same");
      const [error] = await called((done) => queue.submitJob("echo", {}, done));
      keepsError(error);
      await until(() => errors.length > 0, "it has trouble");
      errors.forEach(keepsError);
    }
  }
  for (const url of [`redis://:${SECRET}`, `redis://localhost?password=${SECRET}`, SECRET]) {
    assert.throws(() => new JobQueue({ redisConfig: { url } }), (error) => (keepsError(error), true));
  }
});

test("clustr-node: masters and workers, and their errors", async (t) => {
  const it = new Program(t, `
    const { inspect } = require("node:util");
    const { Master, Worker } = require(${JSON.stringify(require.resolve("../clustr-node"))});
    const client = { options: { host: "127.0.0.1", port: 1, password: ${JSON.stringify(SECRET)}, lazyConnect: true } };
    for (const config of [{ redis: ${JSON.stringify(URL_)} }, { redis: { port: 1, password: ${JSON.stringify(SECRET)} } }, { publisher: client }, { subscriber: client }]) {
      for (const part of [Master.create(config), Worker.create({ ...config, group: "web" })]) {
        const show = (value) => say("shown", inspect(value), inspect(value, { depth: 20 }), inspect({ value }, { depth: 20 }), JSON.stringify(value), String(value));
        show(part);
        part.on("error", (error) => { show(error); say("error"); });
        say("config", JSON.stringify(part.config).includes(${JSON.stringify(SECRET)}) && part.publisher === config.publisher);
      }
    }
    process.env.CLUSTR_NODE_REDIS = '{"password":"${SECRET}';
    try { Master.create(); } catch (error) { say("shown", inspect(error, { showHidden: true, depth: 20 }), error.message); say("refused", error.code); }
  `);
  assert.deepEqual(await it.prints("refused"), ["SWARM_INVALID_ARGUMENT"]);
  await it.prints("error", 8);
  const printed = it.printed.filter(([word]) => word === "shown").flat();
  for (const text of printed) assert.ok(!text.includes(SECRET), text);
  assert.ok(printed.some((text) => text.includes("group: 'web'")), "something is shown");
  assert.deepEqual(it.printed.filter(([word]) => word === "config").map(([, there]) => there), Array(8).fill(true), "it is there all the same");
  assert.ok(!it.errors.includes(SECRET));
});
