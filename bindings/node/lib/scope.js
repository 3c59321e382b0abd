"use strict";
// The async context in which a program passed a function: the function is called there, whatever the native side does meanwhile, so that an
// AsyncLocalStorage of the program has the expected value.

const { AsyncResource } = require("node:async_hooks");

/** Binds `run` to the current context. */
function bound(run, what) {
  const resource = new AsyncResource(`assemblage.${what}`);
  return function scoped(...args) {
    return resource.runInAsyncScope(run, this, ...args);
  };
}

module.exports = bound;
