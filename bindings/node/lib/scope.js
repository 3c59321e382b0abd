"use strict";
// The async context in which a program gave a function: it is called there, whatever the native side is just doing, so that a program
// that keeps the request it works for in an AsyncLocalStorage finds it.

const { AsyncResource } = require("node:async_hooks");

/** `run`, to be called in the context of now. */
function bound(run, what) {
  const resource = new AsyncResource(`assemblage.${what}`);
  return function scoped(...args) {
    return resource.runInAsyncScope(run, this, ...args);
  };
}

module.exports = bound;
