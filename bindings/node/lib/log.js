"use strict";
// Log records of the core, and of this package. One logger per process; by default, warnings and errors are written to stderr.

const { rethrow } = require("./callbacks.js");
const { functionOf, invalid, optionsOf, shown } = require("./check.js");
const { errorOf } = require("./errors.js");
const native = require("./native.js");
const bound = require("./scope.js");
const { textOf } = require("./text.js");

const levels = ["error", "warn", "info", "debug", "trace"];

/** The level that is written to stderr while no logger is set. */
const DEFAULT_LEVEL = levels.indexOf("warn") + 1;

/** The logger of this thread; undefined until one is set here. */
let current;

/** Calls `logger({ level, target, message })` for records up to `level`. No logger is called if it is null. */
function setLogger(logger, options) {
  const { level = "info" } = optionsOf(options, ["level"], "setLogger");
  const number = levels.indexOf(level) + 1;
  if (number === 0) throw invalid(`level is ${shown(level)}, it must be one of ${levels.join(", ")}`);
  install(logger === null || logger === undefined ? null : bound(functionOf(logger, "the logger"), "logger"), number);
}

function install(logger, number) {
  const sink = logger && ((level, target, message) => give(logger, level, target, message));
  const failure = native.setLogger(sink ? number : 0, sink);
  if (failure) throw errorOf(failure.number, failure.message);
  current = { logger, number };
}

/** Shows warnings even to programs that have not set a logger: called when the core starts. */
function logByDefault() {
  if (current === undefined && !native.hasLogger()) install(toStderr, DEFAULT_LEVEL);
}

function toStderr({ level, target, message }) {
  console.error(`assemblage: ${level}: ${target}: ${message}`);
}

function give(logger, level, target, message) {
  try {
    logger({ level: levels[level - 1], target, message });
  } catch (error) {
    rethrow(error);
  }
}

/** Logs a record of this package. */
function record(level, message) {
  const { logger, number } = current ?? { logger: toStderr, number: DEFAULT_LEVEL };
  const at = levels.indexOf(level) + 1;
  if (logger && at <= number) give(logger, at, "assemblage", message);
}

/** Logs an error that has no listener; `known` if the core has logged it as a warning. Returns false if there is no log. */
function recordError(error, known) {
  // The log belongs to another thread, or there is none.
  if (!current?.logger) return false;
  if (!known || current.number < levels.indexOf("warn") + 1) record("error", textOf(error));
  return true;
}

module.exports = { logByDefault, record, recordError, setLogger };
