"use strict";
// The transitions of jobs, as an async iterator.

const { classes } = require("./errors.js");
const { eventOf } = require("./infos.js");

const END = Object.freeze({ done: true, value: undefined });

class JobEvents {
  constructor(master, after) {
    this._master = master;
    this._events = [];
    this._taken = 0;
    /** Pending calls of `next`, and of `ready`. */
    this._asked = [];
    this._waiting = [];
    this._started = false;
    this._over = false;
    this._error = null;
    /** The token of a call under way that takes events, or 0. */
    this._taking = 0;
    this._follower = master._expect((error) => this._begun(error));
    master._native.openEvents(this._follower, after);
  }

  /** Resolves when transitions are recorded. */
  ready() {
    if (this._started) return Promise.resolve();
    if (this._over) return Promise.reject(this._error ?? ended());
    return new Promise((resolve, reject) => this._waiting.push({ resolve, reject }));
  }

  next() {
    if (this._taken < this._events.length) {
      const value = this._events[this._taken++];
      return Promise.resolve({ done: false, value });
    }
    if (!this._over) {
      const asked = new Promise((resolve, reject) => this._asked.push({ resolve, reject }));
      this._take();
      return asked;
    }
    const error = this._error;
    this._error = null;
    return error ? Promise.reject(error) : Promise.resolve(END);
  }

  /** Stops following. */
  return(value) {
    this._events = [];
    this._taken = 0;
    const master = this._master;
    if (master._forget(this._taking)) master._native?.cancel(this._taking);
    this._finish(null);
    return Promise.resolve({ done: true, value });
  }

  _begun(error) {
    // It was ended before it began.
    if (this._over) return this._master._native?.closeEvents(this._follower);
    if (error) return this._finish(error);
    this._started = true;
    for (const { resolve } of this._waiting.splice(0)) resolve();
    return this._take();
  }

  /** Takes more events if they are awaited. */
  _take() {
    if (!this._started || this._over || this._taking !== 0 || this._asked.length === 0) return;
    this._taking = this._master._expect((error, events) => {
      this._taking = 0;
      if (error || events.length === 0) this._finish(error);
      else this._arrived(events.map(eventOf));
    });
    this._master._native.takeEvents(this._taking, this._follower);
  }

  _arrived(events) {
    this._events = events;
    this._taken = 0;
    while (this._asked.length > 0 && this._taken < events.length) this._asked.shift().resolve({ done: false, value: events[this._taken++] });
    this._take();
  }

  _finish(error) {
    if (this._over) return;
    this._over = true;
    // A master that is closed ends it.
    const failed = this._started && error instanceof classes.ClosedError ? null : error;
    this._error = failed;
    this._master._native?.closeEvents(this._follower);
    for (const { reject } of this._waiting.splice(0)) reject(failed ?? ended());
    // The first pending call receives the error, all others the end.
    for (const { resolve, reject } of this._asked.splice(0)) {
      if (this._error === null) resolve(END);
      else reject(this._error);
      this._error = null;
    }
  }

  [Symbol.asyncIterator]() {
    return this;
  }
}

function ended() {
  return new classes.ClosedError("the events are closed");
}

module.exports = JobEvents;
