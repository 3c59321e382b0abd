"use strict";
// Metrics: what happened to jobs, counted without keeping them.

const test = require("node:test");
const assert = require("node:assert/strict");
const { InvalidArgumentError } = require("../index.js");
const { Cluster } = require("./support.js");

async function sample(master, name) {
  const line = (await master.metrics()).split("\n").find((text) => text.startsWith(`${name} `));
  return line === undefined ? undefined : Number(line.slice(name.length + 1));
}

test("metrics count what happened to jobs", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  cluster.worker({ tasks: ["", "mail"] }).process({
    "": () => 1,
    mail: () => {
      throw new Error("no");
    },
  });
  await master.runMany([1, 2, 3]);
  await assert.rejects(master.run(1, { task: "mail" }));
  assert.equal(await sample(master, 'swarm_jobs_total{task="",outcome="completed"}'), 3);
  assert.equal(await sample(master, 'swarm_jobs_total{task="mail",outcome="failed"}'), 1);
  assert.equal(await sample(master, 'swarm_job_wait_seconds_count{task=""}'), 3);
  assert.equal(await sample(master, 'swarm_members{role="master"}'), 1);
  assert.ok((await sample(master, "swarm_redis_memory_bytes")) > 0);
  await new Promise((resolve, reject) => {
    master.metrics((error, text) => (error ? reject(error) : resolve(assert.match(text, /^# TYPE swarm_jobs gauge$/m))));
  });
});

test("the history has a row for each task and slot", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  cluster.worker().process(() => new Promise((resolve) => setTimeout(resolve, 20)));
  await master.runMany([1, 2]);
  for (const resolution of ["minute", "hour"]) {
    const rows = await master.metricsHistory({ resolution, start: Date.now() - 7_200_000, end: Date.now() + 60_000, task: "" });
    const sum = (read) => rows.reduce((total, row) => total + read(row), 0);
    assert.deepEqual([sum((row) => row.completed), sum((row) => row.run.count), sum((row) => row.failed)], [2, 2, 0]);
    const { start, task, run } = rows[0];
    assert.ok(run.p50 >= 10 && run.p95 <= run.p99 && run.buckets.length === 28, JSON.stringify(run));
    assert.ok(start > Date.now() - 7_200_000 && start <= Date.now() && task === "");
  }
  assert.deepEqual(await master.metricsHistory({ task: "nobody" }), []);
  assert.ok((await master.metricsHistory()).length > 0);
  const refused = (options, message) => assert.rejects(master.metricsHistory(options), (error) => error instanceof InvalidArgumentError && message.test(error.message));
  await refused({ resolution: "day" }, /resolution is `day`; it is `minute` or `hour`/);
  await refused({ start: 2, end: 1 }, /start is later than end/);
  await refused({ start: "yesterday" }, /start is "yesterday", it must be/);
  await refused({ from: 1 }, /unknown option `from` of metricsHistory/);
});
