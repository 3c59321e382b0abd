"use strict";
// Every method takes a callback or returns a promise; and user code that throws must not stop the rest of a batch.

const { invalid, shown } = require("./check.js");
const bound = require("./scope.js");

/** Calls `callback` so that what it throws becomes an uncaught exception of its own, as from any event. */
function call(callback, ...args) {
  try {
    callback(...args);
  } catch (error) {
    rethrow(error);
  }
}

/** As `emitter.emit`, in the same way. */
function emit(emitter, ...args) {
  try {
    emitter.emit(...args);
  } catch (error) {
    rethrow(error);
  }
}

/** Makes an error of user code an uncaught exception of its own. */
function rethrow(error) {
  process.nextTick(() => {
    throw error;
  });
}

/**
 * Runs `start(settle)`, where `settle(error, ...values)` is called once, later: gives the outcome to `callback`, or
 * returns a promise of the first value. What `start` throws is an outcome too.
 */
function settled(callback, start) {
  if (typeof callback === "function") {
    const scoped = bound(callback, "callback");
    begin(start, (error, ...values) => (error ? call(scoped, error) : call(scoped, null, ...values)));
    return undefined;
  }
  return new Promise((resolve, reject) => {
    if (callback !== undefined && callback !== null) reject(invalid(`the callback is ${shown(callback)}, it must be a function`));
    else begin(start, (error, value) => (error ? reject(error) : resolve(value)));
  });
}

function begin(start, settle) {
  try {
    start(settle);
  } catch (error) {
    process.nextTick(settle, error);
  }
}

module.exports = { call, emit, rethrow, settled };
