"use strict";
// Whatever other members of the cluster send and publish about themselves, the parts live, and nothing of others is changed.

const assert = require("node:assert/strict");
const path = require("node:path");
const { test } = require("node:test");
const { Shapes } = require("../shapes.js");
const { Parts, assemblage, atEnd, called, until } = require("./support.js");

/** A program with a part of each kind, which reports whether it is unchanged. */
async function company(t) {
  const parts = new Parts(t);
  const program = parts.program(`
    const { polluted } = require(${JSON.stringify(path.join(__dirname, "../shapes.js"))});
    const manager = new proletariat.Manager(options);
    for (const event of ["receive", "finish", "abort", "giveup", "assigntimeout"]) manager.on(event, (w) => w.id.length + String(w.worker).length);
    manager.on("sysmsg", () => {});
    manager.start();
    const worker = new proletariat.Worker(options);
    worker.on("work", (w, handler) => handler(null, "done"));
    worker.on("sysmsg", () => {});
    worker.start();
    const client = new proletariat.Client(options);
    client.on("sysmsg", () => {});
    for (const part of [manager, worker, client]) part.on("error", (error) => say("error", error.message));
    const wait = setInterval(() => {
      if (![manager, worker, client].every((part) => part._peer.connected) || !worker._slots) return;
      clearInterval(wait);
      say("ids", manager._peer.id, worker.id, client.id, client._peer.cluster);
    }, 5);
    process.stdin.setEncoding("utf8").on("data", (text) => {
      for (const name of text.trim().split("\\n")) client.work(name, (err, data) => say(name, err, data, polluted(), Object.keys(manager.workers), Object.keys(manager.clients)));
    });`);
  const [manager, worker, client, cluster] = await program.prints("ids");
  const member = (make, options) => {
    const it = make(cluster, { url: process.env.SWARM_REDIS_URL, lease: 3000, ...options });
    atEnd(t, () => (it.type === "master" ? it.close() : it.terminate({ grace: 0 })).catch(() => {}));
    it.on("error", () => {});
    return it;
  };
  /** The program does a work all the same. */
  const lives = async (name, seed) => {
    program.child.stdin.write(`${name}\n`);
    const [err, data, polluted, workers, clients] = await program.prints(name);
    assert.deepEqual([err, data, polluted], [null, "done", []], `seed ${seed}`);
    return { workers, clients };
  };
  return { parts, program, manager, worker, client, member, lives };
}

test("jobs and messages of any shape", async (t) => {
  const { program, manager, worker, client, member, lives } = await company(t);
  const seed = Date.now() >>> 0;
  const shapes = new Shapes(seed);
  const master = member(assemblage.createMaster);
  const sender = member(assemblage.createWorker, { group: "proletariat", name: client, tasks: ["none"] });
  await Promise.all([master.ready(), sender.ready()]);
  const w = { id: "W0R1", rid: "R1", key: "k", args: { a: 1 }, timeout: 1, assigntimeout: 1, priority: 0, requester: client };
  const events = ["receive", "assign", "finish", "assigntimeout", "abort", "drop"].map((e) => ({ e, id: "W0R1", w, fence: 1, by: worker, result: { err: null, data: 1 } }));
  const reported = [
    { k: "events", from: client, list: events },
    { k: "manager", from: "C1", settings: { sacred: true, hold: true }, watching: true },
    { k: "result", id: "W0R1", text: "{}" },
  ];
  const work = { c: client, r: "R1", w: { a: 1 }, f: 1, t: 50, m: manager };
  const bytes = (value) => (shapes.below(2) === 0 ? Buffer.from(JSON.stringify(value) ?? "undefined") : value);
  const jobs = [];
  const add = (payload, options) => jobs.push(new assemblage.NewJob(payload, options));
  const named = [
    { k: "events" }, { k: "events", from: client }, { k: "events", from: client, list: {} }, { k: "events", from: client, list: [null, {}, { e: "receive" }, { e: "abort" }, { e: "finish" }] },
    { k: "events", from: "__proto__", list: [{ e: "receive", w: { id: "__proto__" } }, { e: "assign", id: "__proto__", fence: 1 }] }, { k: "result" }, { k: "manager" }, null, 5, [],
  ];
  for (const id of [manager, worker, client]) {
    for (const task of [`sys:${id}`, `events:${id}`]) {
      for (const each of named) add(bytes(each), { task });
      for (let n = 0; n < 100; n++) add(bytes(shapes.mutated(shapes.one(reported))), { task });
      for (const text of ["", "null", "{", "\u0000"]) add(Buffer.from(text), { task });
    }
  }
  for (const each of [null, 5, {}, { w: null }, { w: 1, f: 1 }, { w: "(", f: 1 }]) add(bytes(each));
  for (let n = 0; n < 100; n++) add(bytes(shapes.mutated(work)));
  await master.addMany(jobs);
  const messages = [Buffer.from("null"), Buffer.from("\0\0\0\x01null"), Buffer.from('{"attempt":1,"parts":1}'), null, { parts: 1 }];
  for (let n = 0; n < 100; n++) messages.push(bytes(shapes.mutated({ id: "x", content: { a: 1 }, attempt: 1, parts: 1 })));
  const to = [{ name: "MANAGER" }, { name: worker }, { name: client }, { group: "proletariat" }, "all"];
  await Promise.all(messages.map((message, n) => sender.send(to[n % to.length], message, n % 2 === 0 ? { request: 5000 } : undefined)));
  await until(async () => (await master.stats()).waiting === jobs.filter(({ options }) => options?.task?.startsWith("events:") && !options.task.includes(manager)).length, `all are taken; seed ${seed}`);
  await lives("after", seed);
  assert.ok(program.child.exitCode === null, `seed ${seed}: ${program.errors}`);
});

