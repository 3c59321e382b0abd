"use strict";
// A job that is assigned to a worker.

const { inspect } = require("node:util");
const { emit } = require("./callbacks.js");
const { nameOf } = require("./check.js");
const Emitter = require("./emitter.js");
const { classes } = require("./errors.js");
const { NOTHING, failureOf, limitedOf, permanentOf, retryOf } = require("./failures.js");
const { Finish, jsonOf } = require("./wire.js");

/** The reasons for which a job must stop, by their number on the native side. */
const reasons = [
  { name: "deleted", error: (id) => new classes.JobDeletedError(`job ${id} was deleted`) },
  { name: "terminated", error: (id) => new classes.ClosedError(`the worker is terminated, job ${id} goes to another one`) },
  { name: "lease_lost", error: (id) => new classes.LeaseLostError(`the worker lost its lease, job ${id} starts elsewhere`) },
  { name: "timed_out", error: (id) => new classes.TimeoutError(`job ${id} took longer than its timeouts allow`) },
  { name: "moved", error: (id) => new classes.StaleFenceError(`job ${id} goes to a worker that joined`) },
];

/** Number of the reason "terminated". */
const TERMINATED = 1;

/**
 * An active job. Its event `delete` requests that the work stops. The job is active until it is completed, failed, released, deleted or reclaimed.
 *
 * The emitter is inherited without calling its constructor; the first listener creates its state, because most jobs have none.
 */
class Job {
  /** `more`, if set, has the properties that plain jobs do not have. */
  constructor(worker, id, fence, crashes, content, more) {
    this.worker = worker;
    this.id = id;
    this.fence = fence;
    this.crashes = crashes;
    this._content = content;
    this._payload = undefined;
    this._read = false;
    this._controller = undefined;
    this._stopReason = -1;
    this._running = false;
    if (more !== undefined) Object.assign(this, more);
  }

  /** The payload: a value parsed from JSON (`{}` if it cannot be parsed), or a Buffer if it was added as bytes. */
  get payload() {
    if (!this._read) this.payload = this._contentRead();
    return this._payload;
  }

  _contentRead() {
    const { _parse: parse } = this.worker;
    if (parse !== undefined) return parse(this._content);
    return typeof this._content === "string" ? parsed(this._content) : this._content;
  }

  set payload(value) {
    this._payload = value;
    this._read = true;
  }

  /** The payload's bytes as they were added, JSON or not. */
  get payloadBytes() {
    return Buffer.from(this._content);
  }

  /** Whether the job was deleted or reclaimed. */
  get cancelled() {
    return this._stopReason >= 0;
  }

  /** The reason: "deleted", "terminated", "lease_lost", "timed_out" or "moved"; undefined if it was not. */
  get deleteReason() {
    return reasons[this._stopReason]?.name;
  }

  /** Aborts when the job is deleted or reclaimed. */
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

  /** Stores the progress of the job, as JSON, which inspections show. Ignored if the job is over. */
  progress(value) {
    this.worker._progress(this, jsonOf(value, "progress"));
  }

  /** Stores a checkpoint, as JSON, which the next execution of the job reads as `lastCheckpoint`. Ignored if the job is over. */
  checkpoint(value) {
    this.worker._checkpoint(this, jsonOf(value, "checkpoint"));
  }

  /** Appends a line to the log of the job, which inspections show: the newest 100, each cut at 1 KiB. Ignored if the job is over. */
  log(text) {
    this.worker._log(this, nameOf(text, "line of a log"));
  }

  /** Fails this attempt with an error or its text, as if a handler had thrown it. */
  fail(error, callback) {
    if (typeof error === "function" && callback === undefined) [error, callback] = [undefined, error];
    return this.worker._finish(this, () => failureOf(given(error)), callback, error);
  }

  /** Fails this attempt; the next one, if any is left, starts `after` milliseconds later. */
  retry(error, after, callback) {
    return this.worker._finish(this, () => retryOf(given(error), after), callback, error);
  }

  /** Gives the job back: the limit, or without one each limit of the job, starts no jobs for `after` milliseconds. No attempt is counted. */
  rateLimited(after, limit, callback) {
    if (typeof limit === "function" && callback === undefined) [limit, callback] = [undefined, limit];
    return this.worker._finish(this, () => limitedOf(after, limit), callback);
  }

  /** Fails the job permanently, even if retries are left. */
  failPermanently(error, callback) {
    if (typeof error === "function" && callback === undefined) [error, callback] = [undefined, error];
    return this.worker._finish(this, () => permanentOf(given(error)), callback, error);
  }

  /** Releases the job: it is requeued. */
  release(callback) {
    return this.worker._finish(this, () => ({ kind: Finish.RELEASE }), callback);
  }

  /** Reports that the work has stopped, for a job that was deleted while its handler runs. */
  stopped(callback) {
    return this.worker._finish(this, () => ({ kind: Finish.STOPPED }), callback);
  }

  /** Its properties, as JSON and on a console. */
  toJSON() {
    const { id, payload, task, priority, resource, group, headers, attempt, retriesLeft, crashes, fence, lastCheckpoint, scheduledFor, cancelled, deleteReason } = this;
    return { id, payload, task, priority, resource, group, headers, attempt, retriesLeft, crashes, fence, lastCheckpoint, scheduledFor, cancelled, deleteReason };
  }

  [inspect.custom](depth, options, show) {
    return depth < 0 ? `Job ${this.id}` : `Job ${show(this.toJSON(), options)}`;
  }

  /** How the jobs ended that this one waited for (option `after`), by id. `callback(error, inputs)` */
  inputs(callback) {
    return this.worker._inputs(this._node, callback);
  }

  /** Deletes the job from the cluster; its `delete` event follows. `callback(error, existed)` */
  deleteJob(callback) {
    return this.worker.deleteJob(this.id, callback);
  }

  /** Requests that the work stops; once. */
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

Object.setPrototypeOf(Job.prototype, Emitter.prototype);
Object.setPrototypeOf(Job, Emitter);

/** The values of these properties for a plain job. */
Object.assign(Job.prototype, { attempt: 1, retriesLeft: 0, priority: 0, task: "", resource: "", group: "", headers: Object.freeze({}), lastCheckpoint: undefined, scheduledFor: undefined, _node: "", _suspect: false });

function given(error) {
  return error === undefined ? NOTHING : error;
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

module.exports = { Job, TERMINATED };
