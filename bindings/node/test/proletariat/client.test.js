"use strict";
// Clients: how they come and go, and what becomes of their works when a connection does.

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { Parts, RedisServer, called, next, proletariat, until, url } = require("./support.js");

test("a client shows its host as text, finds Redis by the environment, and reports its connection", async (t) => {
  const client = new proletariat.Client("an.old.manager");
  assert.deepEqual(await next(client, "connect"), [null]);
  await client.close();
  const { hostname, port } = new URL(url);
  for (const redis of [url, { url }, { host: hostname, port: Number(port), db: 1 }]) {
    const other = new Parts(t, { host: "nowhere.invalid", redis }).client();
    assert.deepEqual(await next(other, "connect"), [null]);
  }
});

test("host is the host of Redis unless another option names it", async (t) => {
  const { hostname, port } = new URL(url);
  // The default port of Redis leads nowhere here, so that only the address shows.
  const address = (options, environment) => {
    const kept = process.env.SWARM_REDIS_URL;
    if (environment === undefined) delete process.env.SWARM_REDIS_URL;
    else process.env.SWARM_REDIS_URL = environment;
    try {
      const { cluster, options: { url: to, host, port: at } } = require("../../proletariat/address.js").addressOf(options);
      return [cluster, to ?? `${host}:${at ?? ""}`];
    } finally {
      process.env.SWARM_REDIS_URL = kept;
    }
  };
  assert.deepEqual(address({}), ["proletariat:1917", "127.0.0.1:"]);
  assert.deepEqual(address({ host: "db", port: 7 }), ["proletariat:7", "db:"]);
  assert.deepEqual(address({ host: "db" }, "redis://env"), ["proletariat:1917", "redis://env"]);
  assert.deepEqual(address({ host: "db", redis: "redis://own" }, "redis://env"), ["proletariat:1917", "redis://own"]);
  assert.deepEqual(address({ redis: { host: hostname, port } }, "redis://env"), ["proletariat:1917", `${hostname}:${port}`]);
});

test("ports keep clusters apart", async (t) => {
  const [here, there] = [new Parts(t), new Parts(t)];
  there.worker((w, handler) => handler(null, "there"));
  here.worker((w, handler) => handler(null, "here"));
  assert.deepEqual(await called((cb) => here.client().work(["x"], cb)), [null, [{ err: null, data: "here" }]]);
  assert.deepEqual(await called((cb) => there.client().work(["x"], cb)), [null, [{ err: null, data: "there" }]]);
});

test("close ends unfinished works once, and aborts them at the worker", async (t) => {
  const parts = new Parts(t);
  const client = parts.client();
  const aborted = [];
  const running = [];
  const worker = parts.worker((w) => running.push(w), { slots: 1 });
  worker.on("abort", (w) => aborted.push(w.args));
  const many = called((cb) => client.work(["runs", "waits"], { timeout: 60_000 }, cb));
  const one = called((cb) => client.work("waits too", cb));
  await until(() => running.length === 1, "one runs");
  assert.deepEqual(await called((cb) => assert.equal(client.close(cb), undefined)), [null]);
  const [error, results] = await many;
  assert.deepEqual([error, ...results.map(({ err }) => err.code)], [null, "ECLOSED", "ECLOSED"]);
  assert.equal((await one)[0].code, "ECLOSED");
  await until(() => aborted.length === 1, "it is aborted");
  assert.deepEqual([aborted, running.length], [["runs"], 1]);
  await client.close();
  assert.equal((await called((cb) => client.work("after", cb)))[0].code, "ECLOSED");
  const reported = [];
  const [, [after]] = await called((cb) => client.workIndividual(["after"], {}, (err) => reported.push(err.code), cb));
  assert.deepEqual([after.err.code, reported], ["ECLOSED", ["ECLOSED"]]);
});

test("the works of a killed client are aborted, those with keepState are not", async (t) => {
  const parts = new Parts(t);
  const aborted = [];
  const handlers = {};
  const worker = parts.worker((w, handler) => (handlers[w.args] = handler));
  worker.on("abort", (w) => aborted.push(w.args));
  const program = parts.program(`
    const client = new proletariat.Client(options);
    client.work(["given up"]);
    client.work(["kept"], { keepState: true });
    new proletariat.Client({ ...options, keepState: true }).work(["kept by the client"]);`);
  await until(() => Object.keys(handlers).length === 3, "all run");
  program.child.kill("SIGKILL");
  await until(() => aborted.length > 0, "one is aborted");
  const client = parts.client();
  await until(() => client._peer.connected, "the client is connected");
  await until(async () => (await client._peer.look()).peers.every(({ role, id }) => role !== "client" || id === client.id), "the clients are gone");
  assert.deepEqual(aborted, ["given up"]);
  assert.equal((await client._peer.master.stats()).active, 2);
  handlers.kept();
  handlers["kept by the client"]();
  await until(async () => (await client._peer.master.stats()).active === 0, "the others are done");
});

