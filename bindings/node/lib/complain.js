"use strict";
// Errors of the background: for those who listen, or else seen once.

const { emit } = require("./callbacks.js");
const { classes } = require("./errors.js");
const { recordError } = require("./log.js");

/** Errors of which the core has a record in its log, a warning. */
const recorded = new WeakSet();

/** Marks an error that the core has emitted. The core logs all of them but these two kinds. */
function fromCore(error) {
  if (!(error instanceof classes.LeaseLostError || error instanceof classes.MessagesDroppedError)) recorded.add(error);
  return error;
}

/**
 * Emits an `error` event. If nobody listens the error is in the log, once, or a warning of the process where there is no log: it is no reason to end
 * the process.
 */
function complain(emitter, error) {
  if (emitter.listenerCount("error") > 0) emit(emitter, "error", error);
  else if (!recordError(error, recorded.has(error))) process.emitWarning(error);
}

/** Whether the core has logged it. */
function isRecorded(error) {
  return recorded.has(error);
}

/** An error that the core of another process has logged. */
function markRecorded(error) {
  recorded.add(error);
}

module.exports = { complain, fromCore, isRecorded, markRecorded };
