"use strict";
// Signals for supervisors, heard by the event loop: Node has handlers of its own, which the core must not replace.

const { isMainThread } = require("node:worker_threads");
const { emit } = require("./callbacks.js");
const { invalid } = require("./check.js");

/** What each is for. */
const actions = { SIGHUP: (supervisor) => supervisor.reload(ignore), SIGTERM: stop, SIGINT: stop };

/** Who hears them. */
const supervisors = new Set();

let listens = false;

/** Has `supervisor` hear them, until it is removed. From then on they end this process no more. */
function add(supervisor) {
  if (!isMainThread) throw invalid("handleSignals() is for the main thread, the only one that hears signals");
  supervisors.add(supervisor);
  if (listens) return;
  listens = true;
  for (const name of Object.keys(actions)) process.on(name, hear);
}

function remove(supervisor) {
  supervisors.delete(supervisor);
}

function hear(name) {
  for (const supervisor of [...supervisors]) {
    emit(supervisor, "signal", name);
    actions[name](supervisor);
  }
}

function stop(supervisor) {
  supervisor.stop(ignore);
}

/** How it went is told by an event. */
function ignore() {}

module.exports = { add, remove };
