"use strict";
// Handlers of several jobs at once. Each job of a batch has its own lease, fence and outcome.

const { invalid, shown } = require("./check.js");

/** Gathers the jobs of a handler into batches, each of one task, and of one group if `by` is "group". */
class Batches {
  /** `handle(jobs)` is called with at most `size` jobs, at the latest `wait` milliseconds after the first of them arrived. */
  constructor(handlers, handle, { size, wait, by }) {
    this.handlers = handlers;
    this.handle = handle;
    this.size = size;
    this.wait = wait;
    this.keyOf = by === "group" ? (job) => JSON.stringify([job.task, job.group]) : (job) => job.task;
    /** The jobs that wait for others, by what they have in common. */
    this.waiting = new Map();
  }

  /** Adds a job, unless it waits here already. */
  add(job) {
    // Alone: another crash must show whether it is the cause.
    if (job._suspect) return this.run([job]);
    const key = this.keyOf(job);
    let batch = this.waiting.get(key);
    if (batch === undefined) {
      batch = { jobs: new Set(), timer: undefined };
      this.waiting.set(key, batch);
      // Without a wait: after the jobs that arrived together with this one.
      if (this.wait > 0) batch.timer = setTimeout(() => this.start(key, batch), this.wait);
      else process.nextTick(() => this.start(key, batch));
    }
    batch.jobs.add(job);
    if (batch.jobs.size < this.size) return undefined;
    // A listener may have finished some meanwhile.
    for (const other of batch.jobs) if (!this.handlers.canStart(other)) batch.jobs.delete(other);
    return batch.jobs.size >= this.size ? this.start(key, batch) : undefined;
  }

  /** Removes a job that is not to be started any more. A timer without jobs would keep the program running. */
  remove(job) {
    const key = this.keyOf(job);
    const batch = this.waiting.get(key);
    if (batch?.jobs.delete(job) && batch.jobs.size === 0) this.take(key, batch);
  }

  /** Removes and returns all jobs. */
  withdraw() {
    return [...this.waiting].flatMap(([key, batch]) => this.take(key, batch));
  }

  /** Removes a batch, and returns its jobs that can start. */
  take(key, batch) {
    // It may have started before, because it was full.
    if (this.waiting.get(key) !== batch) return [];
    this.waiting.delete(key);
    clearTimeout(batch.timer);
    return [...batch.jobs].filter((job) => this.handlers.canStart(job));
  }

  start(key, batch) {
    const jobs = this.take(key, batch);
    if (jobs.length > 0) this.run(jobs);
  }

  run(jobs) {
    for (const job of jobs) job._running = true;
    let outcome;
    try {
      // The program may change its list.
      outcome = this.handle.call(undefined, [...jobs]);
      if (typeof outcome?.then === "function") {
        Promise.resolve(outcome).then((results) => this.completed(jobs, results), (error) => this.failed(jobs, error));
        return;
      }
    } catch (error) {
      this.failed(jobs, error);
      return;
    }
    this.completed(jobs, outcome);
  }

  /** Completes the jobs that the handler has not finished itself. */
  completed(jobs, results) {
    if (results !== undefined && !(Array.isArray(results) && results.length === jobs.length)) {
      const found = Array.isArray(results) ? `${results.length} results` : shown(results);
      this.failed(jobs, invalid(`the handler of a batch of ${jobs.length} jobs returned ${found}; it returns nothing, or an array with a result for each job`));
      return;
    }
    jobs.forEach((job, position) => this.handlers.completed(job, results?.[position]));
  }

  /** Fails the jobs that the handler has not finished itself. */
  failed(jobs, error) {
    for (const job of jobs) this.handlers.failed(job, error);
  }
}

module.exports = Batches;
