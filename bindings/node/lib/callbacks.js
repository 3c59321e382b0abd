"use strict";
// Every method takes a callback or returns a promise; and user code that throws must not stop the rest of a batch.

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
 *
 * `quiet` is for the methods of assemblage 0.1, where the callback may be left out: nobody may be looking at the promise
 * then, and a failure that nobody looks at must not end the process.
 */
function settled(callback, start, quiet = false) {
  if (typeof callback === "function") {
    begin(start, (error, ...values) => (error ? call(callback, error) : call(callback, null, ...values)));
    return undefined;
  }
  const promise = new Promise((resolve, reject) => {
    begin(start, (error, value) => {
      if (!error) return resolve(value);
      if (quiet) promise.catch(() => {});
      return reject(error);
    });
  });
  return promise;
}

function begin(start, settle) {
  try {
    start(settle);
  } catch (error) {
    process.nextTick(settle, error);
  }
}

module.exports = { call, emit, rethrow, settled };
