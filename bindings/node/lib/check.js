"use strict";
// Checks of arguments where programs pass them. The core checks the bounds; these functions only make sure that a value has the expected type.

const { classes } = require("./errors.js");
const { textOf } = require("./text.js");

function invalid(message, cause) {
  return new classes.InvalidArgumentError(message, cause === undefined ? undefined : { cause });
}

/** A value in error messages. */
function shown(value) {
  if (typeof value === "string") return JSON.stringify(value.length > 64 ? `${value.slice(0, 64)}…` : value);
  return textOf(value).slice(0, 64);
}

/** The options of a call: an object, or nothing. `known` has the allowed names. */
function optionsOf(options, known, what) {
  if (options === undefined || options === null) return {};
  if (typeof options !== "object" || Array.isArray(options)) {
    throw invalid(`the options of ${what} are ${shown(options)}, they must be an object`);
  }
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) throw invalid(`unknown option \`${name}\` of ${what}; it takes ${known.join(", ")}`);
  }
  return options;
}

/** A text that names something. A lone surrogate is refused, because it would be converted into another name. */
function nameOf(value, what) {
  if (typeof value === "number" || typeof value === "bigint") return String(value);
  if (typeof value !== "string") throw invalid(`the ${what} is ${shown(value)}, it must be a string`);
  if (!value.isWellFormed()) throw invalid(`the ${what} ${shown(value)} has half a surrogate pair, which is no text in UTF-8`);
  return value;
}

/** As `nameOf`; undefined if there is no value. */
function optionalName(value, what) {
  return value === undefined || value === null ? undefined : nameOf(value, what);
}

/** An array of the elements of `values`. A text or bytes can be iterated, too, but are refused as a likely mistake. */
function listOf(values, what) {
  if (typeof values !== "object" || values === null || ArrayBuffer.isView(values) || typeof values[Symbol.iterator] !== "function") {
    throw invalid(`the ${what} are ${shown(values)}, they must be an array or another iterable`);
  }
  return Array.from(values);
}

/** Names: an array, or a single one. */
function namesOf(values, what, whats) {
  return (typeof values === "string" ? [values] : listOf(values, whats)).map((value) => nameOf(value, what));
}

/** A number of milliseconds within bounds. */
function millisecondsOf(value, what, min, max) {
  if (typeof value === "number" && value >= min && value <= max) return value;
  throw invalid(`${what} is ${shown(value)}, it must be ${min.toLocaleString("en")} to ${max.toLocaleString("en")} ms`);
}

/** A whole number within bounds. */
function wholeOf(value, what, min, max) {
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw invalid(`${what} is ${shown(value)}, it must be a whole number from ${min.toLocaleString("en")} to ${max.toLocaleString("en")}`);
}

/** A number of slots. */
function slotsOf(value) {
  return wholeOf(value, "slots", 1, 0xffffffff);
}

function functionOf(value, what) {
  if (typeof value === "function") return value;
  throw invalid(`${what} is ${shown(value)}, it must be a function`);
}

module.exports = { functionOf, invalid, listOf, millisecondsOf, nameOf, namesOf, optionalName, optionsOf, shown, slotsOf, wholeOf };
