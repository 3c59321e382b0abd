"use strict";
// Event emitters whose listeners run in the async context in which they were added.

const { EventEmitter } = require("node:events");
const bound = require("./scope.js");

/** Marks listeners that are wrapped already. */
const SCOPED = Symbol("scoped");

class Emitter extends EventEmitter {
  on(event, listener) {
    return super.on(event, scoped(listener));
  }

  addListener(event, listener) {
    return this.on(event, listener);
  }

  prependListener(event, listener) {
    return super.prependListener(event, scoped(listener));
  }

  once(event, listener) {
    return this.on(event, scopedOnce(this, event, listener));
  }

  prependOnceListener(event, listener) {
    return this.prependListener(event, scopedOnce(this, event, listener));
  }
}

/** EventEmitter refuses values that are no functions. */
function scoped(listener) {
  if (typeof listener !== "function" || listener[SCOPED]) return listener;
  return marked(bound(listener, "listener"), listener);
}

function scopedOnce(emitter, event, listener) {
  if (typeof listener !== "function") return listener;
  const run = bound(listener, "listener");
  let over = false;
  function once(...args) {
    if (over) return undefined;
    over = true;
    emitter.removeListener(event, once);
    return run.apply(this, args);
  }
  return marked(once, listener);
}

/** EventEmitter finds a wrapped listener by its property `listener`, as it does for those of `once`. */
function marked(run, listener) {
  run.listener = listener.listener ?? listener;
  run[SCOPED] = true;
  return run;
}

module.exports = Emitter;
