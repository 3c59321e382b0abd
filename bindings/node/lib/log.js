"use strict";
// Log records of the core. Off unless a logger is set; one per process.

const { classes, errorOf } = require("./errors.js");
const native = require("./native.js");

const levels = ["error", "warn", "info", "debug", "trace"];

/** Calls `logger({ level, target, message })` for records up to `level`, or nobody if `logger` is null. */
function setLogger(logger, { level = "info" } = {}) {
  const number = levels.indexOf(level) + 1;
  if (number === 0) throw new classes.InvalidArgumentError(`level is ${level}, it must be one of ${levels.join(", ")}`);
  const sink = logger && ((recordLevel, target, message) => logger({ level: levels[recordLevel - 1], target, message }));
  const failure = native.setLogger(sink ? number : 0, sink || null);
  if (failure) throw errorOf(failure.number, failure.message);
}

module.exports = { setLogger };
