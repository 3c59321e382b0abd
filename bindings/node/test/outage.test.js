"use strict";
// What assemblage 0.1 got wrong when something failed: lost leases, lost servers, lost data, blocked programs.

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { Cluster, Program, RedisServer, called, collect, command, next, until } = require("./support.js");

const holder = `
const worker = assemblage.createWorker(args[0], { url, expireDelay: 1000 });
worker.on("ready", () => say("ready", worker.id, worker.running));
worker.on("add", (job) => { say("add", job.id, job.fence); job.once("delete", () => say("delete", job.id, job.deleteReason)); });
worker.on("close", () => say("close", worker.running, Object.keys(worker.jobs).length));
worker.on("error", (error) => say("error", error.code, error.message));
`;

test("a worker that stalled past its lease loses its jobs, reports it in order, and joins again", async (t) => {
  const cluster = new Cluster(t, { lease: 1000 });
  const master = cluster.master();
  const stalled = new Program(t, holder, { args: [cluster.name] });
  await stalled.prints("ready");
  const id = await master.addJob({ n: 1 });
  const [, fence] = await stalled.prints("add");
  const jobs = collect(cluster.worker());
  stalled.child.kill("SIGSTOP");
  await until(() => jobs.length === 1, "the job starts elsewhere");
  assert.equal(jobs[0].id, id);
  assert.ok(jobs[0].fence > fence);
  stalled.child.kill("SIGCONT");
  await stalled.prints("ready", 2);
  const reported = stalled.printed.slice(2).filter(([word]) => word !== "ready");
  assert.deepEqual(reported.slice(0, 3), [
    ["delete", id, "lease_lost"],
    ["close", false, 0],
    ["error", "SWARM_LEASE_LOST", "Expired lock, can't update"],
  ]);
  const [[first], [second, running]] = [await stalled.prints("ready"), await stalled.prints("ready", 2)];
  assert.notEqual(first, second);
  assert.equal(running, true);
  for (let n = 0; n < 2; n++) await master.addJob({ n });
  await stalled.prints("add", 2);
});

test("without rejoin the worker is closed for good, and the process may end", async (t) => {
  const cluster = new Cluster(t, { lease: 1000 });
  const source = holder.replace("expireDelay: 1000", "expireDelay: 1000, rejoin: false");
  const stalled = new Program(t, source, { args: [cluster.name] });
  await stalled.prints("ready");
  const worker = cluster.worker();
  const jobs = collect(worker);
  await cluster.master().addJobs([{ n: 1 }, { n: 2 }]);
  await stalled.prints("add");
  stalled.child.kill("SIGSTOP");
  await until(() => jobs.length === 2, "both jobs are with the other worker");
  stalled.child.kill("SIGCONT");
  assert.equal(await stalled.end(), 0);
  assert.deepEqual(stalled.printed.at(-1), ["error", "SWARM_LEASE_LOST", "Expired lock, can't update"]);
});

test("a killed worker's jobs start elsewhere within its lease and a second", async (t) => {
  const cluster = new Cluster(t, { lease: 1000 });
  const master = cluster.master();
  const victim = new Program(t, holder, { args: [cluster.name] });
  await victim.prints("ready");
  await master.addJobs(Array.from({ length: 100 }, (_, n) => ({ n })));
  await victim.prints("add", 100);
  const worker = cluster.worker();
  const jobs = collect(worker);
  await worker.ready();
  await master.close();
  const killed = performance.now();
  victim.child.kill("SIGKILL");
  await until(() => jobs.length === 100, "all jobs start elsewhere");
  const took = performance.now() - killed;
  assert.ok(took < 2500, `${took} ms`);
  assert.ok(jobs.every((job) => job.crashes === 1));
});

test("a blocked event loop loses no lease and no job", async (t) => {
  const cluster = new Cluster(t, { lease: 1000 });
  const master = cluster.master();
  const other = collect(cluster.worker({ slots: 1 }));
  const source = `
    const worker = assemblage.createWorker(args[0], { url, lease: 1000, slots: 1 });
    worker.on("error", (error) => say("error", error.code));
    worker.process(() => { say("start"); const end = performance.now() + 4000; while (performance.now() < end); return "done"; });
  `;
  const burner = new Program(t, source, { args: [cluster.name] });
  await master.addJob({ n: 0 });
  await until(() => other.length === 1, "the other worker is busy");
  const result = master.run({ n: 1 });
  await burner.prints("start");
  await other[0].complete();
  assert.equal(await result, "done");
  assert.equal(other.length, 1, "it was not delivered a second time");
  assert.deepEqual(burner.printed, [["start"]]);
});

