"use strict";
// Signals for supervisors, handled by the event loop: Node has handlers of its own, which the core must not replace.

const { isMainThread } = require("node:worker_threads");
const { emit } = require("./callbacks.js");
const { invalid } = require("./check.js");

/** What each is for. */
const actions = { SIGHUP: (supervisor) => supervisor.reload(ignore), SIGTERM: stop, SIGINT: stop };

/** The supervisors that handle them. */
const supervisors = new Set();

let listens = false;

/** Has `supervisor` handle them, until it is removed. From then on they end this process no more. */
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

/** Its outcome is an event. */
function ignore() {}

module.exports = { add, remove };
