"use strict";
// SIGINT and SIGTERM, for programs that have no handlers of their own: workers leave, so that their jobs move at once, and then the
// process ends as it would have.

const os = require("node:os");
const { isMainThread } = require("node:worker_threads");

const SIGNALS = ["SIGINT", "SIGTERM"];

/** One for the process: copies of this package share it. */
const KEY = Symbol.for("libswarm.leaving");

/** After the signal was raised again, until the process is ended in another way, in milliseconds: the first process of a container has no
 * default action. */
const LAST = 100;

/** Only the main thread hears signals. */
const state = isMainThread ? (process[KEY] ??= { workers: new Set(), hears: undefined, leaves: false }) : undefined;

function add(worker) {
  if (state === undefined) return;
  state.workers.add(worker);
  if (state.hears !== undefined) return;
  state.hears = (signal) => leave(signal);
  // First of all, because a listener that is called once is not seen any more after it was called.
  for (const signal of SIGNALS) process.prependListener(signal, state.hears);
}

/** It has left. */
function remove(worker) {
  if (state === undefined || !state.workers.delete(worker) || state.workers.size > 0) return;
  // A signal that has come already is still heard: it would be lost with the last listener.
  setImmediate(() => {
    if (state.workers.size === 0 && !state.leaves && state.hears !== undefined) stopHearing();
  });
}

function stopHearing() {
  for (const signal of SIGNALS) process.removeListener(signal, state.hears);
  state.hears = undefined;
}

async function leave(signal) {
  // The program sees to it itself.
  if (process.listenerCount(signal) > 1) return;
  if (!state.leaves) {
    state.leaves = true;
    await Promise.allSettled([...state.workers].map((worker) => worker._leave()));
  }
  // Or asked for a second time.
  end(signal);
}

function end(signal) {
  if (state.hears !== undefined) stopHearing();
  process.kill(process.pid, signal);
  setTimeout(() => process.exit(128 + os.constants.signals[signal]), LAST);
}

module.exports = { add, remove };
