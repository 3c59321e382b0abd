"use strict";
// What masters, workers and supervisors have in common: the native half, pending calls, and the delivery of events and answers.

const { rethrow, settleWith, settled } = require("./callbacks.js");
const Emitter = require("./emitter.js");
const { classes, errorOf } = require("./errors.js");
const { logByDefault } = require("./log.js");
const { readReceipt } = require("./messages.js");
const { Code, COLUMNS, Incoming, parsed } = require("./wire.js");

/** The rows of a batch. One array for all: batches are delivered one after another. */
const rows = new Float64Array(1024 * COLUMNS);

/** Objects that must not be collected even if the program has dropped them, because events or answers are still to come. */
const kept = new Set();

class Channel extends Emitter {
  constructor() {
    super();
    this._native = null;
    this._calls = new Map();
    this._lastToken = 0;
    this._kept = false;
  }

  /** Opens the native half by `openNative(wake)`. */
  _open(openNative) {
    logByDefault();
    // The native half has a weak reference: it ends when nothing else refers to this object.
    const self = new WeakRef(this);
    const opened = openNative(() => self.deref()?._take());
    if ("number" in opened) throw errorOf(opened.number, opened.message);
    this._native = opened;
    this._keep(true);
  }

  /** Sets whether the object is kept from being collected. */
  _keep(keep) {
    if (keep === this._kept) return;
    this._kept = keep;
    if (keep) kept.add(this);
    else kept.delete(this);
  }

  /** Ends the native half; pending calls fail with CLOSED. */
  _release() {
    if (this._native === null) return;
    this._native.keepAlive(false);
    this._native.release();
    this._native = null;
    this._keep(false);
    const calls = [...this._calls.values()];
    this._calls.clear();
    for (const settle of calls) settle(this._closedError());
  }

  _closedError() {
    return new classes.ClosedError(`the ${this.type} is closed`);
  }

  /** Registers the callback of a native call; returns its token. */
  _expect(settle) {
    if (this._native === null) throw this._closedError();
    const token = (this._lastToken = (this._lastToken % 0xffffffff) + 1);
    this._calls.set(token, settle);
    return token;
  }

  /** Makes a native call that is answered by its token. */
  _ask(callback, method, ...args) {
    return settled(this._callback(callback), (settle) => this._native_(method, settle, ...args));
  }

  /** Refuses a callback that is no function, unless this object is closed: then CLOSED is the better error. */
  _callback(callback) {
    return this._native === null && this._closing && typeof callback !== "function" ? undefined : callback;
  }

  _native_(method, settle, ...args) {
    return this._call(settle, (token) => this._native[method](token, ...args));
  }

  /** As `_ask`, for a call that `begin(token)` makes. If `begin` throws, the token is removed. */
  _call(settle, begin) {
    const token = this._expect(settle);
    try {
      begin(token);
    } catch (error) {
      this._forget(token);
      throw error;
    }
    return token;
  }

  /** Removes a token. Returns whether its answer was pending. */
  _forget(token) {
    return this._calls.delete(token);
  }

  /** Delivers events and answers. Called by the native half, once per batch. */
  _take() {
    const batch = this._native?.take(rows);
    if (!batch) return;
    const incoming = new Incoming(batch);
    const end = batch.rows * COLUMNS;
    for (let at = 0; at < end; at += COLUMNS) {
      const code = rows[at];
      try {
        if (code < Code.CLOSE) this._event(code, rows[at + 1], rows[at + 2], rows[at + 3], incoming);
        else this._dispatch(code, rows[at + 1], rows[at + 2], rows[at + 3], incoming);
      } catch (error) {
        // An error in one row must not affect others.
        rethrow(error);
      }
    }
    // Not at once: other events of the loop run between two batches.
    if (batch.more) setImmediate(() => this._take());
    this._answered();
  }

  /** Handles events of jobs and of the registration, which only workers have. */
  _event() {}

  /** Called after a batch. */
  _answered() {}

  /** Handles rows that do not concern a job. */
  _dispatch(code, key, a, b, incoming) {
    const settle = this._calls.get(key);
    if (code === Code.EXISTED) {
      const id = incoming.id();
      // The outcome follows in a later answer.
      return settle?.existed?.(id);
    }
    this._calls.delete(key);
    answer(settle ?? ignore, code, a, b, incoming);
  }
}

function ignore() {}

/** Reads an answer completely, even if no call waits for it, and passes it on. */
function answer(settle, code, a, b, incoming) {
  switch (code) {
    case Code.DONE:
      return settle(null);
    case Code.FAILED:
      return settle(errorOf(a, incoming.text(b)));
    case Code.ADDED: {
      const ids = [];
      for (let i = 0; i < a; i++) ids.push(incoming.id());
      return settle(null, ids, b === 0 ? null : incoming.marks(a));
    }
    case Code.FLAGS:
      return settle(null, incoming.flags(a));
    case Code.JSON: {
      const text = incoming.text(a);
      return text === "" ? settle(null, undefined) : settleRead(settle, text);
    }
    case Code.BYTES:
      return settleRead(settle, incoming.bytes(a));
    case Code.RECEIPT:
      return settleWith(settle, () => readReceipt(a, incoming, settle.parse ?? plain));
    case Code.JOB_FAILED: {
      const [reason, message] = split(incoming.text(b));
      return settle(Object.assign(errorOf(a, message), { reason }));
    }
    default:
      return settle(new classes.InternalError(`an answer has the unknown code ${code}`));
  }
}

/** A value of a program: text is JSON, bytes are unchanged. */
function plain(content) {
  return typeof content === "string" ? parsed(content) : content;
}

/** Settles a call with a value of a program, read by its `parse` if it has one. */
function settleRead(settle, content) {
  if (settle.parse === undefined) settle(null, plain(content));
  else settleWith(settle, () => settle.parse(content));
}

/** The first line of a text, and the rest. */
function split(text) {
  const end = text.indexOf("\n");
  return [text.slice(0, end), text.slice(end + 1)];
}

module.exports = Channel;
