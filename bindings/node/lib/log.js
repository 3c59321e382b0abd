"use strict";
// Log records of the core. Off unless a logger is set; one per process.

const { rethrow } = require("./callbacks.js");
const { functionOf, invalid, optionsOf, shown } = require("./check.js");
const { errorOf } = require("./errors.js");
const native = require("./native.js");
const bound = require("./scope.js");

const levels = ["error", "warn", "info", "debug", "trace"];

/** Calls `logger({ level, target, message })` for records up to `level`, or nobody if `logger` is null. */
function setLogger(logger, options) {
  const { level = "info" } = optionsOf(options, ["level"], "setLogger");
  const number = levels.indexOf(level) + 1;
  if (number === 0) throw invalid(`level is ${shown(level)}, it must be one of ${levels.join(", ")}`);
  const sink = logger === null || logger === undefined ? null : sinkOf(functionOf(logger, "the logger"));
  const failure = native.setLogger(sink ? number : 0, sink);
  if (failure) throw errorOf(failure.number, failure.message);
}

function sinkOf(logger) {
  const scoped = bound(logger, "logger");
  return (level, target, message) => {
    try {
      scoped({ level: levels[level - 1], target, message });
    } catch (error) {
      rethrow(error);
    }
  };
}

module.exports = { setLogger };
