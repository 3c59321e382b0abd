"use strict";
// What a handler throws, and what becomes of its job.

const { millisecondsOf } = require("./check.js");
const { attempt, textOf, tracebackOf } = require("./text.js");
const { Finish } = require("./wire.js");

/** The longest pause before a retry, in milliseconds: a year, as for the option backoff. */
const MAX_PAUSE = 365 * 86_400_000;

/** Mark the classes below in every copy of this package: a handler may have its classes from another one than the worker. */
const PERMANENT = Symbol.for("libswarm.PermanentFailure");
const RETRY = Symbol.for("libswarm.RetryAfter");

/** Thrown by a handler: the job has failed, whatever its retries. */
class PermanentFailure extends Error {
  get [PERMANENT]() {
    return true;
  }
}
PermanentFailure.prototype.name = "PermanentFailure";

/** Thrown by a handler: this attempt has failed, and the next one, if any is left, begins `after` milliseconds later. */
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

function pauseOf(after) {
  return millisecondsOf(after, "the pause before a retry", 0, MAX_PAUSE);
}

/** How a job is finished whose attempt failed with whatever was thrown: the kind of the finish, and its line of the batch. Never throws. */
function failureOf(error) {
  const after = attempt(() => (error[RETRY] === true ? pauseOf(error.after) : undefined));
  if (after !== undefined) return retryOf(error, after);
  const kind = attempt(() => error[PERMANENT] === true) ? Finish.FAIL_PERMANENTLY : Finish.FAIL;
  return { kind, content: lineOf(error) };
}

/** The same for an attempt that is followed by another after this pause. */
function retryOf(error, after) {
  return { kind: Finish.RETRY, content: lineOf(error, pauseOf(after)) };
}

/** The same for a job that has failed whatever its retries. */
function permanentOf(error) {
  return { kind: Finish.FAIL_PERMANENTLY, content: lineOf(error) };
}

/** What is kept with the job. Without an error there is no text. */
function lineOf(error, ...more) {
  return JSON.stringify([error === NOTHING ? "" : textOf(error), tracebackOf(error), ...more]);
}

/** Stands for an error that was left out. */
const NOTHING = Symbol("nothing");

module.exports = { NOTHING, PermanentFailure, RetryAfter, failureOf, permanentOf, retryOf };
