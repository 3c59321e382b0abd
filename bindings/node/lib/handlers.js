"use strict";
// Runs the handler of each job and finishes the job with its outcome.

const Batches = require("./batches.js");
const { invalid, nameOf } = require("./check.js");
const { classes } = require("./errors.js");
const { failureOf } = require("./failures.js");
const bound = require("./scope.js");
const { traced } = require("./tracing.js");
const { Finish, contentOf } = require("./wire.js");

/** For results longer than this the acceptance is awaited, because they may be refused as too large. */
const SURELY_ACCEPTED = 1024;

class Handlers {
  constructor(worker) {
    this.worker = worker;
    /** Handles the jobs of tasks without their own handler: a function, or Batches. */
    this.plain = null;
    this.byTask = new Map();
    /** Whether the worker drains: no more jobs wait for others. */
    this.draining = false;
  }

  get isEmpty() {
    return this.plain === null && this.byTask.size === 0;
  }

  /** Checks the handlers that were passed to `process`, by task; `undefined` stands for the plain one. */
  check(handlers) {
    const isMap = typeof handlers === "object" && handlers !== null && !Array.isArray(handlers);
    const entries = typeof handlers === "function" ? [[undefined, handlers]] : isMap ? Object.entries(handlers) : [];
    if (entries.length === 0 || entries.some(([, handle]) => typeof handle !== "function")) {
      throw invalid("process needs a function that handles a job, or an object with one for each task");
    }
    for (const [task] of entries) {
      if (task !== undefined) nameOf(task, "task");
      const known = task === undefined ? this.plain !== null : this.byTask.has(task);
      if (!known) continue;
      const what = task === undefined ? "a worker has one handler" : `the task \`${task}\` has a handler`;
      throw invalid(`process was called before; ${what}`);
    }
    return entries;
  }

  /** `batch`, if set, has the options of batches. */
  add(entries, batch) {
    for (const [task, handle] of entries) {
      // Inside of the bound function, which would replace the context of the span.
      const handler = bound(traced(this.worker, handle), "handler");
      const scoped = batch === undefined ? handler : new Batches(this, handler, batch);
      if (task === undefined) this.plain = scoped;
      else this.byTask.set(task, scoped);
    }
  }

  /** The tasks that a worker accepts with these handlers and those to be added; `wanted` is its option `tasks`. */
  tasks(entries, wanted) {
    const named = [...this.byTask.keys(), ...entries.map(([task]) => task)].filter((task) => task !== undefined);
    if (named.length === 0) return wanted;
    const plain = this.plain !== null || entries.some(([task]) => task === undefined);
    const others = !plain ? [] : wanted.length === 0 ? [""] : wanted;
    return [...new Set([...others, ...named])];
  }

  /** Runs the job's handler. Returns whether there is one. */
  run(job) {
    const handle = this.of(job);
    if (handle === null) return false;
    if (job._running || job.cancelled) return true;
    if (typeof handle === "function") this.start(job, handle);
    else if (this.draining) this.worker._end(job, Finish.RELEASE);
    else handle.add(job);
    return true;
  }

  /** The handler of a job; null if there is none. */
  of(job) {
    return this.byTask.size === 0 ? this.plain : this.byTask.get(job.task) ?? this.plain;
  }

  /** A job is not to be started any more: it does not wait for others. */
  withdraw(job) {
    this.of(job)?.remove?.(job);
  }

  /** Whether a job that waited for others can still start. */
  canStart(job) {
    return !job._running && !job.cancelled && this.worker._active.has(job.fence);
  }

  /** Requeues the jobs that wait for others, and those that come later. */
  drain() {
    this.draining = true;
    for (const handle of [this.plain, ...this.byTask.values()]) {
      for (const job of handle?.withdraw?.() ?? []) this.worker._end(job, Finish.RELEASE);
    }
  }

  start(job, handle) {
    job._running = true;
    let outcome;
    try {
      outcome = handle.call(undefined, job, new Context(job));
      if (typeof outcome?.then === "function") {
        // A thenable of another kind may resolve twice, or with another promise.
        const promise = outcome instanceof Promise ? outcome : Promise.resolve(outcome);
        promise.then((result) => this.completed(job, result), (error) => this.failed(job, error));
        return;
      }
    } catch (error) {
      this.failed(job, error);
      return;
    }
    this.completed(job, outcome);
  }

  completed(job, result) {
    if (!this.ends(job)) return;
    let content;
    try {
      content = result === undefined ? undefined : contentOf(result, "result", this.worker._serialize);
    } catch (error) {
      this.fail(job, error);
      return;
    }
    const kind = content === undefined ? Finish.COMPLETE : typeof content === "string" ? Finish.COMPLETE_JSON : Finish.COMPLETE_BYTES;
    if (content === undefined || content.length <= SURELY_ACCEPTED) {
      this.worker._end(job, kind, content, undefined, result);
      return;
    }
    this.worker._end(job, kind, content, (error) => {
      if (error instanceof classes.TooLargeError || error?.refused) this.fail(job, error);
    }, result);
  }

  failed(job, error) {
    if (this.ends(job)) this.fail(job, error);
  }

  fail(job, error) {
    const { kind, content } = failureOf(error);
    this.worker._end(job, kind, content, undefined, error);
  }

  /** Whether the job is still to be finished with the handler's outcome: the handler may have finished it, or was asked to stop. */
  ends(job) {
    job._running = false;
    if (!this.worker._active.has(job.fence)) return false;
    if (!job.cancelled) return true;
    this.worker._end(job, Finish.STOPPED);
    return false;
  }
}

/** The second argument of a handler. Its signal is created at the first access: most handlers do not use it. */
class Context {
  constructor(job) {
    this.job = job;
  }

  get signal() {
    return this.job.signal;
  }
}

module.exports = Handlers;
