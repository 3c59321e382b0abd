"use strict";
// Checks of what other programs sent: any client of Redis can send anything.

/** An object as JSON has them, and no array. */
function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A text, or undefined. */
function textOf(value) {
  return typeof value === "string" ? value : undefined;
}

/** The number of a process, given as a number or in digits, or undefined. */
function pidOf(value) {
  const pid = typeof value === "string" && /^\d{1,10}$/.test(value) ? Number(value) : value;
  return Number.isInteger(pid) && pid > 0 && pid < 2 ** 32 ? pid : undefined;
}

module.exports = { isObject, pidOf, textOf };
