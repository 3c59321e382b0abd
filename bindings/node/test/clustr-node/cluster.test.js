"use strict";
// Masters and workers of real processes.

const assert = require("node:assert/strict");
const { readFileSync } = require("node:fs");
const { randomBytes } = require("node:crypto");
const path = require("node:path");
const { test } = require("node:test");
const { Program, RedisServer, until, url } = require("../support.js");
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

/** A master in a process of its own, which says what it hears, with `list` spawned. */
function master(t, list, redis = url) {
  const cluster = `test-${randomBytes(6).toString("hex")}`;
  const it = new Program(t, `
    const { Master } = require(${JSON.stringify(path.join(root, "clustr-node"))});
    const file = ${JSON.stringify(file)};
    console.log = (line) => say("log", line);
    const master = Master.create({ cluster: ${JSON.stringify(cluster)}, redis: ${JSON.stringify(redis)}, reloadDelay: 1, grace: 500, lease: 3000 });
    master.onPrivate(({ data }) => say(...data));
    master.onClusterStarted((count) => say("started", count));
    master.onClusterReloaded((count) => say("reloaded", count));
    master.on("workerRegistered", (pid) => say("registered", pid));
    process.stdin.setEncoding("utf8").on("data", (text) => { for (const line of text.trim().split("\\n")) eval(line); });
    master.spawn(${list});`);
  it.tell = (line) => it.child.stdin.write(`${line}\n`);
  it.all = (word) => it.said.filter(([first]) => first === word).map(([, ...rest]) => rest);
  return it;
}

async function registered(it, count) {
  await it.hears("registered", count);
  return it.all("registered").map(([pid]) => pid);
}

test("workers register, the cluster is started, and all talk to all", async (t) => {
  const it = master(t, "[{ file }, { file, args: { private: 5, 'cluster-option': 'foo', flag: true } }]");
  assert.deepEqual(await it.hears("started"), [2]);
  const pids = await registered(it, 2);
  assert.deepEqual(it.all("log").map(([line]) => line).sort(), pids.map((pid) => `line of ${pid}`).sort());
  it.tell(`master.emitPrivate(${pids[0]}, { n: [1, "ä"] }); master.emitPrivate("${pids[1]}", "who")`);
  const meta = { pid: it.child.pid, group: "master" };
  assert.deepEqual(await it.hears("heard"), [pids[0], meta, { n: [1, "ä"] }]);
  const [, info] = await it.hears("info");
  assert.deepEqual([info.meta, info.data.web.sort()], [meta, [...pids].sort()]);
  it.tell(`master.emitPublic(0); master.emitGroup("web", false); master.emitGroup("nobody", 1)`);
  await it.hears("group", 2);
  assert.deepEqual(it.all("public").map(([, message]) => message), [{ meta, data: 0 }, { meta, data: 0 }]);
  assert.deepEqual(it.all("group").map(([, message]) => message), [{ meta, data: false }, { meta, data: false }]);
  it.tell(`master.emitConfirmation("up"); master.emitConfirmation("other"); master.emitConfirmation("up")`);
  await it.hears("confirmed", 2);
  it.tell(pids.map((pid) => `master.emitPrivate(${pid}, "config")`).join("; "));
  await it.hears("config", 2);
  const [[config, args]] = it.all("config").filter(([each]) => each.private);
  assert.deepEqual([config.private, config.flag, config["cluster-option"], config.group], [5, true, undefined, "web"]);
  assert.deepEqual(args, ["--private=5", "--cluster-option=foo", "--flag", `--cluster-master-pid=${it.child.pid}`]);
  it.tell(`say("stats", master.stats)`);
  const [{ emitPublic, emitPrivate, emitGroup, emitConfirmation, spawnChildProcess, onPublic }] = await it.hears("stats");
  assert.deepEqual([emitPublic, emitPrivate, emitGroup, emitConfirmation, spawnChildProcess, onPublic], [1, 4, 2, 3, 2, 1]);
});

test("a worker that crashes or is killed with a code comes back, one killed with 0 does not; the lists follow", async (t) => {
  const it = master(t, "[{ file }, { file }]");
  await it.hears("started");
  const [first, second] = await registered(it, 2);
  it.tell(`master.emitPrivate(${first}, "crash")`);
  const third = (await registered(it, 3))[2];
  it.tell(`master.emitKill(${second}, 7)`);
  assert.deepEqual(await it.hears("asked"), [second]);
  const fourth = (await registered(it, 4))[3];
  it.tell(`master.emitKill(${third})`);
  await until(() => !runs(third), "it ends");
  it.tell(`setInterval(() => say("web", master.clusterInfo.web), 20)`);
  await until(() => it.all("web").at(-1)?.[0].join() === String(fourth), "the list follows");
  assert.deepEqual([it.all("registered").length, it.all("started").length, it.all("reloaded").length], [4, 1, 0]);
});

