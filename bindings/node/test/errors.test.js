"use strict";
// Every kind of error of the core has its class, its code, its type and its export.

const assert = require("node:assert/strict");
const { readFileSync } = require("node:fs");
const path = require("node:path");
const { test } = require("node:test");
const { errorOf } = require("../lib/errors.js");
const native = require("../lib/native.js");
const { Cluster, RedisServer, assemblage, atEnd, until } = require("./support.js");

test("each kind is a subclass of SwarmError with the core's code, in JavaScript, ESM and TypeScript", async () => {
  const types = readFileSync(path.join(__dirname, "../types/errors.d.ts"), "utf8");
  const esm = await import("../index.mjs");
  const kinds = native.kinds();
  assert.ok(kinds.length >= 30);
  for (const { number, name, retryable } of kinds) {
    const error = errorOf(number, "what happened");
    assert.ok(error instanceof assemblage.SwarmError && error instanceof Error);
    assert.equal(error.code, `SWARM_${name}`);
    assert.equal(error.retryable, retryable);
    assert.equal(error.message, "what happened");
    const className = error.constructor.name;
    assert.equal(className.toUpperCase(), `${name.replaceAll("_", "")}ERROR`);
    assert.equal(error.name, className);
    assert.equal(String(error), `${className}: what happened`);
    assert.equal(assemblage[className], error.constructor);
    assert.equal(esm[className], error.constructor);
    assert.match(types, new RegExp(`^export class ${className} extends SwarmError`, "m"));
  }
});

test("ESM exports what CommonJS does", async () => {
  const { default: whole, ...named } = await import("../index.mjs");
  assert.equal(whole, assemblage);
  assert.deepEqual(Object.keys(named).sort(), Object.keys(assemblage).sort());
});

test("the version is that of the package", () => {
  assert.equal(assemblage.version, require("../package.json").version);
});

test("no server at the address is reported as an error event, and by ready", async (t) => {
  const worker = new Cluster(t, { url: "redis://127.0.0.1:1", timeout: 300 }).worker();
  const errors = [];
  worker.on("error", (error) => errors.push(error));
  await assert.rejects(worker.ready(), { code: "SWARM_UNAVAILABLE" });
  await until(() => errors.length > 0, "the error event");
  assert.equal(errors[0].code, "SWARM_UNAVAILABLE");
  assert.equal(errors[0].retryable, true);
});

test("errors name options as they are written here", async (t) => {
  const master = new Cluster(t).master();
  for (const [options, named] of [
    [{ backoff: { delay: -1 } }, /^backoff\.delay is `-1`/],
    [{ backoff: { type: "odd" } }, /^backoff\.type is `odd`/],
    [{ backoff: 1e14 }, /^backoff\.delay is/],
    [{ backoff: { jitter: 2 } }, /^backoff\.jitter is `2`/],
    [{ timeouts: { run: 0 } }, /^timeouts\.run is 0 ms/],
    [{ resultTtl: 1 }, /^resultTtl is 1 ms/],
    [{ runAt: "soon" }, /^runAt is `soon`/],
    [{ bogus: 1 }, /^unknown job option `bogus`; the README/],
  ]) {
    await assert.rejects(master.add(1, options), (error) => error.code === "SWARM_INVALID_ARGUMENT" && named.test(error.message), JSON.stringify(options));
  }
  await assert.rejects(master.send("all", 1, { request: 0 }), { code: "SWARM_INVALID_ARGUMENT", message: /request/ });
  await assert.rejects(new Cluster(t, { maxPayload: 8 }).master().add("123456789"), { code: "SWARM_TOO_LARGE", message: /option maxPayload/ });
});

test("a wrong password is reported, and so is a policy that evicts jobs", async (t) => {
  const server = await RedisServer.start(t, "--requirepass", "secret");
  for (const [password, code] of [["wrong", "SWARM_AUTH_FAILED"], [undefined, "SWARM_AUTH_FAILED"]]) {
    const master = new Cluster(t, { url: server.url, password }).master();
    master.on("error", () => {});
    await assert.rejects(master.ready(), { code });
    await assert.rejects(master.addJob({}), { code });
  }
  await new Cluster(t, { url: `redis://:secret@127.0.0.1:${server.port}` }).master().ready();

  const evicting = await RedisServer.start(t, "--maxmemory-policy", "allkeys-lru", "--maxmemory", "100mb");
  const refused = new Cluster(t, { url: evicting.url }).master();
  refused.on("error", () => {});
  await assert.rejects(refused.ready(), { code: "SWARM_EVICTION_POLICY" });
  await new Cluster(t, { url: evicting.url, eviction: "warn" }).master().ready();
});

test("without a listener and a log a background error is a warning", async (t) => {
  assemblage.setLogger(null);
  const cluster = new Cluster(t, { url: "redis://127.0.0.1:1", timeout: 200 });
  const warnings = [];
  const warned = (warning) => warnings.push(warning);
  process.on("warning", warned);
  atEnd(t, () => process.off("warning", warned));
  const master = cluster.master();
  await Promise.all([master.addJob({}), master.deleteJob("x")].map((call) => assert.rejects(call, assemblage.SwarmError)));
  await until(() => warnings.some((warning) => warning.code === "SWARM_UNAVAILABLE"), "the warning");
});

