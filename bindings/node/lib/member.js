"use strict";
// What masters and workers have in common: the native half, the calls that wait for an answer, and the turn in which
// events and answers are handed out.

const { EventEmitter } = require("node:events");
const { emit, settled } = require("./callbacks.js");
const { classes, errorOf } = require("./errors.js");
const { HEARD, readMessage, readReceipt, sending, wholeOf } = require("./messages.js");
const native = require("./native.js");
const { memberOptions } = require("./options.js");
const { Code, COLUMNS, Incoming, jsonOf, parsed } = require("./wire.js");

/** Rows that a batch is taken into. One for all members: batches are handed out one after another. */
const rows = new Float64Array(1024 * COLUMNS);

class Member extends EventEmitter {
  constructor(type, clusterId, config) {
    super();
    const options = memberOptions(clusterId, config);
    this.type = type;
    this.config = config ?? {};
    this.redisClient = this.config.client;
    this.prefix = options.prefix;
    this.db = options.db;
    this.expireDelay = options.expireDelay;
    this._cluster = options.cluster;
    this._settings = options.settings;
    this._wantedTasks = options.tasks;
    this._native = null;
    this._calls = new Map();
    this._lastToken = 0;
    this._closing = false;
    this._heard = new Set();

    this._check([]);
    for (const name of options.unknown) {
      process.emitWarning(`assemblage ignores the unknown option ${name}`, { type: "AssemblageWarning" });
    }
  }

  /** Throws if the options, and these besides, are not usable. */
  _check(more, tasks = this._wantedTasks) {
    const failure = native.checkOptions(this._cluster, [...this._settings, ...more, ...taskSettings(tasks)]);
    if (failure) throw errorOf(failure.number, failure.message);
  }

  /** Opens the native half; fails only for want of threads. */
  _open(openNative, tasks = []) {
    const opened = openNative(this._cluster, [...this._settings, ...taskSettings(tasks)], () => this._take());
    if ("number" in opened) throw errorOf(opened.number, opened.message);
    this._native = opened;
    for (const event of this._heard) opened.hear(event);
  }

  /** Ends the native half; what still waits for an answer hears that the member is closed. */
  _release() {
    if (this._native === null) return;
    this._native.keepAlive(false);
    this._native.release();
    this._native = null;
    const calls = [...this._calls.values()];
    this._calls.clear();
    for (const settle of calls) settle(this._closedError());
  }

  _closedError() {
    return new classes.ClosedError(`the ${this.type} is closed`);
  }

  /** Registers who hears the answer of a native call, and gives the token to call with. */
  _expect(settle) {
    if (this._native === null) throw this._closedError();
    const token = (this._lastToken = (this._lastToken % 0xffffffff) + 1);
    this._calls.set(token, settle);
    return token;
  }

  /** A native call that is answered by its token. */
  _ask(callback, method, ...args) {
    return settled(callback, (settle) => this._native_(method, settle, ...args));
  }

  _native_(method, settle, ...args) {
    const token = this._expect(settle);
    this._native[method](token, ...args);
    return token;
  }

  /**
   * Waits until the member is registered with Redis.
   * Fails with the first error that needs the user, such as a wrong password, or with the last connection error.
   */
  ready(callback) {
    return this._ask(callback, "ready");
  }

  /** Counts of the cluster, from Redis. */
  stats(callback) {
    return this._ask(callback, "stats");
  }

  /** The member's own view of its connection, lease and jobs. Asks nobody. */
  health() {
    const text = this._native?.health();
    if (!text) {
      return { healthy: false, connected: false, incarnation: "", leaseLeft: 0, held: 0, pending: 0, error: "", errorMessage: "" };
    }
    const { lease_left_ms: leaseLeft, error_message: errorMessage, ...rest } = JSON.parse(text);
    return { ...rest, leaseLeft, errorMessage };
  }

  /**
   * Sends a message to `"all"` members, or to those of a `{ group }`, a `{ name }` or a process `{ pid, host }`, or to one `{ member }`, by its
   * incarnation; only those hear it that have a listener of `message`. Gives to whom it was sent. With `acknowledged` or `request`, limits in
   * milliseconds, it waits until they have taken it, or replied. `toSelf`: the sender may hear it, too.
   */
  send(to, payload, options, callback) {
    if (typeof options === "function") [options, callback] = [undefined, options];
    return settled(callback, (settle) => this._native_("send", settle, ...sending(to, payload, options)));
  }

  /** Says under a name that this member is so far, to all that wait for it. */
  confirm(name, callback) {
    return this._ask(callback, "confirm", String(name));
  }

