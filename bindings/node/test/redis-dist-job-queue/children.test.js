"use strict";
// Child processes: what they perform and report, how they are replaced, and how they end.

const assert = require("node:assert/strict");
const { execFileSync } = require("node:child_process");
const path = require("node:path");
const { test } = require("node:test");
const { Program } = require("../support.js");
const { called, fixture, folderOf, free, masterOf, queueOf, redisConfig, submit, until } = require("./support.js");

const module_ = require.resolve("../../redis-dist-job-queue");

const params = (folder, n) => ({ n, file: folder.path("begun"), until: folder.path("go") });

/** Whether there is such a process. */
function lives(pid) {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** A process with a queue that performs `hold` in child processes. */
function parent(t, queue, source = "", task = "hold") {
  const options = { queueId: queue.queueId, redisConfig: redisConfig(), childProcessCount: 1, workerCount: 2 };
  return new Program(t, `
    const queue = new (require(${JSON.stringify(module_)}))(${JSON.stringify(options)});
    queue.registerTask(${JSON.stringify(fixture(task))});
    for (const event of ["jobSuccess", "jobFail", "error", "childRestart"]) queue.on(event, (value) => say(event, value?.params ?? value?.message));
    queue.start();
    ${source}
  `);
}

test("jobs are performed in child processes, workerCount at once in each, and reported by their parent", async (t) => {
  const queue = queueOf(t, { tasks: ["hold", "fail"], childProcessCount: 2, workerCount: 2 });
  const folder = folderOf(t);
  queue.start();
  for (let n = 0; n < 5; n++) await submit(queue, "hold", { params: params(folder, n), resourceId: `r${n}` });
  await until(() => folder.lines("begun").length === 4, "four have begun");
  const pids = folder.lines("begun").map(([, pid]) => pid);
  assert.equal(new Set(pids).size, 2);
  assert.ok(!pids.includes(process.pid));
  const { active, waiting } = await masterOf(t, queue).stats();
  assert.deepEqual([active, waiting], [4, 1]);
  folder.make("go");
  await submit(queue, "fail", { params: { how: "error" }, resourceId: "r", retries: 1 });
  await until(() => queue.reported.jobSuccess.length === 5 && queue.reported.jobFail.length === 2, "all are reported");
  assert.deepEqual(queue.reported.jobSuccess.find((job) => job.params.n === 3), { type: "hold", resource: "r3", params: params(folder, 3), retries: 0 });
  // The retry may have been another child's, whose events come on a way of their own.
  const { errorStack, ...job } = queue.reported.jobFail.find((failed) => failed.retries === 1);
  assert.match(errorStack, /^Error: as asked\n.*fail\.js/s);
  assert.deepEqual(job, { type: "fail", resource: "r", params: { how: "error" }, retries: 1 });
  assert.deepEqual(await called((done) => queue.shutdown(done)), []);
  await until(() => !pids.some(lives), "the children are gone");
  assert.deepEqual([...queue.reported.error, ...queue.reported.childRestart], []);
});

test("errors of children have the stack as their message, and the code", async (t) => {
  const queue = queueOf(t, { tasks: ["fail", "spoil", "leftover"], childProcessCount: 1 });
  queue.start();
  await submit(queue, "fail", { params: { how: "twice" } });
  await until(() => queue.reported.error.length === 2, "two errors");
  const messages = queue.reported.error.map((error) => error.message).sort();
  assert.match(messages[0], /^Error: fail: callback called twice\n.*fail\.js/s);
  assert.match(messages[1], /^Error: leftover: invalid heartbeat timeout\n/);
  // Params that the task made into what is no JSON cannot be reported; the job succeeds all the same.
  await submit(queue, "spoil", { params: {} });
  await until(() => queue.reported.error.length === 3, "it is an error");
  assert.match(queue.reported.error[2].message, /BigInt/);
  // Messages of a task's own are not the queue's.
  await submit(queue, "leftover");
  await until(() => queue.reported.jobSuccess.some((job) => job.type === "leftover"), "performed");
  assert.equal(queue.reported.error.length, 3);
  assert.equal((await masterOf(t, queue).stats()).completed, 3);
});

test("a child that crashes is replaced, and its job is failed by another", async (t) => {
  const queue = queueOf(t);
  const folder = folderOf(t);
  const children = queueOf(t, { queueId: queue.queueId, tasks: ["crash"], childProcessCount: 1 });
  children.start();
  await submit(queue, "crash", { params: { n: 1, file: folder.path("begun") } });
  await until(() => children.reported.childRestart.length === 1, "the child is replaced");
  const [job] = await until(() => children.reported.jobFail.length && children.reported.jobFail, "the job is failed");
  assert.match(job.errorStack, /timed out/);
  assert.deepEqual([job.type, job.retries, folder.lines("begun").length], ["crash", 0, 1]);
  assert.deepEqual(children.reported.childRestart, [undefined]);
});

test("in a bundle the program of children is that of the package, if it is installed", (t) => {
  const { programIn } = require("../../redis-dist-job-queue/lib/children.js");
  const program = require.resolve("../../redis-dist-job-queue/lib/child.js");
  assert.equal(programIn(path.dirname(program)), program);
  const folder = folderOf(t);
  const script = `
    const { programIn } = require(${JSON.stringify(require.resolve("../../redis-dist-job-queue/lib/children.js"))});
    try { console.log(programIn(${JSON.stringify(path.dirname(folder.path("x")))})); } catch ({ code, message }) { console.log(code, message); }`;
  const run = (cwd) => execFileSync(process.execPath, ["-e", script], { cwd, encoding: "utf8" }).trim();
  assert.equal(run(path.join(__dirname, "../..")), program);
  assert.match(run(path.dirname(folder.path("x"))), /^SWARM_INVALID_ARGUMENT .*install assemblage beside the bundle$/);
});

test("the job of a child that ends is failed at once, whatever its timeout", async (t) => {
  const queue = queueOf(t, { tasks: ["hold", "hold30"], childProcessCount: 1, workerCount: 2 });
  const folder = folderOf(t);
  queue.start();
  await submit(queue, "hold30", { resourceId: "r", params: params(folder, 1) });
  const [[, pid]] = await until(() => folder.lines("begun").length && folder.lines("begun"), "begun");
  process.kill(pid, "SIGKILL");
  const since = performance.now();
  const [job] = await until(() => queue.reported.jobFail.length && queue.reported.jobFail, "the job is failed");
  assert.ok(performance.now() - since < 15_000, "long before its lease ends");
  assert.match(job.errorStack, /timed out/);
  assert.deepEqual([job.type, job.resource, queue.reported.jobFail.length], ["hold30", "r", 1]);
});

test("messages of tasks, of any shape, are not the queue's", async (t) => {
  const queue = queueOf(t, { tasks: ["rude"], childProcessCount: 1 });
  queue.start();
  await submit(queue, "rude", { params: {} });
  await until(() => queue.reported.jobSuccess.length > 0, "performed");
  await until(() => queue.reported.error.length > 0, "an error of whatever shape");
  assert.deepEqual(Object.keys(Object.prototype), []);
});

test("a child that a signal asks to end finishes its job first, and is replaced", async (t) => {
  const queue = queueOf(t, { tasks: ["hold30", "echo"], childProcessCount: 1, workerCount: 2 });
  const folder = folderOf(t);
  const master = masterOf(t, queue);
  queue.start();
  await submit(queue, "hold30", { params: params(folder, 1) });
  const [[, pid]] = await until(() => folder.lines("begun").length && folder.lines("begun"), "begun");
  await free(master, 2);
  process.kill(pid, "SIGTERM");
  await free(master, 0);
  folder.make("go");
  await submit(queue, "echo", { params: { n: 2 } });
  await until(() => queue.reported.jobSuccess.length === 2, "both are done");
  assert.deepEqual([queue.reported.childRestart.length, queue.reported.jobFail.length], [1, 0]);
  assert.equal(folder.lines("begun").length, 1, "the first was not requeued");
});

test("children that cannot live are started ever more slowly, and reported; shutdown ends that", async (t) => {
  const queue = queueOf(t, { tasks: ["broken"], childProcessCount: 1 });
  const since = performance.now();
  queue.start();
  await until(() => queue.reported.childRestart.length === 4, "four replacements");
  assert.ok(performance.now() - since > 0 + 100 + 200 + 400, "with pauses");
  assert.match(queue.reported.error[0].message, /^Error: broken module\n.*broken\.js/s);
  assert.ok(queue.reported.error.length >= 4);
  await called((done) => queue.shutdown(done));
  assert.equal(queue.reported.childRestart.length, 4);
});

test("in this process, a task module that cannot be used is thrown by start", (t) => {
  assert.throws(() => queueOf(t, { tasks: ["broken"] }).start(), /broken module/);
  assert.throws(() => queueOf(t, { tasks: ["shapeless"] }).start(), /shapeless\.js must export an id, and a function perform/);
});

test("shutdown waits for the jobs of children, reports them, and for nothing that tasks leave behind", async (t) => {
  const queue = queueOf(t, { tasks: ["hold", "leftover"], childProcessCount: 2, workerCount: 2 });
  const other = queueOf(t, { queueId: queue.queueId });
  const folder = folderOf(t);
  const master = masterOf(t, queue);
  queue.start();
  for (const n of [1, 2]) await submit(queue, "hold", { params: params(folder, n) });
  await until(() => folder.lines("begun").length === 2, "begun");
  let closed = false;
  const end = called((done) => queue.shutdown(done)).then(() => { closed = true; });
  await submit(other, "hold", { params: params(folder, 3) });
  assert.equal(closed, false);
  folder.make("go");
  await end;
  // The third may have been taken by a child that did not know of the end yet; then it is reported, too.
  const reported = queue.reported.jobSuccess.map((job) => job.params.n).sort();
  assert.deepEqual(reported.slice(0, 2), [1, 2]);
  const { waiting, active, failed, completed } = await master.stats();
  assert.deepEqual([waiting, active, failed, completed], [3 - reported.length, 0, 0, reported.length]);
});

test("children of a parent that was killed finish their jobs and end", async (t) => {
  const queue = queueOf(t);
  const folder = folderOf(t);
  const master = masterOf(t, queue);
  // With a lease that is long, so that there is time to finish it.
  const program = parent(t, queue, "", "hold30");
  await submit(queue, "hold30", { params: params(folder, 1) });
  const [[, pid]] = await until(() => folder.lines("begun").length && folder.lines("begun"), "begun");
  program.child.kill("SIGKILL");
  await free(master, 0);
  folder.make("go");
  await submit(queue, "hold30", { params: params(folder, 2) });
  await until(() => !lives(pid), "the child is gone");
  const { completed, waiting, failed } = await master.stats();
  assert.deepEqual([completed, waiting, failed], [1, 1, 0]);
});

test("a child whose job hangs does not outlive its parent for longer than the lease", async (t) => {
  const queue = queueOf(t);
  const folder = folderOf(t);
  const program = parent(t, queue);
  await submit(queue, "hold", { params: params(folder, 1) });
  const [[, pid]] = await until(() => folder.lines("begun").length && folder.lines("begun"), "begun");
  program.child.kill("SIGKILL");
  await until(() => !lives(pid), "the child is gone");
});

test("a parent lives as long as its children, and ends after shutdown by a signal to all", async (t) => {
  const queue = queueOf(t);
  const folder = folderOf(t);
  const program = parent(t, queue, `process.on("SIGINT", () => { say("interrupted"); queue.shutdown(() => say("shut")); });`);
  await submit(queue, "hold", { params: params(folder, 1) });
  const [[, pid]] = await until(() => folder.lines("begun").length && folder.lines("begun"), "begun");
  // As from a terminal.
  process.kill(pid, "SIGINT");
  program.child.kill("SIGINT");
  await program.prints("interrupted");
  folder.make("go");
  assert.equal(await program.end(), 0);
  assert.deepEqual(program.printed.map(([event]) => event), ["interrupted", "jobSuccess", "shut"]);
  assert.ok(!lives(pid));
  assert.equal(program.errors, "");
});
