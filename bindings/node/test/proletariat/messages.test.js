"use strict";
// System messages: to whom they go, and when their callbacks are called.

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { LEASE, Parts, RedisServer, assemblage, atEnd, called, connected, knows, seen, until } = require("./support.js");

/** Two clients, a worker and a manager that know each other. */
async function company(t) {
  const parts = new Parts(t);
  const manager = parts.manager();
  const [sender, other, worker] = [parts.client(), parts.client(), parts.worker()];
  const arrived = [];
  for (const part of [sender, other, worker]) part.on("sysmsg", (...args) => arrived.push([part, ...args]));
  await knows(manager, 1, 2);
  return { parts, manager, sender, other, worker, arrived };
}

/** Resolves once what the client has sent so far is in the inboxes. */
const sent = (client) => client._peer._sending.last;

test("a message without a recipient goes to all others", async (t) => {
  const { manager, sender, other, worker, arrived } = await company(t);
  const [error, { id, ...answer }] = await called((cb) => assert.equal(sender.systemMessage({ do: "it" }, cb), undefined));
  assert.equal(error, null);
  assert.match(id, /./);
  assert.deepEqual(answer, { command: "answer", to: "sysmsg", done: true, sentTo: 2, receivedBy: 2 });
  assert.deepEqual(new Set(arrived.map(([part]) => part)), new Set([other, worker]));
  assert.ok(arrived.every(([, content, from]) => content.do === "it" && from === sender.id));
  assert.deepEqual(seen(manager, "sysmsg"), [[{ from: sender.id, content: { do: "it" } }]]);

  arrived.length = 0;
  for (const opts of [{}, null, { to: null }]) {
    assert.equal((await called((cb) => worker.systemMessage("from a worker", opts, cb)))[1].receivedBy, 2);
  }
  assert.deepEqual(new Set(arrived.map(([part]) => part)), new Set([sender, other]));
  assert.ok(arrived.every(([, , from]) => from === worker.id));
});

test("a message goes to the manager, to one part, or to none", async (t) => {
  const { manager, sender, other, worker, arrived } = await company(t);
  assert.deepEqual((({ sentTo, receivedBy }) => [sentTo, receivedBy])((await called((cb) => worker.systemMessage("m", { to: "MANAGER" }, cb)))[1]), [0, 0]);
  assert.deepEqual([seen(manager, "sysmsg").length, arrived.length], [1, 0]);
  assert.equal((await called((cb) => sender.systemMessage("w", { to: worker.id }, cb)))[1].receivedBy, 1);
  assert.equal((await called((cb) => worker.systemMessage("c", { to: other.id }, cb)))[1].receivedBy, 1);
  assert.equal((await called((cb) => sender.systemMessage("s", { to: sender.id }, cb)))[1].receivedBy, 1);
  assert.deepEqual(arrived.map(([part, content]) => [part, content]), [[worker, "w"], [other, "c"], [sender, "s"]]);
  for (const to of ["C1.none", "", 0, "\n", "x".repeat(1000)]) {
    const [error, { sentTo, receivedBy, done }] = await called((cb) => sender.systemMessage("n", { to }, cb));
    assert.deepEqual([error, sentTo, receivedBy, done], [null, 0, 0, true]);
  }
  const alone = new Parts(t).client();
  assert.equal((await called((cb) => alone.systemMessage("hello?", cb)))[1].sentTo, 0);
});

test("other members of the cluster that receive messages are no recipients", async (t) => {
  const { sender } = await company(t);
  const { cluster, options } = sender._peer;
  const member = assemblage.createMaster(cluster, options);
  atEnd(t, () => member.close());
  const others = [];
  member.on("message", ({ payload }) => others.push(payload));
  await member.ready();
  assert.equal((await called((cb) => sender.systemMessage("for the others", cb)))[1].sentTo, 2);
  await sender._peer.master.send({ member: member.incarnation }, "last", { acknowledged: 10_000 });
  assert.deepEqual(others, ["last"]);
});

test("messages keep their order, and any JSON value travels", async (t) => {
  const { sender, worker, arrived } = await company(t);
  const contents = [...Array(50).keys(), null, "", false, [1], undefined];
  for (const content of contents) sender.systemMessage(content, { to: worker.id });
  await called((cb) => sender.systemMessage("last", { to: worker.id }, cb));
  assert.deepEqual(arrived.map(([, content]) => content), [...contents.slice(0, -1), null, "last"]);
});

