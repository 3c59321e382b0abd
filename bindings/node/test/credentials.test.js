"use strict";
// Credentials that change while members run.

const assert = require("node:assert/strict");
const { renameSync, writeFileSync } = require("node:fs");
const path = require("node:path");
const { test } = require("node:test");
const { AuthFailedError, InvalidArgumentError, createMaster } = require("..");
const { Cluster, RedisServer, command, until, url } = require("./support.js");

async function serverOf(t) {
  const server = await RedisServer.start(t);
  for (const [user, password] of [["old", "p1"], ["new", "p2"]]) await command(`ACL SETUSER ${user} on >${password} ~* +@all`, server.url);
  return server;
}

/** How many connections of a user were closed. */
async function killed(server, user) {
  return Number((await command(`CLIENT KILL USER ${user}`, server.url)).slice(1));
}

test("a function rotates the user without a lost job", async (t) => {
  const server = await serverOf(t);
  let current = { username: "old", password: "p1" };
  let asked = 0;
  const credentials = async () => {
    asked++;
    return current;
  };
  const cluster = new Cluster(t, { url: server.url, credentials, credentialsInterval: 100, lease: 3000 });
  const worker = cluster.worker();
  worker.process((job) => job.payload.n);
  const master = cluster.master();
  assert.equal(await master.run({ n: 1 }), 1);
  current = { username: "new", password: "p2" };
  const before = asked;
  await until(() => asked >= before + 4, "the function is asked again");
  assert.equal(await master.run({ n: 2 }), 2);
  assert.equal(await command("ACL DELUSER old", server.url), ":1");
  assert.ok((await killed(server, "new")) >= 2, "connections have authenticated again");
  const numbers = Array.from({ length: 100 }, (_, n) => n);
  assert.deepEqual(await Promise.all(numbers.map((n) => master.run({ n }))), numbers);
  assert.equal(worker.health().registrations, 1);
});

test("a file and its problems", async (t) => {
  const server = await serverOf(t);
  const file = path.join(server.dir, "credentials.json");
  const write = (text) => {
    writeFileSync(`${file}.new`, text);
    renameSync(`${file}.new`, file);
  };
  write(JSON.stringify({ username: "old", password: "p1" }));
  const master = new Cluster(t, { url: server.url, credentialsFile: file, credentialsInterval: 100 }).master();
  const errors = [];
  master.on("error", (error) => errors.push(error));
  await master.ready();
  write("p2");
  await until(() => errors.some((error) => error instanceof AuthFailedError && error.message.includes("credentials.json")), "the problem is an event");
  assert.equal(master.health().error, "AUTH_FAILED");
  await master.addJob(1);
  write(JSON.stringify({ username: "new", password: "p2" }));
  await until(() => master.health().error === "", "the problem has gone");
});

test("a function that fails, and options that are refused", async (t) => {
  const server = await serverOf(t);
  for (const [credentials, message] of [
    [() => { throw new Error("the vault is sealed"); }, /the vault is sealed/],
    [async () => ({ user: "x" }), /no object with the string `password`/],
  ]) {
    const master = new Cluster(t, { url: server.url, credentials }).master();
    master.on("error", () => {});
    await assert.rejects(master.ready(), (error) => error instanceof AuthFailedError && message.test(error.message));
  }
  assert.throws(() => createMaster("x", { url, credentials: "old" }), InvalidArgumentError);
  assert.throws(() => createMaster("x", { url, credentialsFile: "x", password: "p" }), InvalidArgumentError);
  assert.throws(() => createMaster("x", { url, credentialsFile: "x", credentials: () => ({ password: "p" }) }), InvalidArgumentError);
});
