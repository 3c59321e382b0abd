"use strict";
// Jobs that fail: how, how often, and what becomes of them.

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { called, folderOf, masterOf, queueOf, redisConfig, submit, until } = require("./support.js");

async function failing(t, params, options) {
  const queue = queueOf(t, { tasks: ["fail"] });
  queue.start();
  await submit(queue, "fail", { params, ...options });
  return queue;
}

test("an error, what is no error, a throw and a rejection fail the job", async (t) => {
  for (const [how, stack] of [
    ["error", /^Error: as asked\n.*fail\.js/s],
    ["other", /^Error: task returned non error object\n/],
    ["throw", /^Error: thrown\n.*fail\.js/s],
    ["reject", /^Error: rejected\n.*fail\.js/s],
  ]) {
    const queue = await failing(t, { how }, { resourceId: "r" });
    const [job] = await until(() => queue.reported.jobFail.length && queue.reported.jobFail, how);
    const { errorStack, ...rest } = job;
    assert.match(errorStack, stack);
    assert.deepEqual(rest, { type: "fail", resource: "r", params: { how }, retries: 0 });
    const master = masterOf(t, queue);
    assert.equal((await master.stats()).failed, 1, how);
    const { jobs: [kept] } = await master.jobs("failed");
    assert.deepEqual([kept.payload, kept.resource, kept.task, stack.test(`${kept.error}\n  fail.js`)], [{ how }, "r", "fail", true]);
    assert.deepEqual(queue.reported.error, []);
  }
});

test("a callback called twice, and a throw after it, are errors, and the first outcome stands", async (t) => {
  const twice = await failing(t, { how: "twice" });
  await until(() => twice.reported.error.length === 1 && twice.reported.jobSuccess.length === 1, "both are reported");
  assert.equal(twice.reported.error[0].message, "fail: callback called twice");
  const late = await failing(t, { how: "late" });
  await until(() => late.reported.error.length === 1 && late.reported.jobSuccess.length === 1, "both are reported");
  assert.equal(late.reported.error[0].message, "thrown late");
});

test("a failed job is retried at once, behind those that wait, and each run is reported", async (t) => {
  const queue = queueOf(t, { tasks: ["fail", "echo"], workerCount: 1 });
  const order = [];
  queue.on("jobFail", (job) => order.push(job.retries)).on("jobSuccess", (job) => order.push(job.type));
  await submit(queue, "fail", { params: { how: "throw" }, retries: "2" });
  await submit(queue, "echo");
  queue.start();
  await until(() => queue.reported.jobFail.length === 3, "all runs have failed");
  assert.deepEqual(order, [2, "echo", 1, 0]);
  assert.equal((await masterOf(t, queue).stats()).failed, 1);
});

test("retries are read as numbers were: what is none counts as 0, and there are at most 200", async (t) => {
  const queue = queueOf(t);
  for (const retries of [-1, "x", NaN, null, 1.9, "3rd", 1e6]) await submit(queue, "fail", { retries });
  const { jobs } = await masterOf(t, queue).jobs("waiting");
  assert.deepEqual(jobs.map((job) => job.retries), [0, 0, 0, 0, 1, 3, 200]);
});

test("failed jobs are run again, the oldest first, with all their retries", async (t) => {
  const queue = queueOf(t, { tasks: ["fail"], workerCount: 1 });
  for (const n of [1, 2, 3]) await submit(queue, "fail", { params: { how: "error", n }, retries: n === 2 ? 1 : 0 });
  queue.start();
  await until(() => queue.reported.jobFail.length === 4, "all have failed");
  queue.reported.jobFail.length = 0;
  const { jobs } = await masterOf(t, queue).jobs("failed");
  const oldestFirst = jobs.map((job) => job.payload.n).reverse();
  assert.deepEqual(await called((done) => assert.equal(queue.retryFailedJobs(done), undefined)), [null, 3]);
  await until(() => queue.reported.jobFail.length === 4, "all have failed again");
  const firstRuns = queue.reported.jobFail.filter((job) => job.params.n !== 2 || job.retries === 1);
  assert.deepEqual(firstRuns.map((job) => job.params.n), oldestFirst);
  queue.retryFailedJobs();
  await until(() => queue.reported.jobFail.length === 8, "without a callback too");
});

test("failed jobs are deleted, and counted", async (t) => {
  const queue = await failing(t, { how: "error" });
  await submit(queue, "fail", { params: { how: "error" } });
  await until(() => queue.reported.jobFail.length === 2, "both have failed");
  assert.deepEqual(await called((done) => assert.equal(queue.deleteFailedJobs(done), undefined)), [null, 2]);
  assert.deepEqual(await called((done) => queue.deleteFailedJobs(done)), [null, 0]);
  assert.deepEqual(await called((done) => queue.retryFailedJobs(done)), [null, 0]);
  queue.deleteFailedJobs();
  assert.equal((await masterOf(t, queue).stats()).failed, 0);
});

test("only the newest failed jobs are kept", async (t) => {
  const queue = queueOf(t, { tasks: ["fail"], redisConfig: { ...redisConfig(), failedMax: 2 }, workerCount: 1 });
  queue.start();
  for (const n of [1, 2, 3]) {
    await submit(queue, "fail", { params: { how: "error", n } });
    await until(() => queue.reported.jobFail.length === n, "it has failed");
    // Which ones are newer is known to the millisecond.
    const since = performance.now();
    await until(() => performance.now() - since > 2, "the clock has gone on");
  }
  assert.deepEqual((await masterOf(t, queue).jobs("failed")).jobs.map((job) => job.payload.n), [3, 2]);
});

test("an end that Redis does not accept is an error, and no success", async (t) => {
  const queue = queueOf(t, { tasks: ["hold"] });
  const folder = folderOf(t);
  queue.start();
  await submit(queue, "hold", { params: { n: 1, file: folder.path("begun"), until: folder.path("go") } });
  await until(() => folder.lines("begun").length === 1, "begun");
  const master = masterOf(t, queue);
  const { jobs: [{ id }] } = await master.jobs("active");
  await master.deleteJob(id);
  folder.make("go");
  await until(() => queue.reported.error.length === 1, "the error is reported");
  assert.match(queue.reported.error[0].message, /^hold: the end of job .* was not accepted: /);
  assert.match(queue.reported.error[0].code, /^SWARM_/);
  assert.deepEqual([...queue.reported.jobSuccess, ...queue.reported.jobFail], []);
});

test("scans answer, and leave jobs in progress alone", async (t) => {
  const queue = queueOf(t, { tasks: ["hold"], flushStaleTimeout: 1 });
  const folder = folderOf(t);
  queue.start();
  await submit(queue, "hold", { params: { n: 1, file: folder.path("begun"), until: folder.path("go") } });
  await until(() => folder.lines("begun").length === 1, "begun");
  for (let n = 0; n < 100; n++) {
    assert.deepEqual(await called((done) => assert.equal(queue.forceFlushStaleJobs(done), undefined)), [null]);
    assert.deepEqual(await called((done) => queue.flushStaleJobs(done)), [null]);
  }
  folder.make("go");
  await until(() => queue.reported.jobSuccess.length === 1, "done");
  assert.deepEqual([...queue.reported.error, ...queue.reported.jobFail], []);
  assert.equal(folder.lines("begun").length, 1);
});
