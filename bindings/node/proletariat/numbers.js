"use strict";
// Numbers from programs: parsed leniently, as in proletariat.

/** The longest time that the core accepts, in milliseconds. */
const YEAR = 365 * 86_400_000;

/** The longest timer of Node, in milliseconds; a longer one would fire at once. */
const MAX_TIMER = 2 ** 31 - 1;

/** A time limit in milliseconds, or undefined if there is none. */
function limitOf(value) {
  const ms = Number(value);
  return ms > 0 ? Math.min(Math.ceil(ms), YEAR) : undefined;
}

/** An integer, or `otherwise` if it is none. */
function integerOf(value, otherwise) {
  const integer = Number.parseInt(value, 10);
  return Number.isSafeInteger(integer) ? integer : otherwise;
}

/** A timer, unless there is no limit. */
function timer(ms, ring) {
  return ms === undefined || ms > MAX_TIMER ? undefined : setTimeout(ring, ms);
}

module.exports = { YEAR, integerOf, limitOf, timer };
