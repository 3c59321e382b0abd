"use strict";
// Performs the jobs of a queue in this process, with a worker of its cluster.

const { createWorker } = require("../../index.js");
const { jobInfo } = require("./jobs.js");
const { jobName } = require("./names.js");
const perform = require("./perform.js");
const { memberOptions } = require("./settings.js");
const { leaseOf } = require("./tasks.js");

/**
 * The core's most: it is this module that fails a job whose processes died, because a death uses up one of the job's retries,
 * and the core's own limit knows nothing of these.
 */
const MAX_DEATHS = 200;

/** How long Redis may take to hear of the last jobs at a shutdown, in milliseconds, unless `redisConfig.timeout` says otherwise. */
const LAST_WORDS = 5000;

class Performer {
  /** `tell(event, value)` hears of jobs and errors. */
  constructor(queue, tasks, tell) {
    this.tell = tell;
    /** Jobs being performed, and those among them and after them whose end Redis has not accepted yet. */
    this.performing = new Set();
    this.running = new Set();
    this.lastWords = Number(queue.redisConfig.timeout ?? LAST_WORDS);
    this.lease = leaseOf(tasks, (error) => tell("error", error));
    const slots = Number(queue.workerCount);
    // Without a task or a place nothing can be performed, and a worker would take the jobs that have no task.
    this.worker = tasks.length > 0 && slots !== 0 ? this.work(queue, tasks, slots) : null;
  }

  work(queue, tasks, slots) {
    const { lease } = this;
    // To the front, so that a job that was given but not begun keeps its place when a process ends.
    const options = memberOptions(queue, { lease, slots, maxDeaths: MAX_DEATHS, requeue: "front" });
    const worker = createWorker(queue.cluster, options);
    worker.on("error", (error) => this.tell("error", error));
    const handlers = tasks.map((task) => [jobName(String(task.id)), (job) => this.run(task, job)]);
    worker.process(Object.fromEntries(handlers));
    return worker;
  }

  run(task, job) {
    return whileIn(this.running, this.outcome(task, job));
  }

  async outcome(task, job) {
    const info = jobInfo(task, job);
    const used = job.deaths > job.retriesLeft;
    const late = (error) => this.tell("error", error);
    const error = used ? timedOut(task, job) : await whileIn(this.performing, perform(task, job.payload, late));
    try {
      // Told only when Redis has accepted it: the job may be another process' by now.
      if (error === null) await job.complete();
      else if (info.retries > 0) await job.retry(error, 0);
      else await job.failForGood(error);
    } catch (refusal) {
      const lost = new Error(`${task.id}: the end of job ${job.id} was not accepted: ${refusal.message}`, { cause: refusal });
      this.tell("error", Object.assign(lost, { code: refusal.code }));
      return;
    }
    if (error === null) this.tell("jobSuccess", info);
    else this.tell("jobFail", { ...info, errorStack: String(error.stack) });
  }

  /** Takes no more jobs, waits for those in progress, and leaves the cluster. */
  async shutdown() {
    if (this.worker === null) return;
    const drained = this.worker.drain();
    // Redis may be away, and is not waited for longer than for any call.
    do {
      await Promise.all(this.performing);
      await within(this.lastWords, Promise.all([drained, ...this.running]));
    } while (this.performing.size > 0);
    await this.worker.terminate({ grace: 0 });
  }
}

/** `promise`, which is in `set` until it is settled. */
function whileIn(set, promise) {
  const tracked = promise.finally(() => set.delete(tracked));
  set.add(tracked);
  return tracked;
}

/** Resolves with the promise, or after so many milliseconds. */
async function within(ms, promise) {
  let timer;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

function timedOut(task, job) {
  return new Error(`${task.id}: timed out: ${job.deaths === 1 ? "a process" : `${job.deaths} processes`} died while performing job ${job.id}`);
}

module.exports = Performer;
