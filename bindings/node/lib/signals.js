"use strict";
// Signals for supervisors, handled by the event loop: Node has its own handlers, which the core must not replace.

const { isMainThread } = require("node:worker_threads");
const { emit } = require("./callbacks.js");
const { invalid } = require("./check.js");

/** The action of each signal. */
const actions = { SIGHUP: (supervisor) => supervisor.reload(ignore), SIGTERM: stop, SIGINT: stop };

/** The supervisors that handle signals. */
const supervisors = new Set();

let listens = false;

/** Lets `supervisor` handle signals until it is removed. From then on they do not end this process. */
function add(supervisor) {
  if (!isMainThread) throw invalid("handleSignals() is for the main thread, the only one that gets signals");
  supervisors.add(supervisor);
  if (listens) return;
  listens = true;
  for (const name of Object.keys(actions)) process.on(name, handle);
}

function remove(supervisor) {
  supervisors.delete(supervisor);
}

function handle(name) {
  for (const supervisor of [...supervisors]) {
    emit(supervisor, "signal", name);
    actions[name](supervisor);
  }
}

function stop(supervisor) {
  supervisor.stop(ignore);
}

/** The outcome is reported by an event. */
function ignore() {}

module.exports = { add, remove };
