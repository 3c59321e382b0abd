"use strict";
// A job in the hands of its worker.

const { EventEmitter } = require("node:events");
const { emit } = require("./callbacks.js");
const { classes } = require("./errors.js");
const { Finish } = require("./wire.js");

/** Why a job is to be stopped, by the number that the native side gives. */
const reasons = [
  { name: "deleted", error: (id) => new classes.JobDeletedError(`job ${id} was deleted`) },
  { name: "terminated", error: (id) => new classes.ClosedError(`the worker is terminated, job ${id} goes to another one`) },
  { name: "lease_lost", error: (id) => new classes.LeaseLostError(`the worker lost its lease, job ${id} starts elsewhere`) },
];

/** Number of the reason "terminated". */
const TERMINATED = 1;

/**
 * Its event `delete` says that the work must stop. The worker holds the job until it is completed, failed, released,
 * deleted or taken back.
 *
 * The emitter is inherited without its constructor, whose state is then made by the first listener: most jobs have none.
 */
class Job {
  constructor(worker, id, fence, deaths, content) {
    this.worker = worker;
    this.id = id;
    this.fence = fence;
    this.deaths = deaths;
    this._content = content;
    this._payload = undefined;
    this._read = false;
    this._controller = undefined;
    this._stopReason = -1;
    this._running = false;
  }

  /** What the adder gave: a value read from JSON (`{}` if it cannot be read), or a Buffer if it gave bytes. */
  get payload() {
    if (!this._read) this.payload = typeof this._content === "string" ? parsed(this._content) : this._content;
    return this._payload;
  }

  set payload(value) {
    this._payload = value;
    this._read = true;
  }

  /** The payload's bytes as they were added, JSON or not. */
  get payloadBytes() {
    return Buffer.from(this._content);
  }

  /** Whether the job was deleted or taken back. */
  get cancelled() {
    return this._stopReason >= 0;
  }

  /** Why it was: "deleted", "terminated" or "lease_lost"; undefined if it was not. */
  get deleteReason() {
    return reasons[this._stopReason]?.name;
  }

  /** Aborts when the job is deleted or taken back. */
  get signal() {
    if (this._controller === undefined) {
      this._controller = new AbortController();
      if (this._stopReason >= 0) this._abort();
    }
    return this._controller.signal;
  }

  /** Completes the job; the result is kept if the job was added with `result`. */
  complete(result, callback) {
    if (typeof result === "function" && callback === undefined) [result, callback] = [undefined, result];
    return this.worker._complete(this, result, callback);
  }

  /** Fails the job for good, with an error or its text. */
  fail(error, callback) {
    if (typeof error === "function" && callback === undefined) [error, callback] = [undefined, error];
    return this.worker._finish(this, Finish.FAIL, textOf(error), callback);
  }

  /** Gives the job back to the cluster. */
  release(callback) {
    return this.worker._finish(this, Finish.RELEASE, undefined, callback);
  }

  /** Says that the work has stopped, for a job that was deleted while its handler runs. */
  stopped(callback) {
    return this.worker._finish(this, Finish.STOPPED, undefined, callback);
  }

  /** Queues the job for deletion; its `delete` event follows. */
  deleteJob(callback) {
    return this.worker.queueDeleteJob(this.id, callback);
  }

  /** Tells that the work must stop; once. */
  _stop(reason) {
    if (this._stopReason >= 0) return;
    this._stopReason = reason;
    if (this._controller !== undefined) this._abort();
    emit(this, "delete");
  }

  _abort() {
    this._controller.abort(reasons[this._stopReason].error(this.id));
  }
}

Object.setPrototypeOf(Job.prototype, EventEmitter.prototype);
Object.setPrototypeOf(Job, EventEmitter);

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

/** The text that is kept with a failed job, as a line of the batch: of an error its name and message, as in Python. */
function textOf(error) {
  return JSON.stringify(error === undefined ? "" : error instanceof Error ? String(error) : String(error?.message ?? error));
}

module.exports = { Job, TERMINATED, textOf };
