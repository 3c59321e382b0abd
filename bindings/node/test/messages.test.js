"use strict";
// Messages between members, confirmations, and who comes and goes.

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { test } = require("node:test");
const { Cluster, Program, RedisServer, called, command, next, until } = require("./support.js");

/** Longer than any test. */
const LONG = 3_600_000;

/** Has a member receive messages, and collects them. */
async function listen(member) {
  const messages = [];
  member.on("message", (message) => messages.push(message));
  await member.ready();
  return messages;
}

const payloads = (messages) => messages.map((message) => message.payload);
const sorted = (...members) => members.map((member) => member.incarnation).sort();

test("messages reach their recipients in order, and name their sender", async (t) => {
  const cluster = new Cluster(t);
  const [ann, bob, eve] = [cluster.worker({ name: "ann", group: "a" }), cluster.worker({ name: "bob", group: "a" }), cluster.master({ name: "eve" })];
  const unsubscribed = cluster.worker({ group: "a" });
  const [anns, bobs, eves] = await Promise.all([ann, bob, eve].map(listen));
  const master = cluster.master({ name: "sender", group: "masters" });
  await Promise.all([master.ready(), unsubscribed.ready()]);
  const to = async (...args) => (await master.send(...args)).recipients.sort();
  assert.deepEqual(await master.send({ name: "nobody" }, 0), { recipients: [], dropped: 0, replies: [], missing: [] });
  assert.deepEqual(await to("all", { to: "all", é: "\u2028\ud83d\ude00" }), sorted(ann, bob, eve));
  assert.deepEqual(await to({ group: "a" }, "group"), sorted(ann, bob));
  assert.deepEqual(await to({ name: "eve" }, Buffer.from([0, 255])), sorted(eve));
  assert.deepEqual(await to({ member: bob.incarnation }), sorted(bob));
  assert.deepEqual(await to({ pid: process.pid }, "pid"), sorted(ann, bob, eve));
  assert.deepEqual(await to({ pid: process.pid, host: "elsewhere" }, "host"), []);
  const [error, receipt] = await called((done) => ann.send({ group: "a" }, "own", { toSelf: true }, done));
  assert.deepEqual([error, receipt.recipients.sort()], [null, sorted(ann, bob)]);
  assert.deepEqual((await called((done) => bob.send({ group: "a" }, "others", done)))[1].recipients, sorted(ann));
  await until(() => anns.length === 5 && bobs.length === 5 && eves.length === 3, "all arrive");
  const all = { to: "all", é: "\u2028\ud83d\ude00" };
  assert.deepEqual(payloads(anns), [all, "group", "pid", "own", "others"]);
  assert.deepEqual(payloads(bobs), [all, "group", null, "pid", "own"]);
  assert.deepEqual(payloads(eves), [all, Buffer.from([0, 255]), "pid"]);
  assert.deepEqual([anns[0], anns[1], eves[1]].map((message) => message.payloadBytes), [Buffer.from(JSON.stringify(all)), Buffer.from('"group"'), Buffer.from([0, 255])]);
  const { host, ...from } = anns[0].from;
  assert.deepEqual(from, { incarnation: master.incarnation, name: "sender", group: "masters", pid: process.pid });
  assert.ok(host.length > 0);
  assert.equal(bobs[4].from.incarnation, ann.incarnation);

  for (let n = 0; n < 2500; n++) void master.send({ name: "ann" }, n);
  await until(() => anns.length === 2505, "all arrive");
  assert.deepEqual(payloads(anns.slice(5)), Array.from({ length: 2500 }, (_, n) => n));
  // What was sent goes before its sender leaves.
  void master.send("all", "last");
  await master.close();
  await until(() => bobs.at(-1).payload === "last", "the last one arrives");
  await assert.rejects(master.send("all", 1), { code: "SWARM_CLOSED" });
});

