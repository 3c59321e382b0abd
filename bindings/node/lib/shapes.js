"use strict";
// Checks of data from other programs: any client of Redis can send any data.

/** An object of JSON that is not an array. */
function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A text, or undefined. */
function textOf(value) {
  return typeof value === "string" ? value : undefined;
}

/** A process id, a number or digits; else undefined. */
function pidOf(value) {
  const pid = typeof value === "string" && /^\d{1,10}$/.test(value) ? Number(value) : value;
  return Number.isInteger(pid) && pid > 0 && pid < 2 ** 32 ? pid : undefined;
}

module.exports = { isObject, pidOf, textOf };
