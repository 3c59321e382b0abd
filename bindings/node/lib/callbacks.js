"use strict";
// Every method takes a callback or returns a promise. User code that throws must not stop the rest of a batch.

const { AsyncResource } = require("node:async_hooks");
const { invalid, shown } = require("./check.js");

/** Calls `callback` so that what it throws becomes a separate uncaught exception, as from any event. */
function call(callback, ...args) {
  try {
    callback(...args);
  } catch (error) {
    rethrow(error);
  }
}

/** As `emitter.emit`; errors of listeners become uncaught exceptions, as in `call`. */
function emit(emitter, ...args) {
  try {
    emitter.emit(...args);
  } catch (error) {
    rethrow(error);
  }
}

/** Makes an error of user code a separate uncaught exception. */
function rethrow(error) {
  process.nextTick(() => {
    throw error;
  });
}

/**
 * Runs `start(settle)`, where `settle(error, value, more)` is called once, later. Passes the outcome to `callback`, or returns a promise of the
 * first value. What `start` throws is an outcome, too.
 */
function settled(callback, start) {
  if (typeof callback === "function") {
    begin(start, settling(callback));
    return undefined;
  }
  return new Promise((resolve, reject) => {
    if (callback !== undefined && callback !== null) reject(invalid(`the callback is ${shown(callback)}, it must be a function`));
    else begin(start, (error, value) => (error ? reject(error) : resolve(value)));
  });
}

/** Calls a callback in the current async context. There is one per call, so it is one object and one function, without lists of arguments. */
function settling(callback) {
  const scope = new AsyncResource("assemblage.callback");
  return function settle(error, value, more) {
    if (error) scope.runInAsyncScope(call, undefined, callback, error);
    else if (arguments.length > 2) scope.runInAsyncScope(call, undefined, callback, null, value, more);
    else if (arguments.length > 1) scope.runInAsyncScope(call, undefined, callback, null, value);
    else scope.runInAsyncScope(call, undefined, callback, null);
  };
}

/** Settles a call with a value that the program's `parse` may read, which may fail. */
function settleWith(settle, read) {
  let value;
  try {
    value = read();
  } catch (error) {
    return settle(error ?? invalid("parse failed without an error"));
  }
  return settle(null, value);
}

function begin(start, settle) {
  try {
    start(settle);
  } catch (error) {
    process.nextTick(settle, error);
  }
}

module.exports = { call, emit, rethrow, settleWith, settled };
