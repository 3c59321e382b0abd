"use strict";
// Texts of values of a program. Their getters, proxies and conversions run code of the program, and may throw.

const { inspect, types } = require("node:util");

/** The core keeps no longer texts and tracebacks of errors, in bytes, and so in characters. */
const MAX_TEXT = 16 * 1024;

/** The limit of errors of a chain of causes. */
const MAX_CAUSES = 20;

/** The text of a thrown value: for an error its name and message, as in Python. Never throws. */
function textOf(error) {
  const text = attempt(() => (isError(error) ? String(error) : String(error?.message ?? error)))
    ?? attempt(() => (isError(error) ? ownText(error) : undefined))
    ?? attempt(() => inspect(error, { customInspect: false, depth: 0 }))
    ?? `a ${typeof error} that cannot be shown`;
  // A lone surrogate has no UTF-8.
  return text.slice(0, MAX_TEXT).toWellFormed();
}

/** For an error whose conversion to text fails. */
function ownText({ name, message }) {
  const known = typeof name === "string" ? name : "Error";
  return typeof message === "string" ? `${known}: ${message}` : known;
}

/** The stack of an error and of its causes; empty for other values. Never throws. */
function tracebackOf(error) {
  const parts = [];
  const seen = new Set();
  let at = error;
  while (parts.length < MAX_CAUSES && attempt(() => isError(at)) && !seen.has(at)) {
    seen.add(at);
    const stack = stackOf(at);
    if (stack === undefined && parts.length === 0) return "";
    const caused = parts.length === 0 ? "" : "caused by: ";
    parts.push(caused + (stack ?? textOf(at)));
    for (const each of attempt(() => Array.isArray(at.errors) && at.errors.slice(0, MAX_CAUSES)) || []) {
      if (!seen.has(each)) parts.push(`one of its errors: ${stackOf(each) ?? textOf(each)}`);
    }
    at = attempt(() => at.cause);
  }
  if (parts.length > 0 && at !== undefined && !seen.has(at) && parts.length < MAX_CAUSES) parts.push(`caused by: ${textOf(at)}`);
  return parts.map((part) => part.slice(-MAX_TEXT)).join("\n").slice(-MAX_TEXT).toWellFormed();
}

function stackOf(error) {
  return attempt(() => (typeof error.stack === "string" && error.stack !== "" ? error.stack : undefined));
}

/** Also true for errors of other realms. */
function isError(value) {
  return types.isNativeError(value) || value instanceof Error;
}

/** Returns the value of `read()`, or undefined if it throws. */
function attempt(read) {
  try {
    return read();
  } catch {
    return undefined;
  }
}

module.exports = { attempt, isError, textOf, tracebackOf };
