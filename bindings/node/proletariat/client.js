"use strict";
// Clients push works and receive their outcomes.

const { EventEmitter } = require("node:events");
const { setTimeout: pause } = require("node:timers/promises");
const { classes } = require("../lib/errors.js");
const { call, emit } = require("../lib/callbacks.js");
const { complain } = require("../lib/complain.js");
const { hide, showOnly } = require("../lib/hide.js");
const leaving = require("../lib/leaving.js");
const { addressOf } = require("./address.js");
const { ProletariatError, closed, readOutcome, reasonOf, tooLarge } = require("./errors.js");
const { integerOf } = require("./numbers.js");
const { Peer } = require("./peer.js");
const Request = require("./request.js");
const systemMessage = require("./messages.js");
const { isTransient } = require("./transient.js");

/** The interval at which a failed connection counts as retried, in milliseconds. */
const RETRY_TIME = 2000;

/** The pause before works are pushed again, in milliseconds. */
const REPUSH = 200;

/** How often the deletion of a job is tried whose end was not reported. */
const DELETIONS = 20;

class Client extends EventEmitter {
  constructor(opts) {
    super();
    // They may contain a password.
    hide(this, { options: typeof opts === "string" ? { host: opts } : { ...opts } });
    this._requests = 0;
    /** Works that are not over, by id. */
    this._works = new Map();
    /** The works among them that must be pushed. */
    this._queue = [];
    this._scheduled = false;
    this._closing = undefined;
    /** Outcomes that were too large for results, by the ids of their works. */
    this._large = new Map();

    const address = addressOf(this.options);
    const peer = (this._peer = new Peer("client", address));
    if (address.handleSignals) leaving.add(this);
    this.id = peer.id;
    peer.on("connected", () => this._connected());
    peer.on("message", (content, from) => emit(this, "sysmsg", content, from));
    peer.on("result", ({ id, text }) => void (this._works.has(id) && this._large.set(id, text)));
    peer.on("trouble", (error) => this._troubled(error));
    this._retries = 0;
    this._retryTimer = undefined;
    this._repush = undefined;
    /** Aborted works, until their jobs are known to be over: by id, how often deletion was tried. */
    this._aborted = new Map();
    this._deleting = false;
  }

  /** `cb(null, results)` for an array, each `{ err, data }`, in its order; `cb(err, data)` for one work. */
  work(works, opts, cb) {
    if (typeof opts === "function") [opts, cb] = [undefined, opts];
    const answer = callback(cb);
    if (Array.isArray(works)) this._push(works, opts, ignore, (results) => answer(null, results));
    else this._push([works], opts, ignore, ([{ err, data }]) => answer(err, data));
  }

  /** `workCb(err, data, w)` is called for each work as it finishes, then `groupCb(null, results)`. */
  workIndividual(works, opts, workCb, groupCb) {
    if (typeof opts === "function") [opts, workCb, groupCb] = [undefined, opts, workCb];
    const answer = callback(groupCb);
    this._push(Array.isArray(works) ? works : [works], opts, callback(workCb), (results) => answer(null, results));
  }

  /** `cb(null, { sentTo, receivedBy, ... })` is called when every recipient has received it, or is gone. */
  systemMessage(msg, opts, cb) {
    systemMessage(this._peer, msg, opts, cb);
  }

  /** Aborts the works that are not over, with the code ECLOSED, except works with `keepState` that are at workers; and leaves. */
  close(cb) {
    this._closing ??= this._close(closed());
    return answered(this._closing, cb);
  }

  /** Without a reason the callbacks of the works are not called. */
  async _close(reason) {
    clearInterval(this._retryTimer);
    clearTimeout(this._repush);
    if (reason !== undefined) for (const work of [...this._works.values()]) this._end(work, reason, null, "drop");
    this._queue = [];
    await this._peer.close();
    leaving.remove(this);
  }

  /** Called before the process ends by a signal. Callbacks are not called, as at any other end. */
  _leave() {
    return (this._closing ??= this._close());
  }

  _push(originals, opts, reported, ended) {
    if (originals.length === 0) return void process.nextTick(ended, []);
    const id = `${this.id}.${++this._requests}`;
    const { works } = new Request(this, id, originals, opts, reported, ended);
    const refused = works.filter((work) => this._closing || work.refusal);
    for (const work of works) {
      this._works.set(work.id, work);
      if (!this._closing && !work.refusal) this._queue.push(work);
    }
    if (refused.length > 0) {
      process.nextTick(() => refused.forEach((work) => this._end(work, work.refusal ?? closed(), null, "drop")));
    }
    this._schedule();
  }

  /** All works of a turn are pushed together. */
  _schedule() {
    if (this._scheduled || this._queue.length === 0 || !this._peer.connected) return;
    this._scheduled = true;
    process.nextTick(() => {
      this._scheduled = false;
      if (!this._closing && this._peer.connected) this._flush();
    });
  }

