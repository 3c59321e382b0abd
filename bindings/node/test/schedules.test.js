"use strict";
// Schedules: jobs that the cluster adds by itself.

const test = require("node:test");
const assert = require("node:assert/strict");
const { Cluster, collect, until } = require("./support.js");

const slotOf = (job) => Number(job.id.split("@")[1]);

test("each slot adds one job, and the same schedule changes nothing", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const jobs = collect(cluster.worker());
  assert.equal(await master.schedule("a", { every: 200 }, { n: 1 }, { priority: 3 }), "created");
  for (let count = 1; count <= 5; count += 1) {
    assert.equal(await master.schedule("a", { every: 200 }, { n: 1 }, { priority: 3 }), "unchanged");
    await until(() => jobs.length >= count, `job ${count}`);
    await jobs[count - 1].complete();
  }
  assert.deepEqual([jobs[0].payload, jobs[0].priority, jobs[0].scheduledFor], [{ n: 1 }, 3, slotOf(jobs[0])]);
  for (let at = 1; at < 5; at += 1) assert.equal((slotOf(jobs[at]) - slotOf(jobs[at - 1])) % 200, 0);
  assert.equal(await master.schedule("a", { every: 200 }, { n: 2 }, { priority: 3 }), "changed");
  const info = await master.scheduleInfo("a");
  assert.ok(info.added >= 5 && info.nextAt > slotOf(jobs[4]), JSON.stringify(info));
  assert.deepEqual([info.every, info.cron, info.overlap, info.priority, info.ended], [200, undefined, "skip", 3, false]);
  assert.deepEqual([await master.unschedule("a"), await master.unschedule("a"), await master.scheduleInfo("a")], [true, false, null]);
});

test("schedules are listed, paused and run by hand", async (t) => {
  const master = new Cluster(t).master();
  const end = new Date("2040-01-01T00:00:00Z");
  const options = { cron: "0 3 * * MON", tz: "Europe/Berlin", end, limit: 5, jitter: 60_000, overlap: "replace", catchUp: "none" };
  for (const id of ["b", "a"]) await master.schedule(id, options);
  const page = await master.schedules({ limit: 1 });
  assert.deepEqual([page.schedules.map(({ id }) => id), page.next], [["a"], "a"]);
  const rest = await master.schedules({ after: page.next });
  assert.deepEqual([rest.schedules.map(({ id }) => id), rest.next], [["b"], null]);
  const { cron, tz, end: ends, limit, jitter, overlap, catchUp } = page.schedules[0];
  assert.deepEqual({ cron, tz, end: new Date(ends), limit, jitter, overlap, catchUp }, options);
  assert.equal(await master.pauseSchedule("a"), true);
  assert.equal((await master.scheduleInfo("a")).paused, true);
  assert.deepEqual([await master.resumeSchedule("a"), await master.pauseSchedule("nothing")], [true, false]);
  const job = await master.runSchedule("a");
  assert.equal((await master.job(job)).id, job);
});

test("a job follows when the one before has finished", async (t) => {
  const cluster = new Cluster(t);
  const jobs = collect(cluster.worker());
  const master = cluster.master();
  await new Promise((resolve, reject) => master.schedule("a", { afterEnd: 200, limit: 2 }, null, (error, how) => (error ? reject(error) : resolve(how))));
  await (await until(() => jobs[0], "the first job")).complete();
  const second = await until(() => jobs[1], "the second job");
  assert.ok(slotOf(second) >= slotOf(jobs[0]) + 200);
  await second.complete();
  await until(async () => (await master.scheduleInfo("a")).ended, "its end");
});

test("bad options are named", async (t) => {
  const master = new Cluster(t).master();
  for (const [options, part, job] of [
    [{}, /one of cron/], [{ cron: "* * *" }, /cron/], [{ cron: "61 * * * *" }, /minute/], [{ cron: "@daily", tz: "Mars/Base" }, /Mars\/Base/],
    [{ every: 10 }, /every/], [{ every: "1" }, /every/], [{ every: 1000, cron: "@daily" }, /one of cron/], [{ every: 1000, limit: 0 }, /limit/],
    [{ every: 1000, overlap: "maybe" }, /overlap/], [{ every: 1000, start: 100, end: 50 }, /end/], [{ every: 1000, jitter: NaN }, /jitter/],
    [{ every: 1000, overlaps: 1 }, /overlaps/], [{ every: 1000 }, /id/, { id: "own" }], [{ every: 1000, overlap: "replace" }, /resource/, { resource: "r" }],
  ]) {
    await assert.rejects(master.schedule("a", options, {}, job), (error) => error.code === "SWARM_INVALID_ARGUMENT" && part.test(error.message), `${JSON.stringify(options)}`);
  }
  await assert.rejects(master.runSchedule("a"), { code: "SWARM_INVALID_ARGUMENT" });
  await assert.rejects(master.schedule("", { every: 1000 }), { code: "SWARM_INVALID_ARGUMENT" });
  assert.deepEqual((await master.schedules()).schedules, []);
});
