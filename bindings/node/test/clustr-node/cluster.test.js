"use strict";
// Masters and workers of real processes.

const assert = require("node:assert/strict");
const { readFileSync } = require("node:fs");
const { randomBytes } = require("node:crypto");
const path = require("node:path");
const { test } = require("node:test");
const { Program, RedisServer, assemblage, atEnd, until, url } = require("../support.js");
const { Shapes } = require("../shapes.js");
const { Master, Worker } = require("../../clustr-node");

const root = path.join(__dirname, "../..");
const file = path.join(__dirname, "fixtures/worker.js");

function runs(pid) {
  try {
    return !/^\d+ \(.*\) [ZX]/s.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch {
    return false;
  }
}

/** A master in a process of its own, which prints what it receives, with `list` spawned. */
function master(t, list, redis = url, cluster = `test-${randomBytes(6).toString("hex")}`) {
  const it = new Program(t, `
    const { Master } = require(${JSON.stringify(path.join(root, "clustr-node"))});
    const { polluted } = require(${JSON.stringify(path.join(root, "test/shapes.js"))});
    const file = ${JSON.stringify(file)};
    console.log = (line) => say("log", line);
    const master = Master.create({ cluster: ${JSON.stringify(cluster)}, redis: ${JSON.stringify(redis)}, reloadDelay: 1, grace: 500, lease: 3000 });
    master.onPrivate(({ data }) => Array.isArray(data) && say(...data));
    master.onClusterStarted((count) => say("started", count));
    master.onClusterReloaded((count) => say("reloaded", count));
    master.on("workerRegistered", (pid) => say("registered", pid));
    process.stdin.setEncoding("utf8").on("data", (text) => { for (const line of text.trim().split("\\n")) eval(line); });
    master.spawn(${list});`);
  it.cluster = cluster;
  it.send = (line) => it.child.stdin.write(`${line}\n`);
  it.all = (word) => it.printed.filter(([first]) => first === word).map(([, ...rest]) => rest);
  return it;
}

async function registered(it, count) {
  await it.prints("registered", count);
  return it.all("registered").map(([pid]) => pid);
}

test("workers register, the cluster is started, and all talk to all", async (t) => {
  const it = master(t, "[{ file }, { file, args: { private: 5, 'cluster-option': 'foo', flag: true } }]");
  assert.deepEqual(await it.prints("started"), [2]);
  const pids = await registered(it, 2);
  assert.deepEqual(it.all("log").map(([line]) => line).sort(), pids.map((pid) => `line of ${pid}`).sort());
  it.send(`master.emitPrivate(${pids[0]}, { n: [1, "ä"] }); master.emitPrivate("${pids[1]}", "who")`);
  const meta = { pid: it.child.pid, group: "master" };
  assert.deepEqual(await it.prints("received"), [pids[0], meta, { n: [1, "ä"] }]);
  const [, info] = await it.prints("info");
  assert.deepEqual([info.meta, info.data.web.sort()], [meta, [...pids].sort()]);
  it.send(`master.emitPublic(0); master.emitGroup("web", false); master.emitGroup("nobody", 1)`);
  await it.prints("group", 2);
  assert.deepEqual(it.all("public").map(([, message]) => message), [{ meta, data: 0 }, { meta, data: 0 }]);
  assert.deepEqual(it.all("group").map(([, message]) => message), [{ meta, data: false }, { meta, data: false }]);
  it.send(`master.emitConfirmation("up"); master.emitConfirmation("other"); master.emitConfirmation("up")`);
  await it.prints("confirmed", 2);
  it.send(pids.map((pid) => `master.emitPrivate(${pid}, "config")`).join("; "));
  await it.prints("config", 2);
  const [[config, args]] = it.all("config").filter(([each]) => each.private);
  assert.deepEqual([config.private, config.flag, config["cluster-option"], config.group], [5, true, undefined, "web"]);
  assert.deepEqual(args, ["--private=5", "--cluster-option=foo", "--flag", `--cluster-master-pid=${it.child.pid}`]);
  it.send(`say("stats", master.stats)`);
  const [{ emitPublic, emitPrivate, emitGroup, emitConfirmation, spawnChildProcess, onPublic }] = await it.prints("stats");
  assert.deepEqual([emitPublic, emitPrivate, emitGroup, emitConfirmation, spawnChildProcess, onPublic], [1, 4, 2, 3, 2, 1]);
});

/** A member of the cluster that is no process of it. */
async function stranger(t, it, options) {
  const member = assemblage.createMaster(it.cluster, { url, ...options });
  atEnd(t, () => member.close().catch(() => {}));
  member.on("message", () => {});
  await member.ready();
  return member;
}

test("whatever members send, processes live, and nothing of others is changed", async (t) => {
  const it = master(t, "[{ file }]");
  const [pid] = await registered(it, 1);
  const member = await stranger(t, it);
  const registration = { channel: "registration", meta: { pid, group: "web" }, data: null };
  const named = [{ channel: "registration" }, { channel: "registration", meta: null }, { channel: "clusterInfo" }, { channel: "confirmation", data: {} }, null, 5, "x", []];
  for (const group of ["__proto__", "constructor", ""]) named.push({ ...registration, meta: { pid: 1, group } });
  const channels = ["registration", "clusterInfo", "public", "private", "group", "confirmation", "parts", "kill", "other"];
  const messages = channels.map((channel) => ({ channel, meta: { pid, group: "web" }, data: { a: [1] }, attempt: 1, parts: 1 }));
  const seed = Date.now() >>> 0;
  const shapes = new Shapes(seed);
  const sent = [...named];
  for (let n = 0; n < 600; n++) sent.push(shapes.mutated(shapes.one(messages)));
  for (let n = 0; n < 100; n++) sent.push(Buffer.from(shapes.one(["", "\0\0\0\x01", "\0\0\0\x01null", JSON.stringify(shapes.value())])), { channel: "parts", attempt: shapes.below(3), parts: shapes.below(3) });
  const to = [{ pid: it.child.pid }, { pid }, { group: "web" }, { group: "master" }, "all"];
  await Promise.all(sent.map((message, n) => member.send(to[n % to.length], message)));
  it.send(`say("clean", polluted(), master.clusterInfo)`);
  assert.deepEqual(await it.prints("clean"), [[], { web: [pid] }], `seed ${seed}`);
  it.send(`master.emitPrivate(${pid}, ["still", "here"])`);
  await until(() => it.all("received").some(([, , data]) => data?.[0] === "still"), `the worker lives; seed ${seed}`);
  assert.equal(it.errors, "", `seed ${seed}`);
});

test("groups may have any name, and no member registers another", async (t) => {
  const it = master(t, "[{ file, args: { group: 'x' } }]");
  const [pid] = await registered(it, 1);
  const named = await stranger(t, it, { group: "__proto__" });
  const register = (group, registered) => named.send({ pid: it.child.pid }, { channel: "registration", meta: { pid: registered, group } });
  await register("other", 4711);
  await register("__proto__", 4711);
  await register("__proto__", process.pid);
  assert.deepEqual((await registered(it, 2))[1], process.pid);
  it.send(`say("info", Object.entries(master.clusterInfo), Object.getPrototypeOf(master.clusterInfo) === Object.prototype, polluted())`);
  assert.deepEqual(await it.prints("info"), [[["web", [pid]], ["__proto__", [process.pid]]], true, []]);
  await named.close();
  it.send(`setInterval(() => say("left", Object.keys(master.clusterInfo)), 20)`);
  await until(() => it.all("left").at(-1)?.[0].join() === "web", "who leaves is forgotten");
});

test("messages of any size arrive whole and in their order; one that is too large is an error", async (t) => {
  const it = master(t, "[{ file }]");
  const [pid] = await registered(it, 1);
  it.send(`for (const n of [10, 70_000, 1, 5_000_000, 2]) master.emitPrivate(${pid}, "é".repeat(n))`);
  await until(() => it.all("size").length === 5, "all have arrived");
  assert.deepEqual(it.all("size").map(([size]) => size), [10, 70_000, 1, 5_000_000, 2]);
  it.send(`master.on("error", ({ code }) => say("error", code)); master.emitPublic("x".repeat(17 << 20)); master.emitPrivate(${pid}, "xyz")`);
  assert.deepEqual(await it.prints("error"), ["SWARM_TOO_LARGE"]);
  await until(() => it.all("size").length === 6, "the next one arrives");
});

test("the defaults are in the config; a respawn is a spawn, too", async (t) => {
  const it = master(t, "[{ file }]");
  const [pid] = await registered(it, 1);
  it.send(`say("config", master.config.group, master.config.reloadDelay)`);
  assert.deepEqual(await it.prints("config"), ["master", 1]);
  it.send(`master.emitPrivate(${pid}, "crash")`);
  await registered(it, 2);
  it.send(`say("stats", master.stats.spawnChildProcess, master.stats.respawnChildProcess)`);
  assert.deepEqual(await it.prints("stats"), [2, 1]);
  const plain = new Program(t, `
    const { Master, Worker } = require(${JSON.stringify(path.join(root, "clustr-node"))});
    const given = {};
    const [none, some, zero] = [Master.create(), Master.create(given), Worker.create({ group: "w", reloadDelay: 0 })];
    say("config", none.config, some.config, zero.config, given);
    process.exit(0);`);
  const defaults = { reloadDelay: 500, group: "master" };
  assert.deepEqual(await plain.prints("config"), [defaults, defaults, { group: "w", reloadDelay: 500 }, {}]);
});

test("spawned processes meet where their spawner does, however it was set", async (t) => {
  const server = await RedisServer.start(t);
  const { port } = server;
  const it = new Program(t, `
    const { Master } = require(${JSON.stringify(path.join(root, "clustr-node"))});
    delete process.env.SWARM_REDIS_URL;
    console.log = () => {};
    const master = Master.create({ publisher: { host: "127.0.0.1", port: ${port}, selected_db: 3, options: {} }, reloadDelay: 1, grace: 500 });
    master.onClusterStarted((count) => say("started", count));
    master.spawn([{ file: ${JSON.stringify(file)} }]);`);
  assert.deepEqual(await it.prints("started"), [1]);
  for (const [name, config] of [["publisher", { publisher: {} }], ["subscriber", { subscriber: { options: {} } }]]) {
    assert.throws(() => Master.create(config), { code: "SWARM_INVALID_ARGUMENT", message: new RegExp(`\`${name}\``) });
  }
});

test("a worker that crashes or is killed with a code comes back, one killed with 0 does not; the lists follow", async (t) => {
  const it = master(t, "[{ file }, { file }]");
  await it.prints("started");
  const [first, second] = await registered(it, 2);
  it.send(`master.emitPrivate(${first}, "crash")`);
  const third = (await registered(it, 3))[2];
  it.send(`master.emitKill(${second}, 7)`);
  assert.deepEqual(await it.prints("asked"), [second]);
  const fourth = (await registered(it, 4))[3];
  it.send(`master.emitKill(${third})`);
  await until(() => !runs(third), "it ends");
  it.send(`setInterval(() => say("web", master.clusterInfo.web), 20)`);
  await until(() => it.all("web").at(-1)?.[0].join() === String(fourth), "the list follows");
  assert.deepEqual([it.all("registered").length, it.all("started").length, it.all("reloaded").length], [4, 1, 0]);
});

test("SIGHUP replaces workers one after another; SIGTERM ends them all with 15", async (t) => {
  const it = master(t, "[{ file }, { file }]");
  await it.prints("started");
  const old = await registered(it, 2);
  it.child.kill("SIGHUP");
  assert.deepEqual(await it.prints("reloaded"), [2]);
  const pids = (await registered(it, 4)).slice(2);
  assert.deepEqual(old.filter(runs), []);
  const order = it.printed.filter(([word]) => word === "asked" || word === "registered").slice(2).map(([word]) => word);
  assert.deepEqual(order, ["asked", "registered", "asked", "registered"]);
  it.child.kill("SIGTERM");
  assert.equal(await it.end(), 15);
  assert.deepEqual(pids.filter(runs), []);
  assert.equal(it.errors, "");
});

test("a killed master or worker takes with it what it has spawned, and a worker that never agrees", async (t) => {
  const it = master(t, "[{ file, args: { stubborn: true } }, { file }]");
  await it.prints("started");
  const pids = await registered(it, 2);
  it.send(pids.map((pid) => `master.emitPrivate(${pid}, "spawn")`).join("; "));
  const children = () => it.all("log").map(([line]) => /^child (\d+)$/.exec(line)?.[1]).filter(Boolean).map(Number);
  await until(() => children().length === 2, "both have spawned");
  it.send(`master.emitKill(master.pid, 4)`);
  assert.equal(await it.end(), 4);
  await until(() => ![...pids, ...children()].some(runs), "no process is left");

  const other = master(t, "[{ file, respawn: false, args: { stubborn: true, grace: 200 } }]");
  const [stubborn] = await registered(other, 1);
  other.send(`master.emitKill(${stubborn}, 7)`);
  await other.prints("asked");
  await until(() => !runs(stubborn), "its time is over");

  const third = master(t, "[{ file, respawn: false, args: { grace: 1 } }]");
  const [busy] = await registered(third, 1);
  third.send(`master.emitPrivate(${busy}, "busy"); master.emitKill(${busy}, 7)`);
  await until(() => !runs(busy), "a worker whose event loop is busy");

  const hard = master(t, "[{ file }]");
  const [pid] = await registered(hard, 1);
  hard.child.kill("SIGKILL");
  await until(() => !runs(pid), "the worker of a master that was killed");
});

test("clusters on one Redis do not receive messages of each other", async (t) => {
  const [one, other] = [master(t, "[{ file }]"), master(t, "[{ file }]")];
  await Promise.all([one.prints("started"), other.prints("started")]);
  one.send(`master.emitPublic("x")`);
  await one.prints("public");
  other.send(`master.emitPublic("y")`);
  assert.equal((await other.prints("public"))[1].data, "y");
  assert.deepEqual(one.all("public").length, 1);
});

test("a worker whose Redis loses everything registers again", async (t) => {
  const server = await RedisServer.start(t);
  const it = master(t, "[{ file }]", server.url);
  await it.prints("started");
  const [pid] = await registered(it, 1);
  await server.kill();
  await server.start();
  await until(() => {
    it.send(`say("web", master.clusterInfo.web ?? null)`);
    it.send(`master.emitPrivate(${pid}, "again")`);
    return it.all("received").length > 0 && it.all("web").at(-1)[0]?.join() === String(pid);
  }, "it is there and receives");
  assert.ok(runs(pid));
});

test("the module for ES modules is the same", async () => {
  const { default: clustr, ...names } = await import("../../clustr-node/index.mjs");
  assert.deepEqual([clustr.Master, names.Master, names.Worker], [Master, Master, Worker]);
});

test("a missing option is an error at once", async () => {
  assert.throws(() => Worker.create({}), { message: "group name is missing" });
  assert.throws(() => Worker.create(), { message: "group name is missing" });
  const { spawn } = Master.prototype;
  assert.throws(() => spawn.call({}, [{ command: "sh" }]), { message: "worker file is missing" });
});
