"use strict";
// Performs the jobs of a queue in this process, with workers of its cluster: one for each distinct timeout of its tasks.

const { createWorker } = require("../../index.js");
const { classes } = require("../../lib/errors.js");
const leaving = require("../../lib/leaving.js");
const { jobInfo } = require("./jobs.js");
const { jobName } = require("./names.js");
const perform = require("./perform.js");
const { memberOptions } = require("./settings.js");
const Places = require("./places.js");
const { byLease } = require("./tasks.js");

/**
 * The maximum of the core. This module, and not the core, fails a job whose processes crashed, because each crash uses up one of the job's retries.
 */
const MAX_CRASHES = 200;

/** The default time in which the last jobs must reach Redis at a shutdown, in milliseconds; `redisConfig.timeout` overrides it. */
const LAST_WORDS = 5000;

/** How long a process that ends by a signal continues its jobs, and at most half of their lease, in milliseconds. */
const GRACE = 5000;

/** The largest number of slots of the core; a worker with handlers cannot have unlimited slots. */
const MAX_SLOTS = 2 ** 32 - 1;

class Performer {
  /** `report(event, value)` is called for jobs and errors, `joined(incarnation)` for each registration of a worker. */
  constructor(queue, tasks, report, joined = () => {}) {
    this.report = report;
    this.joined = joined;
    /** Jobs that are performed, and performed ones whose finish Redis has not accepted yet. */
    this.performing = new Set();
    this.running = new Set();
    /** How long each worker continues its jobs when the process is to end, in milliseconds. */
    this.graces = new Map();
    this.lastWords = Number(queue.redisConfig.timeout ?? LAST_WORDS);
    const leases = byLease(tasks, (error) => report("error", error));
    /** The longest time for which this process keeps a job without renewing its lease. */
    this.lease = Math.max(0, ...leases.keys());
    const slots = Math.min(Number(queue.workerCount), MAX_SLOTS);
    // With one worker, the core limits the jobs.
    this.places = leases.size > 1 ? new Places(slots) : null;
    // Without a task or a place nothing can be performed, and a worker would accept the jobs without a task.
    this.workers = slots === 0 ? [] : Array.from(leases, ([lease, some]) => this.work(queue, some, slots, lease));
  }

  work(queue, tasks, slots, lease) {
    // At the front, so that a job that was assigned but not started keeps its place when a process ends.
    const options = memberOptions(queue, { lease, slots, maxCrashes: MAX_CRASHES, requeue: "front" });
    const worker = createWorker(queue.cluster, options);
    this.graces.set(worker, Math.min(GRACE, lease / 2));
    worker.on("error", (error) => this.report("error", error));
    worker.on("ready", () => this.joined(worker.incarnation));
    const asker = this.places?.add(worker);
    const handlers = tasks.map((task) => [jobName(String(task.id)), (job) => this.run(task, job, asker)]);
    worker.process(Object.fromEntries(handlers));
    return worker;
  }

  run(task, job, asker) {
    return whileIn(this.running, asker === undefined ? this.outcome(task, job) : this.inPlace(task, job, asker));
  }

  /** Performs a job once there is a place for it; releases it if there is none soon. */
  async inPlace(task, job, asker) {
    const hasPlace = await this.places.take(asker, job);
    try {
      if (hasPlace && !job.cancelled) await this.outcome(task, job);
      // A job that was reclaimed is not active here any more.
      else if (!job.cancelled) await job.release().catch(() => {});
    } finally {
      this.places.leave(asker, hasPlace, job);
    }
  }

  async outcome(task, job) {
    const info = jobInfo(task, job);
    const used = job.crashes > job.retriesLeft;
    const late = (error) => this.report("error", error);
    const error = used ? timedOut(task, job) : await whileIn(this.performing, perform(task, job.payload, late));
    try {
      // Reported only when Redis has accepted it: the job may be assigned to another process by now.
      if (error === null) await job.complete();
      else if (info.retries > 0) await job.retry(error, 0);
      else await job.failPermanently(error);
    } catch (refusal) {
      const lost = new Error(`${task.id}: the end of job ${job.id} was not accepted: ${refusal.message}`, { cause: refusal });
      this.report("error", Object.assign(lost, { code: refusal.code }));
      return;
    }
    if (error === null) this.report("jobSuccess", info);
    else this.report("jobFail", { ...info, errorStack: String(error.stack) });
  }

  /** Accepts no more jobs, waits for those in progress, and leaves the cluster. */
  async shutdown() {
    const drained = this.workers.map((worker) => this.drained(worker));
    // Redis may be unavailable; the wait is limited to the time limit of calls.
    do {
      await Promise.all(this.performing);
      await within(this.lastWords, Promise.all([...drained, ...this.running]));
    } while (this.performing.size > 0);
    this.places?.close();
    await Promise.all(this.workers.map((worker) => worker._leave({ grace: 0 })));
  }

  /**
   * As `shutdown`, for a process that is to end: jobs that are not over soon are requeued, and no crash is counted. If `waits()`, called then and
   * not before `atLeast` milliseconds, returns true, it waits for them. Tasks cannot be stopped.
   */
  async leave(waits = () => false, atLeast = 0) {
    await Promise.all(this.workers.map(async (worker) => {
      // The queue also emits the events of jobs that are over.
      const over = Promise.all([this.drained(worker), ...this.running]);
      await within(Math.max(this.graces.get(worker), atLeast), over);
      if (waits()) await over;
      await leaving.leaveOne(worker, { grace: 0 });
    }));
    this.places?.close();
  }

  /** Waits until a worker has no jobs, and accepts no more. A worker that has left already has none. */
  async drained(worker) {
    try {
      await worker.drain();
    } catch (error) {
      if (!(error instanceof classes.ClosedError)) this.report("error", error);
    }
  }
}

/** `promise`, which is in `set` until it is settled. */
function whileIn(set, promise) {
  const tracked = promise.finally(() => set.delete(tracked));
  set.add(tracked);
  return tracked;
}

/** Resolves with the promise, or after `ms` milliseconds. */
async function within(ms, promise) {
  let timer;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

function timedOut(task, job) {
  return new Error(`${task.id}: timed out: ${job.crashes === 1 ? "a process" : `${job.crashes} processes`} died while performing job ${job.id}`);
}

module.exports = Performer;
