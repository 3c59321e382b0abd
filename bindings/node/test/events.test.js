"use strict";
// What workers report of their jobs' ends, when they take jobs at all, and what is logged.

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { Cluster, Program, assemblage, atEnd, collect, until } = require("./support.js");

test("completed, failed and retrying are emitted once Redis has accepted it", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const worker = cluster.worker();
  const reported = [];
  worker.on("completed", (job, result) => reported.push(["completed", job.id, result]));
  worker.on("failed", (job, error) => reported.push(["failed", job.id, error]));
  worker.on("retrying", (job, error, delay) => reported.push(["retrying", job.id, error, delay]));
  const mistake = new RangeError("a mistake");
  worker.process((job) => {
    if (job.payload === "good") return { fine: true };
    if (job.payload === "bad") throw mistake;
    if (job.payload === "text") throw "a text";
    if (job.attempt === 1) throw mistake;
    return undefined;
  });
  await master.runMany(["good", "bad", "text", "later"].map((payload) => new assemblage.NewJob(payload, { id: payload })), { keep: true, retries: 0 });
  await master.run("later", { id: "again", retries: 1, backoff: 5 });
  await until(() => reported.length === 6, "all are reported");
  const of = (id) => reported.filter(([, each]) => each === id).map(([event, , ...what]) => [event, ...what]);
  assert.deepEqual(of("good"), [["completed", { fine: true }]]);
  assert.deepEqual(of("bad"), [["failed", mistake]]);
  assert.equal(of("bad")[0][1], mistake, "the error itself");
  const [[, text]] = of("text");
  assert.ok(text instanceof assemblage.JobFailedError);
  assert.equal(text.message, "a text");
  assert.deepEqual(of("again"), [["retrying", mistake, 5], ["completed", undefined]]);
  assert.equal(worker._outcomes.size, 0, "nothing is kept");
});

test("outcomes by hand are reported; those that were refused are not", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const worker = cluster.worker();
  const reported = [];
  for (const event of ["completed", "failed", "retrying"]) worker.on(event, (job, what) => reported.push([event, job.payload, what?.message ?? what]));
  const jobs = collect(worker);
  const ids = await master.addJobs(["complete", "failPermanently", "release", "deleted"]);
  await until(() => jobs.length === 4, "all arrive");
  await jobs[0].complete("result");
  await jobs[1].failPermanently(new Error("never"));
  await jobs[2].release();
  await master.deleteJob(ids[3]);
  await assert.rejects(jobs[3].complete("late"));
  await assert.rejects(jobs[0].complete("twice"), { code: "SWARM_STALE_FENCE" });
  assert.deepEqual(reported, [["completed", "complete", "result"], ["failed", "failPermanently", "never"]]);
  await until(() => worker._outcomes.size === 0, "nothing is kept");
});