test("SIGHUP replaces workers one after another; SIGTERM ends them all with 15", async (t) => {
  const it = master(t, "[{ file }, { file }]");
  await it.hears("started");
  const old = await registered(it, 2);
  it.child.kill("SIGHUP");
  assert.deepEqual(await it.hears("reloaded"), [2]);
  const pids = (await registered(it, 4)).slice(2);
  assert.deepEqual(old.filter(runs), []);
  const order = it.said.filter(([word]) => word === "asked" || word === "registered").slice(2).map(([word]) => word);
  assert.deepEqual(order, ["asked", "registered", "asked", "registered"]);
  it.child.kill("SIGTERM");
  assert.equal(await it.end(), 15);
  assert.deepEqual(pids.filter(runs), []);
  assert.equal(it.errors, "");
});

test("a killed master or worker takes with it what it has spawned, and a worker that never agrees", async (t) => {
  const it = master(t, "[{ file, args: { stubborn: true } }, { file }]");
  await it.hears("started");
  const pids = await registered(it, 2);
  it.tell(pids.map((pid) => `master.emitPrivate(${pid}, "spawn")`).join("; "));
  const children = () => it.all("log").map(([line]) => /^child (\d+)$/.exec(line)?.[1]).filter(Boolean).map(Number);
  await until(() => children().length === 2, "both have spawned");
  it.tell(`master.emitKill(master.pid, 4)`);
  assert.equal(await it.end(), 4);
  await until(() => ![...pids, ...children()].some(runs), "nobody is left");

  const other = master(t, "[{ file, respawn: false, args: { stubborn: true, grace: 200 } }]");
  const [stubborn] = await registered(other, 1);
  other.tell(`master.emitKill(${stubborn}, 7)`);
  await other.hears("asked");
  await until(() => !runs(stubborn), "its time is over");

  const deaf = master(t, "[{ file, respawn: false, args: { grace: 1 } }]");
  const [busy] = await registered(deaf, 1);
  deaf.tell(`master.emitPrivate(${busy}, "busy"); master.emitKill(${busy}, 7)`);
  await until(() => !runs(busy), "a worker that hears nothing");

  const hard = master(t, "[{ file }]");
  const [pid] = await registered(hard, 1);
  hard.child.kill("SIGKILL");
  await until(() => !runs(pid), "the worker of a master that was killed");
});

test("clusters on one Redis do not hear each other", async (t) => {
  const [one, other] = [master(t, "[{ file }]"), master(t, "[{ file }]")];
  await Promise.all([one.hears("started"), other.hears("started")]);
  one.tell(`master.emitPublic("x")`);
  await one.hears("public");
  other.tell(`master.emitPublic("y")`);
  assert.equal((await other.hears("public"))[1].data, "y");
  assert.deepEqual(one.all("public").length, 1);
});

test("a worker whose Redis loses everything registers again", async (t) => {
  const server = await RedisServer.start(t);
  const it = master(t, "[{ file }]", server.url);
  await it.hears("started");
  const [pid] = await registered(it, 1);
  await server.kill();
  await server.start();
  await until(() => {
    it.tell(`say("web", master.clusterInfo.web ?? null)`);
    it.tell(`master.emitPrivate(${pid}, "again")`);
    return it.all("heard").length > 0 && it.all("web").at(-1)[0]?.join() === String(pid);
  }, "it is there and hears");
  assert.ok(runs(pid));
});

test("the module for ES modules is the same", async () => {
  const { default: clustr, ...names } = await import("../../clustr-node/index.mjs");
  assert.deepEqual([clustr.Master, names.Master, names.Worker], [Master, Master, Worker]);
});

test("what is missing is said at once", async () => {
  assert.throws(() => Worker.create({}), { message: "group name is missing" });
  assert.throws(() => Worker.create(), { message: "group name is missing" });
  const { spawn } = Master.prototype;
  assert.throws(() => spawn.call({}, [{ command: "sh" }]), { message: "worker file is missing" });
});
