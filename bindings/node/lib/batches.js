"use strict";
// Handlers of several jobs at once. Each job of a batch has its own lease, fence and outcome.

const { invalid, shown } = require("./check.js");

/** Gathers the jobs of a handler into batches, each of one task. */
class Batches {
  /** `handle(jobs)` is called with at most `size` jobs, at the latest `wait` milliseconds after the first of them arrived. */
  constructor(handlers, handle, { size, wait }) {
    this.handlers = handlers;
    this.handle = handle;
    this.size = size;
    this.wait = wait;
    /** The jobs of each task that wait for others. */
    this.waiting = new Map();
  }

  /** Adds a job, unless it waits here already. */
  add(job) {
    const { task } = job;
    let group = this.waiting.get(task);
    if (group === undefined) {
      group = { jobs: new Set(), timer: undefined };
      this.waiting.set(task, group);
      // Without a wait: after the jobs that arrived together with this one.
      if (this.wait > 0) group.timer = setTimeout(() => this.start(task, group), this.wait);
      else process.nextTick(() => this.start(task, group));
    }
    group.jobs.add(job);
    if (group.jobs.size < this.size) return;
    // Some may have been deleted meanwhile.
    for (const other of group.jobs) if (!this.handlers.canStart(other)) group.jobs.delete(other);
    if (group.jobs.size >= this.size) this.start(task, group);
  }

  /** Starts all batches without waiting for more jobs. */
  flush() {
    for (const [task, group] of [...this.waiting]) this.start(task, group);
  }

  start(task, group) {
    // It may have started before, because it was full.
    if (this.waiting.get(task) !== group) return;
    this.waiting.delete(task);
    clearTimeout(group.timer);
    const jobs = [...group.jobs].filter((job) => this.handlers.canStart(job));
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