test("the traceback is kept with a failed job, and a failure is written to stderr unless there is a logger", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const source = `
    if (args[1] === "null") assemblage.setLogger(null);
    if (args[1] === "own") assemblage.setLogger(({ level, message }) => say(level, message), { level: "warn" });
    const worker = assemblage.createWorker(args[0], { url });
    worker.process(function handleIt(job) {
      try { JSON.parse("{"); } catch (cause) { throw new TypeError("it is no JSON", { cause }); }
    });
  `;
  const loud = new Program(t, source, { args: [cluster.name] });
  await assert.rejects(master.run({}, { id: "one", retries: 1, backoff: 1, task: "" }), { message: "TypeError: it is no JSON" });
  await until(() => /job \`one\`.*no next try/.test(loud.errors), `it is written: ${loud.errors}`);
  assert.match(loud.errors, /warn.*job `one` failed at attempt 1, next try in 1 ms: TypeError: it is no JSON\n/);
  assert.match(loud.errors, /error.*job `one` failed at attempt 2, no next try: TypeError: it is no JSON\n.*\n +at handleIt.*/);
  assert.match(loud.errors, /caused by: SyntaxError/);
  const { error, traceback } = await master.job("one");
  assert.equal(error, "TypeError: it is no JSON");
  assert.match(traceback, /^TypeError: it is no JSON\n +at handleIt[^]*caused by: SyntaxError: [^]*at JSON.parse/);
  const [listed] = (await master.jobs("failed")).jobs;
  assert.equal(listed.traceback, traceback);
  loud.child.kill("SIGTERM");
  await loud.end();

  const silent = new Program(t, source, { args: [cluster.name, "null"] });
  await assert.rejects(master.run({}));
  silent.child.kill("SIGTERM");
  await silent.end();
  assert.equal(silent.errors, "");

  const own = new Program(t, source, { args: [cluster.name, "own"] });
  await assert.rejects(master.run({}));
  await until(() => own.printed.length > 0, "the logger is called");
  assert.equal(own.printed[0][0], "error");
  assert.match(own.printed[0][1], /it is no JSON/);
  assert.equal(own.errors, "");
});

test("a worker without a handler takes no jobs and logs it; a later listener or handler gets them", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const records = [];
  assemblage.setLogger((record) => records.push(record), { level: "warn" });
  atEnd(t, () => assemblage.setLogger(null));
  const worker = cluster.worker();
  await worker.ready();
  await master.addJobs([1, 2]);
  await until(() => records.length > 0, "it is logged");
  assert.match(records[0].message, /takes no jobs.*process.*add/);
  const { waiting, active } = await master.stats();
  assert.deepEqual([waiting, active], [2, 0]);
  const jobs = collect(worker);
  await until(() => jobs.length === 2, "the listener gets them");
  await worker.terminate();
  const handled = [];
  const late = cluster.worker();
  await late.ready();
  late.process((job) => void handled.push(job.payload));
  await until(() => handled.length === 2, "the handler gets them");
  assert.equal(records.length, 1);
});

test("jobs that came without a listener are reported to the next listener, once", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const worker = cluster.worker();
  const none = () => {};
  worker.on("add", none);
  await worker.ready();
  worker.off("add", none);
  const [first, gone] = await master.addJobs([1, 2]);
  await until(() => Object.keys(worker.jobs).length === 2, "they are assigned to it");
  await master.deleteJob(gone);
  await until(() => Object.keys(worker.jobs).length === 1, "one is deleted");
  const [once, all] = [[], []];
  worker.once("add", (job) => once.push(job.id));
  await until(() => once.length === 1, "it is reported");
  worker.on("add", (job) => all.push(job.payload));
  await master.addJob(3);
  await until(() => all.length > 0, "the next one");
  assert.deepEqual([once, all], [[first], [3]]);
});

test("ten handlers run at once by default, and as many as `slots` allows, and no more jobs are active", async (t) => {
  for (const [options, late, most] of [[undefined, false, 10], [undefined, true, 10], [{ slots: 3 }, false, 3], [{ slots: Infinity }, false, 25]]) {
    const cluster = new Cluster(t);
    const master = cluster.master();
    await master.addJobs(Array.from({ length: 25 }, (_, n) => n));
    const worker = cluster.worker();
    if (late) await worker.ready();
    let running = 0;
    let end;
    const released = new Promise((resolve) => (end = resolve));
    worker.process(async () => {
      running += 1;
      await released;
    }, options);
    await until(() => running === most, `${most} run`);
    assert.equal((await master.stats()).active, most, JSON.stringify(options));
    end();
    await until(async () => (await master.stats()).completed === 25, "all are done");
  }
  const cluster = new Cluster(t);
  await cluster.master().addJobs(Array.from({ length: 25 }, (_, n) => n));
  const jobs = collect(cluster.worker());
  await until(() => jobs.length === 25, "without a handler there is no limit");
});

test("run reports that a job of this id existed", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const jobs = collect(cluster.worker());
  const first = master.run("first", { id: "one" });
  await until(() => jobs.length === 1, "it is active");
  let existed = 0;
  const second = master.run("second", { id: "one", onExisted: (id) => (existed += id === "one" ? 1 : 100) });
  const made = master.run(new assemblage.NewJob("made", { id: "one" }), { onExisted: (id) => (existed += id === "one" ? 1 : 100) });
  const third = new Promise((resolve) => master.run("third", { id: "one" }, (...args) => resolve(args)));
  const fresh = new Promise((resolve) => master.run("fresh", (...args) => resolve(args)));
  await until(() => existed === 2, "it is reported while the job is active");
  await until(() => jobs.length === 2, "the fresh one");
  for (const job of jobs) await job.complete(job.payload);
  assert.deepEqual([await first, await second, await made, await third, await fresh], ["first", "first", "first", [null, "first", true], [null, "fresh", false]]);
});
