"use strict";
// SIGINT and SIGTERM, for programs without their own handlers: members leave, so that their jobs are requeued at once, and then the process ends as
// it would have.

const os = require("node:os");
const { isMainThread } = require("node:worker_threads");
const { record } = require("./log.js");
const { textOf } = require("./text.js");

const SIGNALS = ["SIGINT", "SIGTERM"];

/** The state is one per process, shared by all copies of this package. */
const KEY = Symbol.for("libswarm.leaving");

/**
 * The time between raising the signal again and ending the process in another way, in milliseconds: for the init process of a container, signals
 * have no default action.
 */
const LAST = 100;

/** Only the main thread receives signals. */
const state = isMainThread ? (process[KEY] ??= { leavers: new Set(), listener: undefined, leaves: false }) : undefined;

/** Calls `leaver._leave(options)` before a signal ends the process, which waits for its promise. `options` are those of `terminate`. */
function add(leaver) {
  if (state === undefined) return;
  state.leavers.add(leaver);
  if (state.listener !== undefined) return;
  state.listener = (signal) => leave(signal);
  // Prepended, because a `once` listener of the program would be removed before this one runs.
  for (const signal of SIGNALS) process.prependListener(signal, state.listener);
}

/** Removes a leaver that has left. */
function remove(leaver) {
  if (state === undefined || !state.leavers.delete(leaver) || state.leavers.size > 0) return;
  // Later, so that a signal that has already arrived is still handled: it would be lost with the last listener.
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
  // Also when a second signal arrived.
  end(signal);
}

/**
 * Whether the program handles a signal itself. Listeners of the package signal-exit (3 and 4) do not count: they end the process once they are the
 * only ones, which would never happen if this module waited for them.
 */
function isHandled(signal) {
  const exits = [process.__signal_exit_emitter__, globalThis[Symbol.for("signal-exit emitter")]];
  const passive = exits.reduce((sum, emitter) => sum + (typeof emitter?.count === "number" ? emitter.count : 0), 0);
  return process.listenerCount(signal) - 1 > passive;
}

/** Lets all members leave before the process ends in another way. Never fails. */
async function leaveAll(options) {
  await Promise.all(Array.from(state?.leavers ?? [], (leaver) => leaveOne(leaver, options)));
}

/** Lets one member leave. Never fails: errors are logged, because the process ends at any rate. */
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
