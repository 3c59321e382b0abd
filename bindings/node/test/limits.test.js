"use strict";
// Limits: how many jobs of a kind start in a time, and how many are active.

const test = require("node:test");
const assert = require("node:assert/strict");
const { RateLimited } = require("../index.js");
const { Cluster, collect, until } = require("./support.js");

test("jobs wait for their limits", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const jobs = collect(cluster.worker());
  assert.deepEqual([await master.limit("api", { concurrency: 1 }), await master.limit("api", { concurrency: 1 })], [false, true]);
  const [first, second] = await master.addJobs([1, 2], { limits: ["api", { name: "tenant:1", cost: 2 }] });
  await until(async () => jobs.length === 1 && (await master.stats()).blocked === 1, "one job of two");
  assert.equal(jobs[0].id, first);
  assert.deepEqual(await master.limitInfo("api"), { name: "api", concurrency: 1, active: 1, blocked: 1, nextIn: 0 });
  const { state, limits } = await master.job(second);
  assert.deepEqual({ state, limits }, { state: "blocked", limits: ["api", "tenant:1"] });
  assert.deepEqual((await master.queues()).limits, [{ name: "api", concurrency: 1, active: 1, blocked: 1, nextIn: 0 }]);
  await jobs[0].complete();
  await until(() => jobs.length === 2, "the second job");
  assert.deepEqual([await master.removeLimit("api"), await master.removeLimit("api")], [true, false]);
});

test("a rate spaces the starts of jobs", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  await master.limit("tenant:*", { rate: 1, per: 200, burst: 2 });
  const starts = [];
  cluster.worker().process(() => void starts.push(performance.now()));
  await master.addJobs([1, 2, 3], { limits: "tenant:1" });
  await until(() => starts.length === 3, "three jobs");
  assert.ok(starts[2] - starts[0] >= 190, starts);
  const { rate, per, burst, concurrency } = await master.limitInfo("tenant:1");
  assert.deepEqual({ rate, per, burst, concurrency }, { rate: 1, per: 200, burst: 2, concurrency: undefined });
});

test("a handler lets its limit wait", async (t) => {
  const cluster = new Cluster(t);
  const attempts = [];
  cluster.worker().process((job) => {
    attempts.push([job.attempt, performance.now()]);
    if (attempts.length === 1) throw new RateLimited(200);
    if (attempts.length === 2) throw new RateLimited(100, "other");
    return "done";
  });
  assert.equal(await cluster.master().run("x", { limits: "api" }), "done");
  assert.deepEqual(attempts.map(([attempt]) => attempt), [1, 1, 1]);
  assert.ok(attempts[1][1] - attempts[0][1] >= 200 && attempts[2][1] - attempts[1][1] >= 100, attempts);
  assert.throws(() => new RateLimited(-1), { code: "SWARM_INVALID_ARGUMENT" });
  assert.throws(() => new RateLimited(1, {}), { code: "SWARM_INVALID_ARGUMENT" });
});

test("a job is rate limited by its handle", async (t) => {
  const cluster = new Cluster(t);
  const jobs = collect(cluster.worker());
  await cluster.master().addJob("x", { limits: "api" });
  await until(() => jobs.length === 1, "the job");
  await jobs[0].rateLimited(100, "api");
  await until(() => jobs.length === 2, "the job again");
  assert.equal(jobs[1].attempt, 1);
});

test("figures and limits of jobs out of bounds are refused", async (t) => {
  const master = new Cluster(t).master();
  const figures = [{}, { rate: 0 }, { rate: 1.5 }, { rate: "1" }, { rate: 1, per: 0 }, { rate: 1, burst: 1_000_001 }, { concurrency: -1 }, { concurrency: 1, per: 1000 }, { rates: 1 }, 5];
  for (const each of figures) await assert.rejects(master.limit("api", each), { code: "SWARM_INVALID_ARGUMENT" }, JSON.stringify(each));
  const limits = [3, { cost: 1 }, [3], ["a", "a"], ["a", "b", "c", "d", "e"], [{ name: "a", costs: 1 }], [{ name: "a", cost: 0 }], [{ name: "a", cost: "1" }], "a:*", "a\nb"];
  for (const each of limits) await assert.rejects(master.addJob(1, { limits: each }), { code: "SWARM_INVALID_ARGUMENT" }, JSON.stringify(each));
  assert.deepEqual([(await master.queues()).limits, (await master.stats()).added], [[], 0]);
});