test("members survive the loss of Redis and work on when it returns, even if it lost everything", async (t) => {
  const server = await RedisServer.start(t);
  const cluster = new Cluster(t, { url: server.url, lease: 2000, timeout: 500 });
  const [master, worker] = [cluster.master(), cluster.worker()];
  const jobs = collect(worker);
  const errors = [];
  for (const member of [master, worker]) member.on("error", (error) => errors.push(`${member.type} ${error.code}`));
  await master.addJob({ n: 1 });
  await until(() => jobs.length === 1, "the job arrives");
  await server.kill();
  await until(() => new Set(errors).size === 2, "both are reported");
  assert.deepEqual([...new Set(errors)].sort(), ["master SWARM_UNAVAILABLE", "worker SWARM_UNAVAILABLE"]);
  const [error] = await called((done) => master.addJob({ n: 2 }, done));
  assert.match(error.code, /SWARM_(UNAVAILABLE|TIMEOUT|OUTCOME_UNKNOWN)/);
  assert.equal(worker.health().healthy, false);
  await server.start();
  await until(async () => (await master.addJob({ n: 3 }).catch(() => false)) && jobs.at(-1).payload.n === 3, "new jobs arrive");
});

test("a worker forgotten by Redis registers again and is assigned jobs again", async (t) => {
  const server = await RedisServer.start(t);
  const cluster = new Cluster(t, { url: server.url, lease: 1000 });
  const [master, worker] = [cluster.master(), cluster.worker()];
  master.on("error", () => {});
  worker.on("error", () => {});
  const jobs = collect(worker);
  await master.addJob({ n: 1 });
  await until(() => jobs.length === 1, "the job arrives");
  const [deleted, closed, ready] = [next(jobs[0], "delete"), next(worker, "close"), next(worker, "ready")];
  assert.equal(await command("FLUSHALL", server.url), "+OK");
  await Promise.all([deleted, closed, ready]);
  await until(async () => (await master.addJob({ n: 2 }).catch(() => false)) && jobs.length > 1, "a new job arrives");
});

test("terminate and close do not hang without Redis", async (t) => {
  const server = await RedisServer.start(t);
  const cluster = new Cluster(t, { url: server.url, lease: 1000, timeout: 500 });
  const [master, worker] = [cluster.master(), cluster.worker()];
  for (const member of [master, worker]) member.on("error", () => {});
  const jobs = collect(worker);
  await master.addJob({ n: 1 });
  await until(() => jobs.length === 1, "the job arrives");
  const deleted = next(jobs[0], "delete");
  const closed = next(worker, "close");
  await server.kill();
  await Promise.all([called((done) => worker.terminate(done)), called((done) => master.close(done)), deleted, closed]);
});

test("a job deleted at the moment of its assignment is gone, or gets its delete", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const worker = cluster.worker();
  const [assigned, deleted, foreign] = [[], [], []];
  worker.on("add", (job) => {
    assigned.push(job.id);
    assert.deepEqual(Object.keys(job.payload), ["n"]);
    job.on("delete", () => deleted.push(job.id));
  });
  worker.on("delete", (id) => foreign.push(id));
  await worker.ready();
  const rounds = [];
  for (let n = 0; n < 200; n++) {
    rounds.push((async () => {
      const id = await master.addJob({ n });
      await master.deleteJob(id);
    })());
    if (n % 10 === 9) await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.all(rounds);
  await until(async () => {
    const { waiting, active, deleting } = await master.stats();
    return waiting + active + deleting === 0;
  }, "nothing is left");
  await until(() => deleted.length === assigned.length, "each assigned job was reported");
  assert.deepEqual(deleted.sort(), assigned.sort());
  assert.deepEqual(worker.jobs, {});
  assert.deepEqual(foreign, []);
});
