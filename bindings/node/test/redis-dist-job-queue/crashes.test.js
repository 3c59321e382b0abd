"use strict";
// Processes that die or stall while they perform jobs.

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { Program, atEnd } = require("../support.js");
const { called, fixture, folderOf, masterOf, queueOf, redisConfig, submit, until } = require("./support.js");

const module_ = require.resolve("../../redis-dist-job-queue");

/** A process that performs the tasks of a queue, two at once. */
function performer(t, queue, ...tasks) {
  const options = { queueId: queue.queueId, redisConfig: redisConfig(), workerCount: 2 };
  return new Program(t, `
    const queue = new (require(${JSON.stringify(module_)}))(${JSON.stringify(options)});
    for (const task of ${JSON.stringify(tasks.map(fixture))}) queue.registerTask(task);
    for (const event of ["jobSuccess", "jobFail", "error"]) queue.on(event, (value) => say(event, value.params ?? value.message));
    queue.start();
    say("started");
  `);
}

/** Has what a queue still performs at the end of a test end, because its shutdown waits for that. */
function endsAll(t, queue, folder) {
  atEnd(t, () => {
    folder.make("go");
    return until(() => !queue._performing || queue._performing.performing.size === 0, "all is performed");
  });
}

const params = (folder, n) => ({ n, file: folder.path("begun"), until: folder.path("go") });

test("a job whose process crashes is failed by another one, which reports it, and can be retried", async (t) => {
  const queue = queueOf(t, { tasks: ["hold"], workerCount: 2 });
  const folder = folderOf(t);
  const dying = performer(t, queue, "hold");
  await submit(queue, "hold", { resourceId: "r", params: params(folder, 1) });
  await submit(queue, "hold", { resourceId: "r", params: params(folder, 2) });
  await until(() => folder.lines("begun").length === 1, "begun");
  dying.child.kill("SIGKILL");
  queue.start();
  const [job] = await until(() => queue.reported.jobFail.length && queue.reported.jobFail, "the job is failed");
  assert.match(job.errorStack, /^Error: hold: timed out: a process died while performing job /);
  assert.deepEqual([job.type, job.resource, job.params.n, job.retries], ["hold", "r", 1, 0]);
  // The resource is free for the next one.
  await until(() => folder.lines("begun").length === 2, "the next job of the resource has begun");
  assert.deepEqual(await called((done) => queue.forceFlushStaleJobs(done)), [null]);
  assert.equal((await masterOf(t, queue).stats()).failed, 1);
  folder.make("go");
  assert.deepEqual(await called((done) => queue.retryFailedJobs(done)), [null, 1]);
  await until(() => queue.reported.jobSuccess.length === 2, "both are done");
  assert.deepEqual(folder.lines("begun").map(([n]) => n), [1, 2, 1]);
  assert.deepEqual([queue.reported.jobFail.length, queue.reported.error.length], [1, 0]);
});

test("each crash uses up a retry, and reports nothing until none is left", async (t) => {
  const queue = queueOf(t, { tasks: ["crash", "fail"] });
  const folder = folderOf(t);
  await submit(queue, "crash", { params: { n: 1, file: folder.path("begun") }, retries: 1 });
  for (const _ of [1, 2]) assert.equal(await performer(t, queue, "crash").end(), "SIGKILL");
  assert.deepEqual(folder.lines("begun").map(([n]) => n), [1, 1]);
  queue.start();
  await until(() => queue.reported.jobFail.length === 1, "the job is failed");
  assert.match(queue.reported.jobFail[0].errorStack, /timed out: 2 processes died/);
  assert.equal(folder.lines("begun").length, 2);
});

test("crashes and failures use up the same retries", async (t) => {
  const queue = queueOf(t, { tasks: ["hold"] });
  const folder = folderOf(t);
  await submit(queue, "hold", { params: params(folder, 1), retries: 2 });
  const dying = performer(t, queue, "hold");
  await until(() => folder.lines("begun").length === 1, "begun");
  dying.child.kill("SIGKILL");
  queue.start();
  await until(() => folder.lines("begun").length === 2, "begun again");
  folder.make("go");
  await until(() => queue.reported.jobSuccess.length === 1, "done");
  assert.deepEqual([queue.reported.jobSuccess[0].retries, queue.reported.jobFail.length], [1, 0]);

  const other = queueOf(t, { tasks: ["hold"] });
  await submit(other, "hold", { params: { ...params(folder, 2), until: folder.path("never") }, retries: 2 });
  const second = performer(t, other, "hold");
  await until(() => folder.lines("begun").length === 3, "begun");
  second.child.kill("SIGKILL");
  assert.equal(await second.end(), "SIGKILL");
  // The task cannot write its line any more, and throws.
  folder.block("begun");
  other.start();
  await until(() => other.reported.jobFail.length === 2, "failed until no retry is left");
  assert.deepEqual(other.reported.jobFail.map((job) => job.retries), [1, 0]);
});

test("a process that was stopped for longer than the lease does not report a success, and its job is another's", async (t) => {
  const queue = queueOf(t, { tasks: ["hold"] });
  const folder = folderOf(t);
  const stopped = performer(t, queue, "hold");
  await submit(queue, "hold", { params: params(folder, 1) });
  await until(() => folder.lines("begun").length === 1, "begun");
  stopped.child.kill("SIGSTOP");
  queue.start();
  await until(() => queue.reported.jobFail.length === 1, "the job is failed");
  folder.make("go");
  stopped.child.kill("SIGCONT");
  await until(() => stopped.printed.some(([event, text]) => event === "error" && /was not accepted/.test(text)), "an error reports that its job was another's");
  assert.ok(stopped.printed.some(([event, text]) => event === "error" && /Expired lock/.test(text)));
  assert.deepEqual(stopped.printed.filter(([event]) => event.startsWith("job")), []);
  // It performs jobs again.
  await called((done) => queue.shutdown(done));
  const other = queueOf(t, { queueId: queue.queueId });
  await submit(other, "hold", { params: params(folder, 2) });
  await until(() => stopped.printed.some(([event, value]) => event === "jobSuccess" && value.n === 2), "a job of its new life");
});