  _flush() {
    const works = this._queue.filter((work) => !work.over);
    this._queue = [];
    if (works.length === 0) return;
    const hold = Boolean(this.options.HOLDSIMILARWORK ?? this._peer.settings?.hold);
    const { reports } = this._peer;
    const now = Date.now();
    const { newest } = reports;
    for (const work of works) {
      if (work.shown.pushed > 0) work.shown.resent = true;
      work.shown.pushed = now;
      if (!work.shown.resent) reports.add(() => ({ e: "receive", w: work.described() }));
    }
    // Before the works themselves, so that a manager learns about each work before its other events.
    reports.flush();
    this._follow(works, works.map((work) => work.job(hold, newest)));
  }

  /** Pushes works and ends them as their jobs finish. */
  async _follow(works, jobs) {
    const { master } = this._peer;
    const { incarnation } = master;
    try {
      for await (const { position, value, reason } of master.runEach(jobs)) {
        const work = works[position];
        // Many works may be over long before the last of the group.
        works[position] = undefined;
        this._aborted.delete(work.id);
        if (reason) this._failed(work, reason, incarnation);
        else this._succeeded(work, value);
      }
    } catch (error) {
      for (const work of works) if (work !== undefined) this._failed(work, error, incarnation);
    }
  }

  _succeeded(work, value) {
    let { err, data, large, worker } = outcomeOf(value);
    if (large !== undefined) ({ err, data } = this._largeOf(work.id, large));
    this._end(work, err, data, "finish", worker);
  }

  /** An outcome of this size that arrived by itself; undefined if it is invalid. */
  _largeOf(id, size) {
    try {
      const { err, data, large } = readOutcome(this._large.get(id));
      if (large === undefined) return { err, data };
    } catch {
      // It has not arrived, or the result is that of another program.
    }
    return { err: tooLarge("result", size, 128 * 1024), data: null };
  }

  _failed(work, error, incarnation) {
    if (work.over || this._closing) return;
    const { master } = this._peer;
    if (isTransient(error, incarnation !== master.incarnation)) {
      this._queue.push(work);
      this._repush ??= setTimeout(() => {
        this._repush = undefined;
        this._schedule();
      }, REPUSH);
      return;
    }
    const assignTimeout = error instanceof classes.AssignTimeoutError;
    this._end(work, reasonOf(error), null, assignTimeout ? "assigntimeout" : "finish");
  }

  /** Aborts works. */
  _abort(works, reason) {
    for (const work of works) if (work.shown.pushed > 0) this._aborted.set(work.id, 0);
    if (this._aborted.size > 0) this._delete();
    for (const work of works) this._end(work, reason, null, "drop");
  }

  /** Deletes the jobs of aborted works. Repeated if a job is not over soon, because it may still have been on its way. */
  async _delete() {
    if (this._deleting) return;
    this._deleting = true;
    while (this._aborted.size > 0 && !this._closing) {
      for (const [id, tries] of this._aborted) {
        if (tries < DELETIONS) this._aborted.set(id, tries + 1);
        else this._aborted.delete(id);
      }
      if (this._aborted.size > 0) await this._peer.forget([...this._aborted.keys()]);
      await pause(REPUSH);
    }
    this._deleting = false;
  }

  /** `event` is reported to managers, `by` is the worker that ran the work. */
  _end(work, err, data, event, by) {
    if (work.over) return;
    this._works.delete(work.id);
    this._large.delete(work.id);
    const { reports } = this._peer;
    reports.add(() => {
      // A manager that came later than the work has no record of it.
      const w = work.shown.pushed > 0 && work.knownTo !== reports.newest ? work.described() : undefined;
      return { e: event, id: work.id, result: event === "finish" ? { err, data } : undefined, by, w };
    });
    work.end(err, data);
  }

  _connected() {
    this._retries = 0;
    clearInterval(this._retryTimer);
    this._retryTimer = undefined;
    emit(this, "connect", null);
    this._schedule();
  }

  _troubled(error) {
    if (this._closing) return;
    const most = integerOf(this.options.MAXRETRIES, Infinity);
    if (this._peer.connected || !error.retryable || most === Infinity) complain(this, error);
    else this._countRetries(most);
  }

  /** With MAXRETRIES, a client that cannot connect stops trying, and reports that to the callback of `connect`. */
  _countRetries(most) {
    if (this._retryTimer !== undefined) return;
    const tried = () => {
      this._retries += 1;
      if (this._retries <= most || this._peer.connected) return;
      const error = new ProletariatError(`Cannot connect: ${this._peer.master.health().errorMessage}`, "ECONNREFUSED");
      this._closing = this._close(error);
      emit(this, "connect", error);
    };
    this._retryTimer = setInterval(tried, RETRY_TIME);
    tried();
  }
}

showOnly(Client, ({ id, _peer: { cluster, connected }, _works }) => ({ id, cluster, connected, works: _works.size }));

/** The outcome from a worker. Results of other programs are returned unchanged. */
function outcomeOf(value) {
  try {
    if (Buffer.isBuffer(value)) return readOutcome(value);
  } catch {
    // Bytes of another program.
  }
  return { err: null, data: value };
}

function ignore() {}

/** A callback of the program, or undefined. */
function callback(cb) {
  return typeof cb === "function" ? (...args) => call(cb, ...args) : ignore;
}

/** Passes the outcome to `cb`, or returns a promise. */
function answered(promise, cb) {
  if (typeof cb !== "function") return promise;
  promise.then(() => call(cb, null));
  return undefined;
}

module.exports = Client;
