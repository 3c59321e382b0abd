"use strict";
// System messages: to whom they go, and when their callbacks are called.

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { Parts, RedisServer, called, connected, knows, seen, until } = require("./support.js");

/** Two clients, a worker and a manager that know each other. */
async function company(t) {
  const parts = new Parts(t);
  const manager = parts.manager();
  const [sender, other, worker] = [parts.client(), parts.client(), parts.worker()];
  const heard = [];
  for (const part of [sender, other, worker]) part.on("sysmsg", (...args) => heard.push([part, ...args]));
  await knows(manager, 1, 2);
  return { parts, manager, sender, other, worker, heard };
}

test("a message to nobody in particular goes to everybody else", async (t) => {
  const { manager, sender, other, worker, heard } = await company(t);
  const [error, { id, ...answer }] = await called((cb) => assert.equal(sender.systemMessage({ do: "it" }, cb), undefined));
  assert.equal(error, null);
  assert.match(id, /./);
  assert.deepEqual(answer, { command: "answer", to: "sysmsg", done: true, sentTo: 3, receivedBy: 3 });
  assert.deepEqual(new Set(heard.map(([part]) => part)), new Set([other, worker]));
  assert.ok(heard.every(([, content, from]) => content.do === "it" && from === sender.id));
  assert.deepEqual(seen(manager, "sysmsg"), [[{ from: sender.id, content: { do: "it" } }]]);

  heard.length = 0;
  for (const opts of [{}, null, { to: null }]) {
    assert.equal((await called((cb) => worker.systemMessage("from a worker", opts, cb)))[1].receivedBy, 3);
  }
  assert.deepEqual(new Set(heard.map(([part]) => part)), new Set([sender, other]));
  assert.ok(heard.every(([, , from]) => from === worker.id));
});

test("a message goes to the manager, to one part, or to nobody", async (t) => {
  const { manager, sender, other, worker, heard } = await company(t);
  assert.equal((await called((cb) => worker.systemMessage("m", { to: "MANAGER" }, cb)))[1].sentTo, 1);
  assert.deepEqual([seen(manager, "sysmsg").length, heard.length], [1, 0]);
  assert.equal((await called((cb) => sender.systemMessage("w", { to: worker.id }, cb)))[1].receivedBy, 1);
  assert.equal((await called((cb) => worker.systemMessage("c", { to: other.id }, cb)))[1].receivedBy, 1);
  assert.deepEqual(heard.map(([part, content]) => [part, content]), [[worker, "w"], [other, "c"]]);
  const [error, { sentTo, receivedBy, done }] = await called((cb) => sender.systemMessage("n", { to: "C1.none" }, cb));
  assert.deepEqual([error, sentTo, receivedBy, done], [null, 0, 0, true]);
  const alone = new Parts(t).client();
  assert.equal((await called((cb) => alone.systemMessage("hello?", cb)))[1].sentTo, 0);
});

test("messages keep their order, and any JSON value travels", async (t) => {
  const { sender, worker, heard } = await company(t);
  const contents = [...Array(50).keys(), null, "", false, [1], undefined];
  for (const content of contents) sender.systemMessage(content, { to: worker.id });
  await called((cb) => sender.systemMessage("last", { to: worker.id }, cb));
  assert.deepEqual(heard.map(([, content]) => content), [...contents.slice(0, -1), null, "last"]);
});

test("a message that cannot travel is an error", async (t) => {
  const client = new Parts(t).client();
  const circle = {};
  circle.self = circle;
  assert.match((await called((cb) => client.systemMessage(circle, cb)))[0].message, /circular/);
  assert.equal((await called((cb) => client.systemMessage("x".repeat(16 * 1024 * 1024), cb)))[0].code, "ELARGEMSG");
});

test("the callback comes when a recipient dies before it has the message", async (t) => {
  const parts = new Parts(t);
  const client = parts.client();
  const program = parts.program(`
    const worker = new proletariat.Worker(options);
    worker.start();
    const wait = setInterval(() => worker._peer.connected && (clearInterval(wait), say("id", worker.id)), 5);`);
  const [id] = await program.hears("id");
  program.child.kill("SIGSTOP");
  const answer = called((cb) => client.systemMessage("anybody?", cb));
  await until(() => client._peer.deliveries.pending.size === 1, "it is on its way");
  program.child.kill("SIGKILL");
  const [error, { sentTo, receivedBy }] = await answer;
  assert.deepEqual([error, sentTo, receivedBy], [null, 1, 0]);
  assert.equal((await called((cb) => client.systemMessage("gone?", { to: id }, cb)))[1].sentTo, 0);
  await until(async () => (await client._peer.master.queues()).queues.length === 0, "nothing is left of it");
});

test("messages from before the connection are sent, those of a closed part fail, each callback once", async (t) => {
  const server = await RedisServer.start(t);
  await server.kill();
  const parts = new Parts(t, { redis: server.url });
  const [client, other] = [parts.client(), parts.client()];
  for (const part of [client, other]) part.on("error", () => {});
  const heard = [];
  other.on("sysmsg", (content) => heard.push(content));
  const { Worker } = require("../../proletariat");
  const worker = new Worker(parts.options);
  worker.on("error", () => {});
  await server.start();
  await connected(client);
  await connected(other);
  const early = called((cb) => worker.systemMessage("early", { to: other.id }, cb));
  worker.start();
  assert.equal((await early)[1].receivedBy, 1);
  assert.deepEqual(heard, ["early"]);
  await worker.stop();

  let calls = 0;
  await server.kill();
  const pending = called((cb) => client.systemMessage("lost", (...args) => {
    calls += 1;
    cb(...args);
  }));
  await client.close();
  const [error] = await pending;
  assert.match(error.message, /Disconnected from server before getting the confirmation/);
  assert.equal(error.code, "ECLOSED");
  assert.equal((await called((cb) => client.systemMessage("late", cb)))[0].code, "ECLOSED");
  assert.equal(calls, 1);
});