test("a task that keeps its process busy for longer than its timeout keeps its job", async (t) => {
  const queue = queueOf(t, { tasks: ["busy"], workerCount: 1 });
  const watching = queueOf(t, { queueId: queue.queueId, tasks: ["echo"] });
  watching.start();
  queue.start();
  await submit(queue, "busy", { params: { ms: 2500 } });
  await until(() => queue.reported.jobSuccess.length === 1, "done");
  assert.deepEqual([...queue.reported.error, ...queue.reported.jobFail, ...watching.reported.jobFail], []);
});

test("a task that takes longer than its timeout keeps its job", async (t) => {
  const queue = queueOf(t, { tasks: ["hold"] });
  const folder = folderOf(t);
  const other = queueOf(t, { queueId: queue.queueId, tasks: ["hold"] });
  queue.start();
  await submit(queue, "hold", { params: params(folder, 1) });
  await until(() => folder.lines("begun").length === 1, "begun");
  other.start();
  const master = masterOf(t, queue);
  const since = performance.now();
  await until(async () => (await master.stats()).active === 1 && performance.now() - since > 2200, "two leases are over");
  folder.make("go");
  await until(() => queue.reported.jobSuccess.length === 1, "done");
  assert.deepEqual([...queue.reported.jobFail, ...other.reported.jobFail], []);
});

test("each task has its own timeout: a short one is not delayed by a long one, a long one is not failed early", async (t) => {
  const queue = queueOf(t, { tasks: ["hold", "hold30"] });
  const folder = folderOf(t);
  endsAll(t, queue, folder);
  const dying = performer(t, queue, "hold", "hold30");
  await submit(queue, "hold", { resourceId: "r", params: params(folder, 1) });
  await submit(queue, "hold30", { resourceId: "s", params: params(folder, 2) });
  await until(() => folder.lines("begun").length === 2, "both have begun");
  const master = masterOf(t, queue);
  const leases = (await master.members()).filter(({ role }) => role === "worker").map(({ leaseLeft }) => leaseLeft).sort((a, b) => a - b);
  assert.ok(leases.length === 2 && leases[0] <= 1000 && leases[1] > 10_000 && leases[1] <= 30_000, String(leases));
  dying.child.kill("SIGKILL");
  const since = performance.now();
  queue.start();
  const [job] = await until(() => queue.reported.jobFail.length && queue.reported.jobFail, "the job is failed");
  assert.ok(performance.now() - since < 15_000, "long before the lease of the other ends");
  assert.deepEqual([job.type, job.resource], ["hold", "r"]);
  // Its resource is free, and the other one's is not.
  await submit(queue, "hold", { resourceId: "r", params: params(folder, 3) });
  await until(() => folder.lines("begun").length === 3, "the next job of the resource has begun");
  assert.deepEqual([queue.reported.jobFail.length, (await master.stats()).active], [1, 2]);
});

test("tasks with different timeouts share the places of a process; who finds none goes to another process", async (t) => {
  const queue = queueOf(t, { tasks: ["hold", "hold30", "echo"], workerCount: 2 });
  const folder = folderOf(t);
  endsAll(t, queue, folder);
  const master = masterOf(t, queue);
  queue.start();
  for (const [n, task] of ["hold", "hold30", "echo", "hold", "hold30", "echo"].entries()) {
    await submit(queue, task, { params: { ...params(folder, n), file: folder.path(task === "echo" ? "echoed" : "begun") } });
  }
  await until(() => folder.lines("begun").length === 2, "two have begun");
  // The others were requeued, and no process takes them here.
  await until(async () => (await master.stats()).active === 2, "no more are active");
  assert.equal(folder.lines("begun").length, 2);
  // Which of them began here is open: between tasks with different timeouts there is no order.
  const others = [1, 2].map(() => performer(t, queue, "hold", "hold30", "echo"));
  await until(() => folder.lines("echoed").length === 2 && folder.lines("begun").length === 4, "other processes perform them");
  const pids = folder.lines("begun").map(([, pid]) => pid);
  assert.deepEqual(pids.slice(0, 2), [process.pid, process.pid]);
  assert.ok(pids.slice(2).every((pid) => others.some(({ child }) => child.pid === pid)), pids.join());
  folder.make("go");
  await until(async () => (await master.stats()).completed === 6, "all are done");
  assert.deepEqual([...queue.reported.jobFail, ...queue.reported.error], []);
});

test("no task starves beside another of which there is always a job", async (t) => {
  const queue = queueOf(t, { tasks: ["echo", "hold"], workerCount: 1 });
  const folder = folderOf(t);
  for (let n = 0; n < 1500; n++) await submit(queue, "echo", { params: { n } });
  for (let n = 0; n < 5; n++) await submit(queue, "hold", { params: params(folder, n) });
  folder.make("go");
  queue.start();
  await until(() => queue.reported.jobSuccess.length === 1505, "all are done");
  const last = queue.reported.jobSuccess.findLastIndex(({ type }) => type === "hold");
  assert.ok(last < 1400, `the last was ${last}`);
  assert.deepEqual([...queue.reported.jobFail, ...queue.reported.error], []);
});
