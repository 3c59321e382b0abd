"use strict";
// Help for the tests of programs, and a sample project that uses it.

const assert = require("node:assert/strict");
const { execFile, spawn } = require("node:child_process");
const { existsSync, mkdtempSync, rmSync, writeFileSync } = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { test } = require("node:test");
const { promisify } = require("node:util");
const { ClosedError, InvalidArgumentError, Job, RetryAfter, StaleFenceError, TimeoutError, createMaster } = require("..");
const { TestJob, cluster } = require("assemblage/testing");
const { atEnd, until, url } = require("./support.js");

const HOUR = 3_600_000;
const root = path.join(__dirname, "..");

function swarmOf(t, options) {
  const swarm = cluster(options);
  atEnd(t, () => swarm.close());
  return swarm;
}

function folderOf(t) {
  const folder = mkdtempSync(path.join(os.tmpdir(), "assemblage-testing-"));
  atEnd(t, () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

test("delays and retries pass without waiting", async (t) => {
  const swarm = swarmOf(t);
  const attempts = [];
  await swarm.worker((job) => {
    attempts.push(job.attempt);
    if (job.attempt < 3) throw new RetryAfter(60_000);
  });
  const master = await swarm.master();
  await master.addJob(1, { delay: HOUR, retries: 5 });
  await swarm.settled();
  assert.deepEqual(attempts, []);
  await swarm.advance(HOUR);
  await swarm.settled();
  assert.deepEqual(attempts, [1]);
  await swarm.advance(120_000);
  await swarm.settled();
  assert.deepEqual(attempts, [1, 2, 3]);
  assert.equal((await master.stats()).completed, 1);
});

test("schedules fire at their times, and members keep their leases", async (t) => {
  const swarm = swarmOf(t);
  const slots = [];
  await swarm.worker((job) => void slots.push(job.scheduledFor));
  const master = await swarm.master();
  await master.schedule("daily", { cron: "0 3 * * *" }, 1);
  await swarm.advance(7 * 24 * HOUR);
  await swarm.settled();
  assert.equal(slots.length, 7);
  assert.ok(slots.every((slot, i) => i === 0 || slot - slots[i - 1] === 24 * HOUR));
  assert.equal(master.health().registrations, 1);
});

test("a killed worker is replaced", async (t) => {
  const swarm = swarmOf(t);
  const master = await swarm.master();
  const id = await master.addJob(7, { result: true });
  const program = `require(${JSON.stringify(root)}).createWorker(process.argv[1], process.argv[2]).on("add", (job) => console.log(job.id));`;
  const victim = spawn(process.execPath, ["-e", program, swarm.name, swarm.url], { stdio: ["ignore", "pipe", "inherit"] });
  atEnd(t, () => victim.kill("SIGKILL"));
  await new Promise((resolve) => {
    victim.stdout.once("data", resolve);
  });
  victim.kill("SIGKILL");
  await swarm.worker((job) => job.crashes);
  await swarm.advance(61_000);
  assert.equal(await master.result(id), 1);
});

test("unfinished jobs are named", async (t) => {
  const swarm = swarmOf(t);
  let release;
  await swarm.worker({ slow: () => new Promise((resolve) => {
    release = resolve;
  }) });
  const master = await swarm.master();
  await master.addJob(1, { id: "busy", task: "slow" });
  await master.addJob(1, { id: "nobody" });
  await assert.rejects(swarm.settled({ timeout: 300 }), (error) => error instanceof TimeoutError && /1 waiting .*`nobody`.*1 active .*`busy` of task `slow`/.test(error.message));
  release();
  await master.deleteJob("nobody");
  await swarm.settled();
});

test("members of the same name belong to it, and others have no clock that moves", async (t) => {
  const swarm = swarmOf(t);
  assert.match(swarm.name, /^swarm-testing-/);
  const master = createMaster(swarm.name, swarm.url);
  await master.addJob(1, { delay: HOUR });
  await swarm.advance(HOUR);
  assert.equal((await master.stats()).waiting, 1);
  await master.close();

  const other = swarmOf(t, { url, cluster: `plain-${process.pid}` });
  await other.settled();
  await assert.rejects(other.advance(HOUR), InvalidArgumentError);
  await assert.rejects(swarm.advance(0), InvalidArgumentError);
  await other.close();
  await other.close();
  await assert.rejects(other.master(), ClosedError);
});

test("a job for a handler records what it does", async () => {
  const made = new TestJob({ user: 21 }, {
    attempt: 2, crashes: 1, lastCheckpoint: 5, inputs: { a: { state: "completed", result: 3 } }, id: "j", task: "mail", headers: { trace: "t" }, retries: 3,
  });
  const { job } = made;
  assert.ok(job instanceof Job);
  assert.deepEqual([job.id, job.task, job.attempt, job.crashes, job.retriesLeft, job.headers.trace], ["j", "mail", 2, 1, 2, "t"]);
  job.progress(0.25);
  job.progress({ done: 0.5 });
  job.checkpoint([job.lastCheckpoint, job.attempt]);
  job.log("half");
  assert.equal((await job.inputs()).a.result, 3);
  assert.deepEqual([made.progress, made.checkpoints, made.log, made.finish], [[0.25, { done: 0.5 }], [[5, 2]], ["half"], undefined]);
  await job.retry("later", 60_000);
  job.log("ignored");
  assert.deepEqual([made.finish, made.log], [{ name: "retry", value: "later", after: 60_000 }, ["half"]]);
  await assert.rejects(job.complete(1), StaleFenceError);
  await assert.rejects(job.deleteJob(), ClosedError);
  assert.throws(() => new TestJob(1, { attempt: 0 }), InvalidArgumentError);
  assert.throws(() => new TestJob(1, { attempts: 1 }), InvalidArgumentError);
});

test("a job for a handler can be completed and cancelled", async () => {
  const made = new TestJob(Buffer.from("raw"));
  assert.equal(made.job.payload.toString(), "raw");
  await made.job.complete({ a: 1 });
  assert.deepEqual(made.finish, { name: "complete", value: { a: 1 } });
  const { job, ...cancelled } = new TestJob();
  let notified = 0;
  job.on("delete", () => notified++);
  assert.equal(job.signal.aborted, false);
  assert.equal(cancelled.finish, undefined);
  const other = new TestJob();
  other.job.on("delete", () => notified++);
  const { signal } = other.job;
  other.cancel();
  assert.deepEqual([notified, signal.aborted, other.job.cancelled, other.job.deleteReason], [1, true, true, "deleted"]);
});

const PROJECT = `
const { test } = require("node:test");
const assert = require("node:assert/strict");
const { RetryAfter } = require(${JSON.stringify(root)});
const { cluster } = require(${JSON.stringify(path.join(root, "testing"))});

for (let number = 1; number <= 100; number++) {
  test("mail " + number, async (t) => {
    const swarm = cluster();
    t.after(() => swarm.close());
    const sent = [];
    await swarm.worker({ mail(job) {
      if (job.attempt === 1) throw new RetryAfter(60_000);
      sent.push(job.payload);
    } });
    const master = await swarm.master();
    await master.addJob(number, { task: "mail", retries: 1, delay: 3_600_000 });
    await swarm.advance(3_600_000);
    await swarm.advance(60_000);
    await swarm.settled();
    assert.deepEqual(sent, [number]);
  });
}`;

/** Runs a program with a private server of its own. */
async function run(file, env) {
  const usual = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("SWARM_REDIS") && !name.startsWith("NODE_")));
  return promisify(execFile)(process.execPath, file, { env: { ...usual, ...env }, timeout: 120_000 }).catch((error) => error);
}

test("a project of a hundred tests", async (t) => {
  const file = path.join(folderOf(t), "project.test.js");
  writeFileSync(file, PROJECT);
  const begun = performance.now();
  const { stdout } = await run(["--test", file]);
  const took = performance.now() - begun;
  assert.match(stdout, /pass 100\b/);
  t.diagnostic(`100 tests with a cluster each took ${(took / 1000).toFixed(1)} s with the start of Node and Redis; the guide promises 5 s`);
});

test("the server ends with its process, and without one the error names what to install", async (t) => {
  const folder = folderOf(t);
  const program = `console.log(require(${JSON.stringify(path.join(root, "testing"))}).privateRedis())`;
  const { stdout } = await run(["-e", program], { TMPDIR: folder });
  assert.match(stdout, /^unix:/);
  await until(() => !existsSync(path.dirname(stdout.trim().slice("unix://".length))), "the folder of the server is removed");
  const { stderr } = await run(["-e", program], { PATH: "/nowhere" });
  assert.match(stderr, /UnavailableError: there is no `redis-server` or `valkey-server`: install Redis/);
});
