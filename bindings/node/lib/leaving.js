"use strict";
// SIGINT and SIGTERM, for programs that have no handlers of their own: members leave, so that their jobs move at once, and then the
// process ends as it would have.

const os = require("node:os");
const { isMainThread } = require("node:worker_threads");
const { record } = require("./log.js");
const { textOf } = require("./text.js");

const SIGNALS = ["SIGINT", "SIGTERM"];

/** One for the process: copies of this package share it. */
const KEY = Symbol.for("libswarm.leaving");

/** After the signal was raised again, until the process is ended in another way, in milliseconds: the first process of a container has no
 * default action. */
const LAST = 100;

/** Only the main thread gets signals. */
const state = isMainThread ? (process[KEY] ??= { leavers: new Set(), listener: undefined, leaves: false }) : undefined;

/** From now on `leaver._leave(options)` is called before a signal ends the process, which waits for its promise. `options` are those of `terminate`. */
function add(leaver) {
  if (state === undefined) return;
  state.leavers.add(leaver);
  if (state.listener !== undefined) return;
  state.listener = (signal) => leave(signal);
  // First of all, because a listener that is called once is not seen any more after it was called.
  for (const signal of SIGNALS) process.prependListener(signal, state.listener);
}

/** It has left. */
function remove(leaver) {
  if (state === undefined || !state.leavers.delete(leaver) || state.leavers.size > 0) return;
  // A signal that has come already is still handled: it would be lost with the last listener.
  setImmediate(() => {
    if (state.leavers.size === 0 && !state.leaves && state.listener !== undefined) stopListening();
  });
}

function stopListening() {
  for (const signal of SIGNALS) process.removeListener(signal, state.listener);
  state.listener = undefined;
}

async function leave(signal) {
  if (isHandled(signal)) return;
  if (!state.leaves) {
    state.leaves = true;
    await leaveAll();
  }
  // Or asked for a second time.
  end(signal);
}

/**
 * Whether the program sees to a signal itself. Listeners of the package signal-exit (3 and 4) do not: they end the process once they are the only ones,
 * which they would never be if this module waited for them.
 */
function isHandled(signal) {
  const exits = [process.__signal_exit_emitter__, globalThis[Symbol.for("signal-exit emitter")]];
  const passive = exits.reduce((sum, emitter) => sum + (typeof emitter?.count === "number" ? emitter.count : 0), 0);
  return process.listenerCount(signal) - 1 > passive;
}

/** Has all leave, for who is about to end the process in another way. Never fails. */
async function leaveAll(options) {
  await Promise.all(Array.from(state?.leavers ?? [], (leaver) => leaveOne(leaver, options)));
}

/** Has one leave. Never fails: what stands in the way is logged, because the process ends all the same. */
async function leaveOne(leaver, options) {
  try {
    await leaver._leave(options);
  } catch (error) {
    record("warn", `leaving: ${textOf(error)}`);
  }
}

function end(signal) {
  if (state.listener !== undefined) stopListening();
  process.kill(process.pid, signal);
  setTimeout(() => process.exit(128 + os.constants.signals[signal]), LAST);
}

module.exports = { add, leaveAll, leaveOne, remove };
