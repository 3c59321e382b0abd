"use strict";
// Clients push works and get their outcomes.

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

/** How often a connection that failed counts as tried again, in milliseconds. */
const RETRY_TIME = 2000;

/** Before works are pushed again, in milliseconds. */
const REPUSH = 200;

/** How often the deletion of a job is tried whose end is not reported. */
const DELETIONS = 20;

class Client extends EventEmitter {
  constructor(opts) {
    super();
    // They may hold a password.
    hide(this, { options: typeof opts === "string" ? { host: opts } : { ...opts } });
    this._requests = 0;
    /** Works that are not over, by id. */
    this._works = new Map();
    /** Those of them that are to be pushed. */
    this._queue = [];
    this._scheduled = false;
    this._closing = undefined;
    /** Outcomes that were too large to come as results, by the ids of their works. */
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
    /** Works that were given up, until their jobs are known to be over: by id, how often deletion was tried. */
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

  /** `workCb(err, data, w)` for each work as it ends, then `groupCb(null, results)`. */
  workIndividual(works, opts, workCb, groupCb) {
    if (typeof opts === "function") [opts, workCb, groupCb] = [undefined, opts, workCb];
    const answer = callback(groupCb);
    this._push(Array.isArray(works) ? works : [works], opts, callback(workCb), (results) => answer(null, results));
  }

  /** `cb(null, { sentTo, receivedBy, ... })` when everybody to whom it was sent has it, or is gone. */
  systemMessage(msg, opts, cb) {
    systemMessage(this._peer, msg, opts, cb);
  }

  /** Gives up the works that are not over, with the code ECLOSED, except at the workers those with `keepState`; and leaves. */
  close(cb) {
    this._closing ??= this._close(closed());
    return answered(this._closing, cb);
  }

  /** Without a reason the works end without callbacks. */
  async _close(reason) {
    clearInterval(this._retryTimer);
    clearTimeout(this._repush);
    if (reason !== undefined) for (const work of [...this._works.values()]) this._end(work, reason, null, "drop");
    this._queue = [];
    await this._peer.close();
    leaving.remove(this);
  }

  /** For a process that ends by a signal. Its callbacks are not called, as at any other end. */
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
    // Before the works themselves, so that a manager knows each before anything becomes of it.
    reports.flush();
    this._follow(works, works.map((work) => work.job(hold, newest)));
  }

  /** Pushes works and ends them as their jobs end. */
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

  /** An outcome of so many bytes, which came by itself; unless what came is none. */
  _largeOf(id, size) {
    try {
      const { err, data, large } = readOutcome(this._large.get(id));
      if (large === undefined) return { err, data };
    } catch {
      // It is not here, or some other program means something else by it.
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

  /** Gives works up. */
  _abort(works, reason) {
    for (const work of works) if (work.shown.pushed > 0) this._aborted.set(work.id, 0);
    if (this._aborted.size > 0) this._delete();
    for (const work of works) this._end(work, reason, null, "drop");
  }

  /** Deletes the jobs of works that were given up; again if one is not over soon, because it may still have been on its way. */
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

  /** `event` is reported to managers, `by` is the worker that did it. */
  _end(work, err, data, event, by) {
    if (work.over) return;
    this._works.delete(work.id);
    this._large.delete(work.id);
    const { reports } = this._peer;
    reports.add(() => {
      // One that came later than the work does not know it.
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

  /** With MAXRETRIES, a client that cannot connect gives up in the end, and says so by `connect`. */
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

/** What a worker answered. One of some other program gave its result as it is. */
function outcomeOf(value) {
  try {
    if (Buffer.isBuffer(value)) return readOutcome(value);
  } catch {
    // Bytes of some other meaning.
  }
  return { err: null, data: value };
}

function ignore() {}

/** A callback that is user code, or none. */
function callback(cb) {
  return typeof cb === "function" ? (...args) => call(cb, ...args) : ignore;
}

/** Tells `cb`, or a promise. */
function answered(promise, cb) {
  if (typeof cb !== "function") return promise;
  promise.then(() => call(cb, null));
  return undefined;
}

module.exports = Client;