test("a sender gets acknowledgements, replies, and the members that did not answer in time", async (t) => {
  const cluster = new Cluster(t);
  const [ann, bob, master] = [cluster.worker({ name: "ann" }), cluster.worker({ name: "bob" }), cluster.master()];
  const [anns, bobs] = await Promise.all([ann, bob].map(listen));
  const reported = await master.send("all", 1, { acknowledged: LONG });
  assert.deepEqual(reported.replies.map(({ from, payload }) => [from.name, payload]).sort(), [["ann", undefined], ["bob", undefined]]);
  assert.deepEqual([reported.missing, anns[0].wantsReply], [[], false]);
  assert.throws(() => anns[0].reply(1), { code: "SWARM_INVALID_ARGUMENT" });

  ann.on("message", (message) => {
    if (!message.wantsReply) return;
    assert.throws(() => message.reply("x".repeat(70_000)), { code: "SWARM_TOO_LARGE" });
    assert.throws(() => message.reply(1n), { code: "SWARM_INVALID_ARGUMENT" });
    message.reply(message.payload);
    message.reply("the first counts");
  });
  for (const payload of [{ n: [1, "é"] }, Buffer.from([7, 255]), undefined]) {
    const { replies } = await master.send({ name: "ann" }, payload, { request: LONG });
    assert.deepEqual(replies.map((reply) => [reply.from.incarnation, reply.payload]), [[ann.incarnation, payload ?? null]]);
  }
  const asked = await master.send("all", "all", { request: 300 });
  assert.deepEqual([asked.recipients.sort(), asked.missing], [sorted(ann, bob), [bob.incarnation]]);
  // Later, by whoever kept it.
  const bytes = Buffer.from("bytes");
  bob.on("message", (message) => setImmediate(() => message.wantsReply && message.reply(bytes)));
  const { replies } = await master.send("all", "é", { request: LONG });
  assert.deepEqual(new Map(replies.map(({ from, payload }) => [from.name, payload])), new Map([["ann", "é"], ["bob", bytes]]));
  assert.deepEqual(bobs.map((message) => message.wantsReply), [false, true, true]);
  assert.equal(bobs[1].reply("twice"), true);
  await bob.terminate();
  assert.equal(bobs[1].reply("too late"), false);
});

test("bad arguments are refused, and nothing is sent", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  for (const [to, payload, options] of [
    [undefined], [null], ["some"], [{}], [{ group: "" }], [{ name: "a\n" }], [{ group: "a", name: "b" }], [{ pid: -1 }], [{ pid: 2 ** 32 }], [{ pid: "x" }],
    ["all", 1n], ["all", () => {}], ["all", 1, { request: 0 }], ["all", 1, { acknowledged: NaN }], ["all", 1, { request: "soon" }],
    ["all", 1, { acknowledged: Infinity }], ["all", 1, { acknowledged: 1, request: 1 }], ["all", 1, { request: -1 }], ["all", 1, { request: 366 * 86_400_000 }],
  ]) {
    await assert.rejects(master.send(to, payload, options), { code: "SWARM_INVALID_ARGUMENT" }, JSON.stringify(to));
  }
  await assert.rejects(master.send("all", Buffer.alloc(65_537)), { code: "SWARM_TOO_LARGE" });
  await assert.rejects(master.confirm(""), { code: "SWARM_INVALID_ARGUMENT" });
  for (const count of [-1, 1.5, NaN, "2"]) await assert.rejects(master.confirmations(count, "x"), { code: "SWARM_INVALID_ARGUMENT" });
  for (const value of [undefined, () => {}, 1n]) await assert.rejects(master.setData(value), { code: "SWARM_INVALID_ARGUMENT" });
  await assert.rejects(master.setData("x".repeat(4096)), { code: "SWARM_TOO_LARGE" });
});

test("a member receives from its first listener on, however and whenever it comes, through all its incarnations", async (t) => {
  const server = await RedisServer.start(t);
  const cluster = new Cluster(t, { url: server.url, lease: 1000 });
  const [master, worker] = [cluster.master(), cluster.worker({ name: "w" })];
  for (const member of [master, worker]) member.on("error", () => {});
  // Before it is started: its slots can still be set.
  const first = once(worker, "message");
  worker.process((job) => job.payload, { slots: 3 });
  const send = (payload) => until(async () => (await master.send({ name: "w" }, payload)).recipients.length === 1, "it receives");
  await send(1);
  assert.equal((await first)[0].payload, 1);
  assert.equal((await master.members()).find(({ name }) => name === "w").slots, 3);
  // Messages beside jobs, and again after all listeners were taken away.
  worker.removeAllListeners();
  worker.on("error", () => {});
  const second = new Promise((resolve) => worker.prependOnceListener("message", resolve));
  assert.equal(await master.run("job"), "job");
  await send(2);
  assert.equal((await second).payload, 2);

  const before = worker.incarnation;
  const third = next(worker, "message");
  await command("FLUSHALL", server.url);
  await until(() => worker.incarnation !== before, "it registers again");
  await send(3);
  assert.equal((await third)[0].payload, 3);
  // A master after it is ready.
  const arrivedBy = cluster.master();
  await arrivedBy.ready();
  const messages = await listen(arrivedBy);
  await worker.send("all", 4);
  await until(() => messages.length === 1, "a message of a worker arrives");
});

