"use strict";
// Converts what a handler throws into the finish of its job.

const { millisecondsOf, optionalName } = require("./check.js");
const { attempt, textOf, tracebackOf } = require("./text.js");
const { Finish } = require("./wire.js");

/** The longest pause before a retry, in milliseconds: a year, as for the option backoff. */
const MAX_PAUSE = 365 * 86_400_000;

/** Mark the classes below in every copy of this package: a handler may use another copy than the worker. */
const PERMANENT = Symbol.for("libswarm.PermanentFailure");
const RETRY = Symbol.for("libswarm.RetryAfter");
const LIMITED = Symbol.for("libswarm.RateLimited");

const LIMITED_FOR = "the time of a rate limit";

/** Thrown by a handler: the job fails permanently, even if retries are left. */
class PermanentFailure extends Error {
  get [PERMANENT]() {
    return true;
  }
}
PermanentFailure.prototype.name = "PermanentFailure";

/** Thrown by a handler: this attempt failed; the next one, if any is left, starts `after` milliseconds later. */
class RetryAfter extends Error {
  constructor(after, message, options) {
    super(message, options);
    this.after = pauseOf(after);
  }

  get [RETRY]() {
    return true;
  }
}
RetryAfter.prototype.name = "RetryAfter";

/**
 * Thrown by a handler whose request was refused for now (HTTP 429): the limit named `limit`, or without it each limit of the job, starts no jobs for `after`
 * milliseconds. No attempt is counted.
 */
class RateLimited extends Error {
  constructor(after, limit) {
    super(`rate limited for ${after} ms`);
    this.after = pauseOf(after, LIMITED_FOR);
    this.limit = optionalName(limit, "name of a limit");
  }

  get [LIMITED]() {
    return true;
  }
}
RateLimited.prototype.name = "RateLimited";

function pauseOf(after, what = "the pause before a retry") {
  return millisecondsOf(after, what, 0, MAX_PAUSE);
}

/** The finish of a job whose attempt threw `error`: its kind, and its line of the batch. Never throws. */
function failureOf(error) {
  const limited = attempt(() => (error[LIMITED] === true ? limitedOf(error.after, error.limit) : undefined));
  if (limited !== undefined) return limited;
  const after = attempt(() => (error[RETRY] === true ? pauseOf(error.after) : undefined));
  if (after !== undefined) return retryOf(error, after);
  const kind = attempt(() => error[PERMANENT] === true) ? Finish.FAIL_PERMANENTLY : Finish.FAIL;
  return { kind, content: lineOf(error) };
}

/** As `failureOf`, with the pause before the next attempt. */
function retryOf(error, after) {
  return { kind: Finish.RETRY, content: lineOf(error, pauseOf(after)) };
}

/** The finish of a job that a limit lets wait; the line has the limit in the place of the error text. */
function limitedOf(after, limit) {
  return { kind: Finish.RATE_LIMITED, content: JSON.stringify([optionalName(limit, "name of a limit") ?? "", "", pauseOf(after, LIMITED_FOR)]) };
}

/** As `failureOf`, for a job that fails permanently. */
function permanentOf(error) {
  return { kind: Finish.FAIL_PERMANENTLY, content: lineOf(error) };
}

/** The texts that are kept with the job; empty without an error. */
function lineOf(error, ...more) {
  return JSON.stringify([error === NOTHING ? "" : textOf(error), tracebackOf(error), ...more]);
}

/** Stands for an omitted error. */
const NOTHING = Symbol("nothing");

module.exports = { NOTHING, PermanentFailure, RateLimited, RetryAfter, failureOf, limitedOf, permanentOf, retryOf };
