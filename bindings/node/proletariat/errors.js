"use strict";
// Errors with the codes of proletariat, and the format of a work's outcome.

const { classes } = require("../lib/errors.js");
const { isObject, textOf } = require("../lib/shapes.js");
const { isError } = require("../lib/text.js");

/** Its JSON has message and code, as the plain objects that proletariat used for errors. */
class ProletariatError extends Error {
  constructor(message, code) {
    super(message);
    Object.defineProperty(this, "message", { value: message, enumerable: true, writable: true, configurable: true });
    if (code !== undefined) this.code = code;
  }
}
Object.defineProperty(ProletariatError.prototype, "name", { value: "ProletariatError", writable: true, configurable: true });

const clientTimeout = () => new ProletariatError("Client side timeout", "ECSTO");
const closed = () => new ProletariatError("The client is closed", "ECLOSED");
const disconnected = () => new ProletariatError("Disconnected from server before getting the confirmation", "ECLOSED");
const badWork = (why) => new ProletariatError(`Invalid work: ${why}`, "EINVWORK");
const tooLarge = (what, size, most) => new ProletariatError(`The ${what} has ${size} bytes, at most ${most} are taken`, "ELARGEMSG");

/** The outcome from a handler of the worker `by`, as JSON. An error keeps its message and code; any other truthy value stays unchanged. */
function outcomeText(err, data, by) {
  try {
    return JSON.stringify(err ? { ...failure(err), d: data, by } : { d: data, by });
  } catch (error) {
    return JSON.stringify(failure(new ProletariatError(`The answer cannot be written as JSON: ${messageOf(error)}`, "EINVWORK")));
  }
}

function failure(err) {
  if (typeof err === "function" || typeof err === "symbol") return { e: String(err) };
  if (!isError(err)) return { e: err };
  return { x: { message: messageOf(err), code: codeOf(err.code) } };
}

/** The message of an error. It may be a getter that throws, or a value of any type. */
function messageOf(err) {
  try {
    return String(err.message);
  } catch {
    return "an error without a message";
  }
}

function codeOf(code) {
  return typeof code === "string" || typeof code === "number" ? code : undefined;
}

/** Stands for an outcome of `size` bytes, which is too large for a result and is sent to the client by itself. */
const largeText = (size, by) => JSON.stringify({ b: size, by });

/** Parses the text of `outcomeText` to `{ err, data, worker }`, and that of `largeText` to `{ large, worker }`. */
function readOutcome(text) {
  const { e, x, d, b, by } = JSON.parse(text);
  const worker = textOf(by);
  if (typeof b === "number") return { large: b, worker };
  const err = isObject(x) ? new ProletariatError(String(textOf(x.message)), codeOf(x.code)) : e ?? null;
  return { err, data: err && d === undefined ? null : d, worker };
}

/** Why a work has no result, with the texts of proletariat where they exist. */
function reasonOf(error) {
  if (error instanceof classes.AssignTimeoutError) return new ProletariatError("Assign timeout", "EATO");
  if (error instanceof classes.RunTimeoutError) return new ProletariatError("Timeout", "ETO");
  return error;
}

module.exports = { ProletariatError, badWork, clientTimeout, closed, disconnected, largeText, outcomeText, readOutcome, reasonOf, tooLarge };
