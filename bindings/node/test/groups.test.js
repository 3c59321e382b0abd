"use strict";
// Groups of work: all results, or each as it comes.

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { Cluster, Program, assemblage, called, collect, until } = require("./support.js");

const { NewJob } = assemblage;

test("runMany returns all outcomes in the order of the jobs", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  cluster.worker().process((job) => {
    if (job.payload === "fails") throw new Error("no luck");
    return job.payload;
  });
  const outcomes = await master.runMany([0, "fails", new NewJob(Buffer.from("b"), { id: "own" }), undefined, new NewJob("late", {
    task: "none", timeouts: { total: 40 },
  })]);
  assert.deepEqual(outcomes.map(({ position, status, value }) => [position, status, value]), [
    [0, "fulfilled", 0],
    [1, "rejected", undefined],
    [2, "fulfilled", Buffer.from("b")],
    [3, "fulfilled", {}],
    [4, "rejected", undefined],
  ]);
  assert.equal(outcomes[2].id, "own");
  assert.match(outcomes[0].id, /^[0-9a-f]{20}$/);
  assert.deepEqual([outcomes[1].reason.code, outcomes[1].reason.message], ["SWARM_JOB_FAILED", "Error: no luck"]);
  assert.equal(outcomes[4].reason.code, "SWARM_TOTAL_TIMEOUT");
  assert.deepEqual(await master.runMany([]), []);
  const [error, [outcome]] = await called((done) => master.runMany(["callback"], done));
  assert.deepEqual([error, outcome.value], [null, "callback"]);
});

test("runEach returns each outcome when its job finishes", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const jobs = collect(cluster.worker());
  const outcomes = master.runEach(["a", "b", "c"]);
  await until(() => jobs.length === 3, "the jobs arrive");
  await jobs[2].complete("first");
  assert.deepEqual(await outcomes.next(), { done: false, value: { position: 2, id: jobs[2].id, existed: false, status: "fulfilled", value: "first" } });
  const [next, last, end] = [outcomes.next(), outcomes.next(), outcomes.next()];
  await jobs[0].fail("second");
  await master.deleteJob(jobs[1].id);
  const { value } = await next;
  assert.deepEqual([value.position, value.reason.message], [0, "second"]);
  assert.equal((await last).value.reason.code, "SWARM_JOB_DELETED");
  assert.deepEqual([await end, await outcomes.next()], Array(2).fill({ done: true, value: undefined }));
  for await (const _ of master.runEach([])) assert.fail("there is no job");
});

test("run reports for each job of a group whether its id existed", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const jobs = collect(cluster.worker());
  await master.add("first", { id: "own", result: true });
  await until(() => jobs.length === 1, "it is active");
  const many = master.runMany(["new", new NewJob("second", { id: "own" })]);
  await until(() => jobs.length === 2, "the new one is active");
  for (const job of jobs) await job.complete(job.payload);
  assert.deepEqual((await many).map(({ existed, value }) => [existed, value]), [[false, "new"], [true, "first"]]);
});

test("a group is large, and its outcomes may be left alone for a while", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  cluster.worker().process((job) => job.payload + 1);
  const outcomes = master.runEach(Array.from({ length: 3000 }, (_, n) => n));
  await until(async () => (await master.stats()).completed === 3000, "all are done");
  let count = 0;
  for await (const { position, value } of outcomes) {
    assert.equal(value, position + 1);
    count += 1;
  }
  assert.equal(count, 3000);
});

test("a wait for a group ends by its signal, its time limit or its loop; the jobs go on", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const abort = new AbortController();
  const many = master.runMany([1], { signal: abort.signal });
  const each = master.runEach([2], { signal: abort.signal });
  await until(async () => (await master.stats()).waiting === 2, "the jobs are stored");
  abort.abort();
  await assert.rejects(many, { code: "SWARM_CANCELLED" });
  await assert.rejects(each.next(), { code: "SWARM_CANCELLED" });
  assert.deepEqual(await each.next(), { done: true, value: undefined });
  await assert.rejects(master.runMany([3], { timeout: 20 }), { code: "SWARM_TIMEOUT" });
  cluster.worker().process((job) => job.payload);
  for await (const { value } of master.runEach([4, 5, 6])) {
    assert.ok([4, 5, 6].includes(value));
    break;
  }
  await until(async () => (await master.stats()).completed === 6, "all jobs run");
});

test("invalid jobs are reported, and nothing is added", async (t) => {
  const master = new Cluster(t).master();
  await assert.rejects(master.runMany([1, new NewJob(2, { retries: 999 })]), { code: "SWARM_INVALID_ARGUMENT", message: /job 1/ });
  const each = master.runEach([new NewJob(2, { id: "x".repeat(300) }), 1]);
  await assert.rejects(each.next(), { code: "SWARM_TOO_LARGE" });
  assert.throws(() => master.runEach([1n]), { code: "SWARM_INVALID_ARGUMENT" });
  assert.equal((await master.stats()).added, 0);
  const closing = master.runMany([1]);
  const refused = closing.then(([outcome]) => outcome.reason, (error) => error);
  await master.close();
  assert.equal((await refused).code, "SWARM_CLOSED");
});

test("a group is deleted with its master, unless it is to be kept", async (t) => {
  const cluster = new Cluster(t, { lease: 2000 });
  const other = cluster.master();
  const jobs = collect(cluster.worker());
  const program = new Program(t, `
    const master = assemblage.createMaster(args[0], { url, lease: 2000 });
    master.runMany(["ephemeral"]).then(() => say("finished"));
    master.runMany(["kept"], { keep: true }).then(() => say("finished"));
    master.ready().then(() => say("ready"));`, { args: [cluster.name] });
  await program.prints("ready");
  await until(() => jobs.length === 2, "both jobs are active");
  program.child.kill("SIGKILL");
  const ephemeral = jobs.find((job) => job.payload === "ephemeral");
  await until(() => ephemeral.cancelled, "the ephemeral job is deleted");
  assert.equal(ephemeral.deleteReason, "deleted");
  assert.equal((await other.stats()).active, 1);
  assert.equal(jobs.find((job) => job.payload === "kept").cancelled, false);
});