test("members of any name with any data about themselves", async (t) => {
  const { worker, client, member, lives } = await company(t);
  const seed = Date.now() >>> 0;
  const shapes = new Shapes(seed);
  const data = (id, role) => ({ id, role, settings: { sacred: true, hold: true }, process: "boot/pid/1/1" });
  for (const [name, role] of [["__proto__", "worker"], ["constructor", "client"], ["toString", "worker"]]) {
    await member(assemblage.createWorker, { group: "proletariat", name, tasks: ["none"] }).setData(data(name, role));
    await member(assemblage.createWorker, { group: "proletariat+slots", name, tasks: ["none"], slots: 5 }).ready();
  }
  for (let n = 0; n < 12; n++) {
    const name = shapes.one(["MANAGER", client, "__proto__", "x"]);
    const group = shapes.one(["proletariat", "proletariat+manager", "proletariat+slots"]);
    await member(assemblage.createWorker, { group, name, tasks: ["none"] }).setData(shapes.mutated(data(name, "worker")));
  }
  const { workers, clients } = await until(async () => {
    const found = await lives(`look${Math.random()}`, seed);
    return ["__proto__", "toString", worker].every((id) => found.workers.includes(id)) && found.clients.includes("constructor") && found;
  }, `they are shown; seed ${seed}`);
  assert.ok(!workers.includes("constructor") && clients.includes(client), `seed ${seed}`);
});

test("results of any shape, of a worker of some other program", async (t) => {
  const parts = new Parts(t);
  const client = parts.client();
  await until(() => client._peer.connected, "connected");
  const seed = Date.now() >>> 0;
  const shapes = new Shapes(seed);
  const other = assemblage.createWorker(client._peer.cluster, client._peer.options);
  atEnd(t, () => other.terminate({ grace: 0 }));
  const results = ["null", "5", "{}", '{"b":5}', '{"x":5}', '{"x":{}}', '{"x":{"message":{}}}', '{"b":{}}', "", "{"];
  for (let n = 0; n < 60; n++) results.push(JSON.stringify(shapes.mutated({ e: "x", x: { message: "m", code: "C" }, d: 1, b: 3, by: "w" })) ?? "");
  other.process((job) => {
    const text = results[JSON.parse(job.payload).w];
    return shapes.below(4) > 0 || text === "" || text === "{" ? Buffer.from(text) : JSON.parse(text);
  });
  const answered = await called((cb) => client.work(results.map((_, n) => n), { timeout: 20_000 }, cb));
  assert.equal(answered[1].length, results.length);
  assert.ok(answered[1].every(({ err }) => err?.code !== "ECSTO" && !(err instanceof SyntaxError)), `seed ${seed}`);
});