test("the works of a client that was frozen are pushed again when it thaws", async (t) => {
  const parts = new Parts(t);
  const running = [];
  const aborted = [];
  const worker = parts.worker((w, handler) => running.push(handler));
  worker.on("abort", () => aborted.push(running.length));
  const program = parts.program(`
    const client = new proletariat.Client(options);
    client.on("error", () => {});
    client.on("connect", () => say("connect"));
    client.workIndividual(["x"], {}, (err, data, w) => say(err, data, w.resent), () => client.close());`);
  await until(() => running.length === 1, "it runs");
  program.child.kill("SIGSTOP");
  await until(() => aborted.length === 1, "the works of the client are aborted");
  program.child.kill("SIGCONT");
  await program.prints("connect", 2);
  await until(() => running.length === 2, "it runs again");
  for (const handler of running) handler(null, "done");
  assert.equal(await program.end(), 0, program.errors);
  assert.deepEqual(program.printed.at(-1), [null, "done", true]);
});

test("MAXRETRIES ends a client that cannot connect, and its works with it", async (t) => {
  const client = new Parts(t, { redis: "redis://127.0.0.1:1" }).client({ MAXRETRIES: 0 });
  const connect = next(client, "connect");
  const [, [result]] = await called((cb) => client.work(["x"], cb));
  assert.equal(result.err.code, "ECONNREFUSED");
  const [error] = await connect;
  assert.equal(error, result.err);
  assert.equal((await called((cb) => client.work("late", cb)))[0].code, "ECLOSED");

  const patient = new Parts(t, { redis: "redis://127.0.0.1:1" }).client({ MAXRETRIES: 1 });
  const begun = performance.now();
  assert.equal((await next(patient, "connect"))[0].code, "ECONNREFUSED");
  assert.ok(performance.now() - begun > 1500);
});

test("works pushed before Redis is there wait for it; those it forgot are pushed again", async (t) => {
  const server = await RedisServer.start(t);
  await server.kill();
  const parts = new Parts(t, { redis: server.url });
  const client = parts.client();
  let connects = 0;
  client.on("connect", (error) => {
    assert.equal(error, null);
    connects += 1;
  });
  const active = [];
  const worker = parts.worker((w, handler) => (w.args.slow ? active.push(handler) : handler(null, w.args)));
  for (const part of [client, worker]) part.on("error", () => {});
  const early = called((cb) => client.work(["early"], cb));
  await server.start();
  assert.deepEqual(await early, [null, [{ err: null, data: "early" }]]);

  const reported = [];
  const lost = called((cb) => client.workIndividual([{ slow: 1 }, "fast"], {}, (err, data, w) => reported.push([data, w.resent]), cb));
  await until(() => active.length === 1 && reported.length === 1, "one is done, the other runs");
  await server.kill();
  const meanwhile = called((cb) => client.work("meanwhile", cb));
  await server.start();
  await until(() => active.length > 1, "the forgotten one runs again");
  for (const handler of active) handler(null, "in the end");
  assert.deepEqual(await lost, [null, [{ err: null, data: "in the end" }, { err: null, data: "fast" }]]);
  assert.deepEqual(reported, [["fast", undefined], ["in the end", true]]);
  assert.deepEqual(await meanwhile, [null, "meanwhile"]);
  assert.ok(connects >= 2);
});

test("trouble that does not mend is an error event or a warning, and works wait", async (t) => {
  const server = await RedisServer.start(t, "--requirepass", "secret");
  const parts = new Parts(t, { redis: server.url });
  const client = parts.client();
  const [error] = await next(client, "error");
  assert.equal(error.code, "SWARM_AUTH_FAILED");
  assert.equal((await called((cb) => client.work("x", { timeout: 100 }, cb)))[0].code, "ECSTO");
  assert.throws(() => new proletariat.Client({ redis: "http://x" }), { code: "SWARM_INVALID_ARGUMENT" });
});

test("an idle client keeps its process until it is closed, even without Redis", async (t) => {
  const parts = new Parts(t, { redis: "redis://127.0.0.1:1" });
  const program = parts.program(`
    const client = new proletariat.Client(options);
    process.stdin.once("data", () => { process.stdin.destroy(); client.close(() => say("closed")); });
    say("waits");`);
  await program.prints("waits");
  program.child.stdin.write("go\n");
  assert.equal(await program.end(), 0, program.errors);
  assert.deepEqual(program.printed, [["waits"], ["closed"]]);
});