test("a message that cannot travel is an error", async (t) => {
  const client = new Parts(t).client();
  const circle = {};
  circle.self = circle;
  assert.match((await called((cb) => client.systemMessage(circle, cb)))[0].message, /circular/);
  assert.equal((await called((cb) => client.systemMessage("x".repeat(16 * 1024 * 1024), cb)))[0].code, "ELARGEMSG");
});

test("the callback comes when a recipient crashes before it has the message", async (t) => {
  const parts = new Parts(t);
  const client = parts.client();
  const program = parts.program(`
    const worker = new proletariat.Worker(options);
    worker.start();
    const wait = setInterval(() => worker._peer.connected && (clearInterval(wait), say("id", worker.id)), 5);`);
  const [id] = await program.prints("id");
  program.child.kill("SIGSTOP");
  const answer = called((cb) => client.systemMessage("anybody?", cb));
  await sent(client);
  program.child.kill("SIGKILL");
  const killed = performance.now();
  const [error, { sentTo, receivedBy }] = await answer;
  assert.deepEqual([error, sentTo, receivedBy], [null, 1, 0]);
  assert.ok(performance.now() - killed < LEASE + 15_000);
  assert.equal((await called((cb) => client.systemMessage("gone?", { to: id }, cb)))[1].sentTo, 0);
});

test("the callback comes soon when a recipient leaves before it has the message", async (t) => {
  const parts = new Parts(t, { lease: 60_000 });
  const [client, worker] = [parts.client(), parts.worker()];
  await until(() => worker._peer.connected, "the worker is there");
  // It is busy with other things.
  worker._peer.inbox.removeAllListeners("message");
  const answer = called((cb) => client.systemMessage("anybody?", cb));
  await sent(client);
  await worker.stop();
  const [error, { sentTo, receivedBy }] = await answer;
  assert.deepEqual([error, sentTo, receivedBy], [null, 1, 0]);
});

test("large messages arrive whole and in their order among small ones", async (t) => {
  const { manager, sender, other, worker, arrived } = await company(t);
  const large = (n) => `${n}: `.padEnd(1 << 20, "aé\u0000\"");
  const contents = ["first", large(1), "second", { large: large(2) }, [], large(3), "x".repeat(65_000), "last"];
  const answers = contents.map((content) => called((cb) => sender.systemMessage(content, cb)));
  // At the same time, to some of the same.
  const others = [large(4), "small"].map((content) => called((cb) => other.systemMessage(content, { to: worker.id }, cb)));
  for (const [error, { sentTo, receivedBy }] of await Promise.all(answers)) assert.deepEqual([error, sentTo, receivedBy], [null, 2, 2]);
  for (const [error, { sentTo, receivedBy }] of await Promise.all(others)) assert.deepEqual([error, sentTo, receivedBy], [null, 1, 1]);
  const arrivedBy = (part, id) => arrived.filter(([by, , from]) => by === part && from === id).map(([, content]) => content);
  assert.deepEqual(arrivedBy(other, sender.id), contents);
  assert.deepEqual(arrivedBy(worker, sender.id), contents);
  assert.deepEqual(seen(manager, "sysmsg").map(([{ content }]) => content), contents);
  assert.deepEqual(arrivedBy(worker, other.id), [large(4), "small"]);
  const [, { receivedBy }] = await called((cb) => sender.systemMessage("x".repeat((16 << 20) - 300), { to: worker.id }, cb));
  assert.equal(receivedBy, 1);
});

test("a message of which parts are missing is not delivered, and its sender knows", async (t) => {
  const { sender, worker, arrived } = await company(t);
  const asked = (last) => sender._peer.inbox.send({ name: worker.id }, Buffer.from(JSON.stringify(last)), { request: 10_000 });
  const replied = async (last) => (await asked(last)).replies.map(({ payload }) => payload);
  const part = (attempt, text) => sender._peer.inbox.send({ name: worker.id }, Buffer.from(`\0\0\0${String.fromCharCode(attempt)}${text}`));
  await part(1, '{"id":"1",');
  assert.deepEqual(await replied({ attempt: 1, parts: 2 }), [false]);
  await part(2, '{"id":"2",');
  await part(3, '"content":3}');
  assert.deepEqual(await replied({ attempt: 3, parts: 2 }), [false]);
  await part(4, '{"id":"4",');
  await part(4, '"content":4}');
  assert.deepEqual(await replied({ attempt: 4, parts: 2 }), [true]);
  assert.deepEqual(arrived.map(([, content]) => content), [4]);
  // Nor is anything kept of a sender that is gone.
  const receiver = worker._peer._receiver;
  await part(5, '{"id":"5",');
  await until(() => receiver.parts.size > 0, "there is a part");
  for (let n = 0; n < 3; n++) receiver.parts.look();
  assert.deepEqual([receiver.parts.size, receiver.parts.senders.size, receiver.parts.timer], [0, 0, undefined]);
});