  /** Waits until so many distinct members have confirmed a name, from now on; gives them in the order in which they did. */
  confirmations(count, name, callback) {
    return settled(callback, (settle) => this._native_("confirmations", settle, wholeOf("count", count), String(name)));
  }

  /** What this member says of itself to all that ask who is there: JSON of at most 4 KiB. */
  setData(value, callback) {
    return settled(callback, (settle) => this._native_("setData", settle, jsonOf(value, "data of a member")));
  }

  on(event, listener) {
    super.on(event, listener);
    return this._hear(event);
  }

  addListener(event, listener) {
    return this.on(event, listener);
  }

  prependListener(event, listener) {
    super.prependListener(event, listener);
    return this._hear(event);
  }

  /** Messages, and who comes and goes, are heard from the first listener on; what is not heard costs nothing. */
  _hear(event) {
    if (HEARD.includes(event) && !this._heard.has(event)) {
      this._heard.add(event);
      this._native?.hear(event);
    }
    return this;
  }

  /** Hands out what has come. Called by the native half, once per batch. */
  _take() {
    const batch = this._native?.take(rows);
    if (!batch) return;
    const incoming = new Incoming(batch);
    const end = batch.rows * COLUMNS;
    for (let at = 0; at < end; at += COLUMNS) {
      const code = rows[at];
      if (code < Code.CLOSE) this._event(code, rows[at + 1], rows[at + 2], rows[at + 3], incoming);
      else this._told(code, rows[at + 1], rows[at + 2], rows[at + 3], incoming);
    }
    // Not at once: other events of the loop have their turn between two batches.
    if (batch.more) setImmediate(() => this._take());
    this._answered();
  }

  /** Events of jobs and of the registration; workers have them all. */
  _event(code, key, a, b, incoming) {
    if (code === Code.READY) this._registered(incoming.id());
  }

  /** After a batch. */
  _answered() {}

  _registered(incarnation) {
    this.incarnation = incarnation;
    emit(this, "ready");
  }

  /** What is not about a job. */
  _told(code, key, a, b, incoming) {
    switch (code) {
      case Code.CLOSE:
        return this._closed(a === 0 ? null : errorOf(a, incoming.text(b)));
      case Code.ERROR:
        return this._complain(errorOf(a, incoming.text(b)));
      case Code.MESSAGE_JSON:
      case Code.MESSAGE_BYTES:
        return emit(this, "message", readMessage(code, key, a, b, incoming));
      case Code.MEMBER:
        return emit(this, "member", ...JSON.parse(incoming.text(a)));
      default: {
        const settle = this._calls.get(key);
        this._calls.delete(key);
        return answer(settle ?? ignore, code, a, b, incoming);
      }
    }
  }

  /** The core has closed the member, by itself if there is an error. */
  _closed() {}

  /** An error of the background: an `error` event, or a warning, because it is no reason to end the process. */
  _complain(error) {
    if (this.listenerCount("error") > 0) emit(this, "error", error);
    else process.emitWarning(error);
  }
}

Member.prototype.incarnation = "";

function ignore() {}

function taskSettings(tasks) {
  return tasks.flatMap((task) => ["task", task]);
}

/** Reads an answer to its end, whether or not somebody still waits for it, and gives it. */
function answer(settle, code, a, b, incoming) {
  switch (code) {
    case Code.DONE:
      return settle(null);
    case Code.FAILED:
      return settle(errorOf(a, incoming.text(b)));
    case Code.ADDED: {
      const ids = [];
      for (let i = 0; i < a; i++) ids.push(incoming.id());
      return settle(null, ids, b === 0 ? null : incoming.flags(a));
    }
    case Code.FLAGS:
      return settle(null, incoming.flags(a));
    case Code.JSON: {
      const text = incoming.text(a);
      return settle(null, text === "" ? undefined : parsed(text));
    }
    case Code.BYTES:
      return settle(null, incoming.bytes(a));
    case Code.RECEIPT:
      return settle(null, readReceipt(a, incoming));
    case Code.JOB_FAILED: {
      const [reason, message] = split(incoming.text(b));
      return settle(Object.assign(errorOf(a, message), { reason }));
    }
    default:
      return settle(new classes.InternalError(`an answer has the unknown code ${code}`));
  }
}

/** The first line of a text, and all after it. */
function split(text) {
  const end = text.indexOf("\n");
  return [text.slice(0, end), text.slice(end + 1)];
}

module.exports = Member;
