"use strict";
// Programs that end when a member asks them to.

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { Worker: Thread } = require("node:worker_threads");
const { Cluster, Program, until, url } = require("./support.js");

/** A program with a member `bob` that receives once it prints so. */
async function bob(t, cluster, type, options, more = "") {
  const it = new Program(t, `
    const bob = assemblage.create${type}(args[0], { url, name: "bob", lease: 60000 });
    process.on("exit", (code) => say("exit", code));
    bob.exitOnKill(${options});
    bob.on("error", (error) => say("error", error.message));
    bob.ready().then(() => {
      say("receives");
      ${more}
    });
    setInterval(() => {}, 1000);
  `, { args: [cluster.name] });
  await it.prints("receives");
  return it;
}

test("a program agrees, leaves and ends with the code", async (t) => {
  for (const type of ["Worker", "Master"]) {
    const cluster = new Cluster(t);
    const master = cluster.master();
    const it = await bob(t, cluster, type, `{ onKill: async (code, from) => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      say("asked", code, from.name);
    } }`);
    assert.equal((await master.kill({ name: "bob" }, 3)).recipients.length, 1);
    assert.equal(await it.end(), 3);
    assert.deepEqual(it.printed.slice(1), [["asked", 3, ""], ["exit", 3]]);
    assert.equal((await master.members()).length, 1, "long before its lease ends");
  }
});

test("without a callback it ends at once; what onKill throws is a warning", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const quiet = await bob(t, cluster, "Worker", "");
  await master.kill({ name: "bob" });
  assert.equal(await quiet.end(), 0);

  const thrower = await bob(t, cluster, "Worker", `{ onKill() { throw new Error("no"); } }`);
  await master.kill({ name: "bob" }, 5);
  assert.equal(await thrower.end(), 5);
  assert.match(thrower.errors, /Error: no/);
});

test("the grace bounds it, even if the event loop is busy", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const stubborn = await bob(t, cluster, "Worker", "{ grace: 200, onKill: () => new Promise(() => {}) }");
  await master.kill({ name: "bob" }, 6);
  assert.equal(await stubborn.end(), 6);
  assert.deepEqual(stubborn.printed.slice(1), [], "not by its own exit");

  const busy = await bob(t, cluster, "Worker", "{ grace: 200 }", "for (;;);");
  await master.kill({ name: "bob" }, 7);
  assert.equal(await busy.end(), 7);
});

test("it is for the main thread, and its options have bounds", async (t) => {
  const cluster = new Cluster(t);
  const worker = cluster.worker();
  for (const options of [{ grace: -1 }, { grace: 3_600_001 }, { grace: NaN }, { grace: "soon" }, { onKill: 1 }]) {
    assert.throws(() => worker.exitOnKill(options), { code: "SWARM_INVALID_ARGUMENT" }, JSON.stringify(options));
  }
  const thread = new Thread(`
    const { parentPort, workerData } = require("node:worker_threads");
    const master = require(workerData.path).createMaster("x", { url: workerData.url });
    try { master.exitOnKill(); } catch (error) { parentPort.postMessage(error.code); }
    master.close();
  `, { eval: true, workerData: { path: require.resolve(".."), url } });
  let code;
  thread.on("message", (message) => (code = message));
  await until(() => code, "the thread answers");
  assert.equal(code, "SWARM_INVALID_ARGUMENT");
});
