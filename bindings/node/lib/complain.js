"use strict";
// Background errors: emitted to listeners, or else logged once.

const { emit } = require("./callbacks.js");
const { classes } = require("./errors.js");
const { recordError } = require("./log.js");

/** Errors that the core has logged as a warning. */
const recorded = new WeakSet();

/** Marks an error that the core has emitted. The core logs all of them except these two kinds. */
function fromCore(error) {
  if (!(error instanceof classes.LeaseLostError || error instanceof classes.MessagesDroppedError)) recorded.add(error);
  return error;
}

/**
 * Emits an `error` event. Without a listener, the error is logged once, or is a warning of the process if there is no log. It must not end the
 * process.
 */
function complain(emitter, error) {
  if (emitter.listenerCount("error") > 0) emit(emitter, "error", error);
  else if (!recordError(error, recorded.has(error))) process.emitWarning(error);
}

/** Whether the core has logged the error. */
function isRecorded(error) {
  return recorded.has(error);
}

/** Marks an error that the core of another process has logged. */
function markRecorded(error) {
  recorded.add(error);
}

module.exports = { complain, fromCore, isRecorded, markRecorded };
