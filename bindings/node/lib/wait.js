"use strict";
// A wait for a result, which ends once: by the result, by its signal or by its time limit.

const { invalid, shown } = require("./check.js");
const { classes } = require("./errors.js");

/** The longest timer of Node, in milliseconds; a longer limit is ignored. */
const MAX_TIMER = 2 ** 31 - 1;

/** The waits that a signal ends. Each signal has one listener for all of them, because many calls may share it. */
const waitsOf = new WeakMap();

class Wait {
  /** `settle(error, value)` is called when it ends; `what` describes the awaited result, in errors. */
  constructor(master, settle, signal, limit, what) {
    signal ??= undefined;
    limit ??= undefined;
    if (limit !== undefined && !(typeof limit === "number" && limit > 0)) {
      throw invalid(`the time limit is ${shown(limit)}, it must be a positive number of milliseconds`);
    }
    if (signal !== undefined && !(typeof signal === "object" && typeof signal.addEventListener === "function" && typeof signal.aborted === "boolean")) {
      throw invalid(`the signal is ${shown(signal)}, it must be an AbortSignal`);
    }
    this.master = master;
    this.settle = settle;
    this.signal = signal;
    this.what = what;
    this.over = false;
    this.token = 0;
    /** Called with the id of the job if it existed. */
    this.existed = undefined;
    if (signal?.aborted) throw this.cancelled();
    if (signal !== undefined) listen(signal, this);
    const late = () => this.end(new classes.TimeoutError(`waited ${limit} ms for ${what}; the job continues`));
    this.timer = limit <= MAX_TIMER ? setTimeout(late, limit) : undefined;
  }

  /** Requests the result of a job. */
  result(id) {
    try {
      const token = this.expect();
      this.master._native.result(token, id);
    } catch (error) {
      process.nextTick(() => this.end(error));
    }
  }

  /** The token by which the native side answers. */
  expect() {
    const settle = (error, value) => this.end(error, value);
    settle.existed = this.existed;
    settle.parse = this.master._parse;
    this.token = this.master._expect(settle);
    return this.token;
  }

  end(error, value) {
    if (this.over) return;
    this.over = true;
    clearTimeout(this.timer);
    if (this.signal !== undefined) waitsOf.get(this.signal).delete(this);
    this.giveUp();
    this.settle(error, value);
  }

  /** Removes the token: no answer is awaited any more. */
  giveUp() {
    const { master, token } = this;
    if (master._forget(token)) master._native?.cancel(token);
  }

  cancelled() {
    const { reason } = this.signal;
    return new classes.CancelledError(`the wait for ${this.what} was cancelled; the job continues`, { cause: reason });
  }
}

function listen(signal, wait) {
  let waits = waitsOf.get(signal);
  if (waits === undefined) {
    waits = new Set();
    waitsOf.set(signal, waits);
    // Stays for the life of the signal, and costs nothing once its waits are over.
    signal.addEventListener("abort", () => waits.forEach((each) => each.end(each.cancelled())), { once: true });
  }
  waits.add(wait);
}

module.exports = Wait;