test("a member that subscribes amid an outage receives when it is over, and nothing waits for it", async (t) => {
  const server = await RedisServer.start(t);
  const worker = new Cluster(t, { url: server.url, timeout: 300 }).worker();
  const arrived = [];
  worker.on("error", () => {});
  await worker.ready();
  const { incarnation } = worker;
  server.process.kill("SIGSTOP");
  worker.on("message", ({ payload }) => arrived.push(payload));
  await assert.rejects(worker.send("all", 1), { code: /^SWARM_(UNAVAILABLE|OUTCOME_UNKNOWN)$/ });
  server.process.kill("SIGCONT");
  await until(async () => {
    await worker.send("all", 2, { toSelf: true }).catch(() => {});
    return arrived.includes(2);
  }, "it receives");
  assert.equal(worker.incarnation, incarnation, "its lease did not end");
});

test("members that join, leave and are lost are reported to subscribers; members publish data about themselves", async (t) => {
  const cluster = new Cluster(t);
  const changes = [];
  const watcher = cluster.master({ name: "watcher" }).on("member", (...args) => changes.push(args));
  const reported = (name) => until(() => changes.find(([, member]) => member.name === name), `${name} is reported`);
  await watcher.ready();
  // Whoever comes before it watches is not reported.
  await until(async () => {
    await cluster.master({ name: "early" }).ready();
    return changes.length > 0;
  }, "it watches");
  const worker = cluster.worker({ name: "ann", group: "g" });
  await Promise.all([reported("ann"), worker.ready()]);
  const [change, { host, ...member }] = changes.find(([, { name }]) => name === "ann");
  assert.equal(change, "joined");
  assert.deepEqual(member, { incarnation: worker.incarnation, name: "ann", group: "g", pid: process.pid, role: "worker" });
  assert.ok(host.length > 0);

  assert.deepEqual(await called((done) => worker.setData({ shard_no: [7, { a_b: null }] }, done)), [null]);
  await watcher.setData("text");
  const data = async (name) => (await watcher.members()).find((each) => each.name === name);
  assert.deepEqual((await data("ann")).data, { shard_no: [7, { a_b: null }] });
  assert.deepEqual([(await data("watcher")).data, (await data("watcher")).dropped, "data" in (await data("early"))], ["text", 0, false]);

  changes.length = 0;
  await worker.terminate();
  await reported("ann");
  assert.deepEqual(changes.map(([how, { name, role }]) => [how, name, role]), [["left", "ann", "worker"]]);
  const dying = new Program(t, `assemblage.createMaster(args[0], { url, name: "dying", lease: 1000 }).ready().then(() => say("ready"));
    process.stdin.resume();`, { args: [cluster.name] });
  await dying.prints("ready");
  dying.child.kill("SIGKILL");
  await until(() => changes.length === 3, "it is lost");
  assert.deepEqual(changes.slice(1).map(([how, { name, role, pid }]) => [how, name, role, pid]),
    ["joined", "lost"].map((how) => [how, "dying", "master", dying.child.pid]));
});

test("confirmations count distinct members", async (t) => {
  const cluster = new Cluster(t);
  const [ann, bob, master] = [cluster.worker({ name: "ann" }), cluster.worker({ name: "bob" }), cluster.master()];
  assert.deepEqual(await master.confirmations(0, "up"), []);
  let done = false;
  const confirmed = master.confirmations(2, "up").finally(() => { done = true; });
  await ann.confirm("up");
  assert.deepEqual(await called((callback) => ann.confirm("up", callback)), [null]);
  await bob.confirm("other");
  // All of it has arrived when a message after it has.
  const messages = await listen(master);
  await ann.send("all", "then");
  await bob.send("all", "then");
  await until(() => messages.length === 2, "they arrive");
  assert.equal(done, false);
  await bob.confirm("up");
  assert.deepEqual((await confirmed).map(({ name, incarnation }) => [name, incarnation]), [["ann", ann.incarnation], ["bob", bob.incarnation]]);
  const never = assert.rejects(master.confirmations(5, "never"), { code: "SWARM_CLOSED" });
  await master.close();
  await never;
});

test("each error that a listener throws is an uncaught exception, and the other messages are delivered", async (t) => {
  const cluster = new Cluster(t);
  const it = new Program(t, `
    const worker = assemblage.createWorker(args[0], { url, name: "w" });
    process.on("uncaughtException", (error) => say("uncaught", error.message));
    worker.on("message", ({ payload }) => { say("message", payload); throw new Error(payload); });
    process.stdin.on("end", () => worker.terminate()).resume();`, { args: [cluster.name] });
  const master = cluster.master();
  await until(async () => (await master.send({ name: "w" }, "0")).recipients.length === 1, "it receives");
  const { replies } = await master.send("all", "1", { acknowledged: LONG });
  assert.equal(replies.length, 1);
  await Promise.all(["2", "3"].map((payload) => master.send("all", payload)));
  await it.prints("uncaught", 4);
  it.child.stdin.end();
  assert.equal(await it.end(), 0);
  const printed = (word) => it.printed.filter(([what]) => what === word).map(([, text]) => text);
  assert.deepEqual([printed("message"), printed("uncaught")], [["0", "1", "2", "3"], ["0", "1", "2", "3"]]);
});

