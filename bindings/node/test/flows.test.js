"use strict";
// Flows: jobs that wait for others.

const test = require("node:test");
const assert = require("node:assert/strict");
const { NewJob, chain, fanIn } = require("../index.js");
const { Cluster, collect, until } = require("./support.js");

test("jobs wait for others and read their results", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const jobs = collect(cluster.worker());
  const flow = fanIn([new NewJob({ n: 1 }, { id: "a" }), new NewJob(Buffer.from([0]), { id: "b" })], new NewJob(null, { id: "last" }));
  const added = await master.addFlow(flow, { id: "f" });
  assert.deepEqual([added.id, added.existed, added.jobs.map(({ id }) => id)], ["f", false, ["a", "b", "last"]]);
  assert.equal((await master.addFlow([1], { id: "f" })).existed, true);
  await until(() => jobs.length === 2, "the first jobs");
  for (const job of jobs.slice(0, 2)) {
    assert.deepEqual(await job.inputs(), {});
    await job.complete(job.payload);
  }
  await until(() => jobs.length === 3, "the last job");
  const [, , last] = jobs;
  assert.deepEqual(await last.inputs(), { a: { state: "completed", result: { n: 1 } }, b: { state: "completed", result: Buffer.from([0]) } });
  const info = await master.flow("last");
  const shown = info.jobs.map(({ id, state, after }) => [id, state, after.sort()]);
  assert.deepEqual([info.id, info.cancelRest, shown], ["f", false, [["a", "completed", []], ["b", "completed", []], ["last", "active", ["a", "b"]]]]);
  await last.complete();
  assert.equal(await master.flow("nobody"), null);
});

test("failures of dependencies", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const jobs = collect(cluster.worker());
  const [a, b] = chain([new NewJob(1, { id: "a" }), new NewJob(2, { id: "b", result: true })]);
  await master.addFlow([a, b, new NewJob(3, { id: "run", after: ["a"], onFailure: "run" }), new NewJob(4, { id: "ignore", after: ["a"], onFailure: "ignore" })]);
  await until(() => jobs.length === 1, "the first job");
  await jobs[0].failPermanently("broken");
  await assert.rejects(master.result("b"), { name: "DependencyFailedError", reason: "dependency_failed", message: /the job `a`, which it waited for, failed/ });
  await until(() => jobs.length === 3, "the others");
  const inputs = Object.fromEntries(await Promise.all(jobs.slice(1).map(async (job) => [job.id, await job.inputs()])));
  assert.deepEqual(inputs, { run: { a: { state: "failed", reason: "failed", error: "broken" } }, ignore: {} });
});

test("the rest of a flow is deleted if one job fails", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const jobs = collect(cluster.worker());
  await master.addFlow([1, new NewJob(2, { id: "b" }), new NewJob(3, { after: ["b"] })], { id: "f", cancelRest: true });
  await until(() => jobs.length > 0, "a job");
  await jobs[0].failPermanently("broken");
  await until(async () => (await master.flow("f")).jobs.filter(({ state }) => state === "deleted").length === 2, "the rest");
});

test("a job that waits for an unknown one is refused, and others are not", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const unknown = { name: "InvalidArgumentError", message: /`nobody`, which is unknown/ };
  const refused = assert.rejects(master.add(1, { after: ["nobody"] }), unknown);
  await master.add(2, { id: "a" });
  await refused;
  await master.add(3, { id: "b", after: ["a"] });
  assert.equal((await master.job("b")).state, "blocked");
  const [c, d] = [new NewJob(1, { id: "c", after: ["d"] }), new NewJob(1, { id: "d", after: ["c"] })];
  await assert.rejects(master.addFlow([c, d]), { name: "InvalidArgumentError", message: /in a cycle/ });
  await assert.rejects(master.addFlow([]), { message: /no jobs/ });
  await assert.rejects(master.add(1, { onFailure: "stop" }), { message: /onFailure is `stop`, it must be fail or run or ignore/ });
  await assert.rejects(master.add(1, { after: ["a"], unique: "s" }), { message: /exclude each other/ });
  await assert.rejects(master.addFlow([1], { cancelRest: 1 }), { message: /cancelRest/ });
  assert.equal((await master.stats()).added, 2);
});