test("messages for a member that does not read are dropped when it has too many, and count as sent", async (t) => {
  const parts = new Parts(t, { lease: 60_000 });
  const client = parts.client();
  const program = parts.program(`
    const worker = new proletariat.Worker(options);
    const arrived = [];
    worker.on("error", ({ code }) => arrived.push(code));
    worker.on("sysmsg", (content) => content === "what?" ? say("arrived", arrived) : arrived.push(content.length));
    worker.start();
    const wait = setInterval(() => worker._peer.connected && (clearInterval(wait), say("id", worker.id)), 5);`);
  const [id] = await program.prints("id");
  program.child.kill("SIGSTOP");
  const some = () => Promise.all(Array.from({ length: 1000 }, () => client._peer.inbox.send({ name: id }, null)));
  await until(async () => (await some()).some(({ dropped }) => dropped > 0), "the inbox is full");
  const large = () => called((cb) => client.systemMessage("x".repeat(1 << 20), { to: id }, cb));
  const small = (content) => called((cb) => client.systemMessage(content, { to: id }, cb));
  for (const [error, { sentTo, receivedBy }] of await Promise.all([large(), small("none")])) assert.deepEqual([error, sentTo, receivedBy], [null, 1, 0]);
  program.child.kill("SIGCONT");
  await until(async () => (await large())[1].receivedBy === 1, "the inbox has space again");
  await small("what?");
  const [arrived] = await program.prints("arrived");
  assert.deepEqual([arrived.at(-1), new Set(arrived.slice(0, -1))], [1 << 20, new Set(["SWARM_MESSAGES_DROPPED"])]);
});

test("messages keep their order and come once through an outage", async (t) => {
  const server = await RedisServer.start(t);
  const parts = new Parts(t, { redis: { url: server.url, timeout: 1000 }, lease: 60_000 });
  const [client, other] = [parts.client(), parts.client()];
  for (const part of [client, other]) part.on("error", () => {});
  const arrived = [];
  other.on("sysmsg", (content) => arrived.push(content));
  await connected(client);
  await connected(other);
  const contents = [];
  const answers = [];
  const send = () => {
    const content = `${contents.length}: `.padEnd(contents.length % 3 === 2 ? 200_000 : 10, "x");
    contents.push(content);
    answers.push(called((cb) => client.systemMessage(content, { to: other.id }, cb)));
  };
  send();
  await answers[0];
  server.process.kill("SIGSTOP");
  for (let n = 0; n < 10; n++) send();
  // Longer than any call waits for Redis, which then finds what was sent to it, and is sent again.
  await until(() => !client._peer.inbox.health().connected, "the outage is noticed");
  const end = performance.now() + 2000;
  await until(() => performance.now() > end, "some calls have failed");
  server.process.kill("SIGCONT");
  for (let n = 0; n < 10; n++) send();
  for (const [error, { receivedBy }] of await Promise.all(answers)) assert.deepEqual([error, receivedBy], [null, 1]);
  assert.deepEqual(arrived, contents);
});

test("messages from before the connection are sent, those of a closed part fail, each callback once", async (t) => {
  const server = await RedisServer.start(t);
  await server.kill();
  const parts = new Parts(t, { redis: server.url });
  const [client, other] = [parts.client(), parts.client()];
  for (const part of [client, other]) part.on("error", () => {});
  const arrived = [];
  other.on("sysmsg", (content) => arrived.push(content));
  const { Worker } = require("../../proletariat");
  const worker = new Worker(parts.options);
  worker.on("error", () => {});
  await server.start();
  await connected(client);
  await connected(other);
  const early = called((cb) => worker.systemMessage("early", { to: other.id }, cb));
  worker.start();
  assert.equal((await early)[1].receivedBy, 1);
  assert.deepEqual(arrived, ["early"]);
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