test("a program that does not take its messages gets an error with the number of dropped ones", async (t) => {
  const cluster = new Cluster(t);
  const it = new Program(t, `
    const { readSync } = require("node:fs");
    const worker = assemblage.createWorker(args[0], { url, name: "w" });
    let count = 0;
    worker.on("error", ({ code, message }) => say("error", code, message));
    worker.on("message", ({ payload }) => {
      if (payload === "last") say("count", count);
      if (payload !== "block") return void (count += 1);
      say("blocks");
      readSync(0, Buffer.alloc(1));
    });`, { args: [cluster.name] });
  const master = cluster.master();
  const [incarnation] = await until(async () => {
    const { recipients } = await master.send({ name: "w" }, "block");
    return recipients.length > 0 && recipients;
  }, "it receives");
  await it.prints("blocks");
  const inbox = `XLEN {${cluster.name}}:inbox:${incarnation}`;
  for (let n = 0; n < 101; n++) {
    const receipts = await Promise.all(Array.from({ length: 100 }, () => master.send({ name: "w" }, n)));
    assert.ok(receipts.every(({ recipients }) => recipients.length === 1), "its inbox is read");
    await until(async () => Number((await command(inbox)).slice(1)) <= 64, "they are read");
  }
  it.child.stdin.write("x");
  const [code, message] = await it.prints("error");
  assert.equal(code, "SWARM_MESSAGES_DROPPED");
  await master.send({ name: "w" }, "last");
  const [count] = await it.prints("count");
  assert.ok(count >= 10_000 && count < 10_100, `${count}`);
  assert.equal(message, `${10_100 - count} messages were dropped, because this program did not take them`);
});

test("listeners do not keep a master's process alive, a request does; and exits amid messages are clean", async (t) => {
  const cluster = new Cluster(t);
  const begin = "const master = assemblage.createMaster(args[0], { url, name: 'it' });";
  // In a cluster of its own: it may have registered before its process ended, and then it would be asked, too, until its lease ends.
  const idle = new Program(t, `${begin} master.on("message", () => {}).on("member", () => {});`, { args: [new Cluster(t).name] });
  assert.equal(await idle.end(), 0);
  assert.equal(idle.errors, "");

  const worker = cluster.worker();
  const questions = await listen(worker);
  const asking = new Program(t, `${begin} master.send("all", 1, { request: ${LONG} }).then(({ replies }) => say(replies[0].payload));`, { args: [cluster.name] });
  await until(() => questions.length === 1, "it asks");
  questions[0].reply("late");
  assert.equal(await asking.end(), 0);
  assert.deepEqual([asking.printed, asking.errors], [[["late"]], ""]);

  const talk = `
    const worker = assemblage.createWorker(args[0], { url });
    let count = 0;
    let closed = false;
    worker.on("message", (message) => {
      if (closed) say("after close");
      if (message.wantsReply) message.reply(1);
      if (++count === 500) end();
    });
    worker.on("close", () => { closed = true; });
    const flood = async () => {
      while ((await master.send("all", 0)).recipients.length === 0);
      for (let n = 0; n < 1000; n++) master.send("all", n, { request: 60000 }).catch((error) => error.code === "SWARM_CLOSED" || say(error.code));
    };
    flood();`;
  for (const end of ["process.exit(0)", "{ worker.terminate(); master.close(); }"]) {
    const busy = new Program(t, `${begin} const end = () => ${end}; ${talk}`, { args: [new Cluster(t).name] });
    assert.equal(await busy.end(), 0, busy.errors);
    assert.deepEqual([busy.printed, busy.errors], [[], ""]);
  }

  const threads = new Program(t, `
    const { Worker } = require("node:worker_threads");
    const thread = new Worker(\`
      const assemblage = require(\${JSON.stringify(require.resolve(${JSON.stringify(require.resolve("../index.js"))}))});
      const kept = [];
      assemblage.createWorker("\${args[0]}", { url: "\${url}", name: "thread" }).on("message", (message) => kept.push(message) === 1 &&
        require("node:worker_threads").parentPort.postMessage("receives"));\`, { eval: true });
    ${begin}
    thread.once("message", () => thread.terminate().then(() => { clearInterval(timer); master.close(); }));
    const timer = setInterval(() => { for (let n = 0; n < 10; n++) master.send({ name: "thread" }, n, { request: 1 }).catch(() => {}); }, 1);`,
  { args: [new Cluster(t).name] });
  assert.equal(await threads.end(), 0, threads.errors);
  assert.equal(threads.errors, "");
});
