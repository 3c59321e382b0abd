"use strict";
// What a handler throws, and what becomes of its job.

const { classes } = require("./errors.js");
const { Finish } = require("./wire.js");

/** The longest pause before a retry, in milliseconds: a year, as for the option backoff. */
const MAX_PAUSE = 365 * 86_400_000;

/** Thrown by a handler: the job has failed, whatever its retries. */
class PermanentFailure extends Error {}
PermanentFailure.prototype.name = "PermanentFailure";

/** Thrown by a handler: this attempt has failed, and the next one, if any is left, begins `after` milliseconds later. */
class RetryAfter extends Error {
  constructor(after, message, options) {
    super(message, options);
    this.after = pauseOf(after);
  }
}
RetryAfter.prototype.name = "RetryAfter";

function pauseOf(after) {
  if (typeof after === "number" && after >= 0 && after <= MAX_PAUSE) return after;
  throw new classes.InvalidArgumentError(`the pause before a retry is ${String(after)}, it must be 0 to ${MAX_PAUSE} ms`);
}

/** How a job is finished whose attempt failed with this error: the kind of the finish, and its line of the batch. */
function failureOf(error) {
  if (error instanceof RetryAfter) return retryOf(error, error.after);
  return { kind: error instanceof PermanentFailure ? Finish.FAIL_FOR_GOOD : Finish.FAIL, content: JSON.stringify(shownOf(error)) };
}

/** The same for an attempt that is followed by another after this pause. */
function retryOf(error, after) {
  return { kind: Finish.RETRY, content: JSON.stringify([pauseOf(after), shownOf(error)]) };
}

/** What is kept with a failed job: the text of the error, and where it was made. */
function shownOf(error) {
  return [textOf(error), error instanceof Error && typeof error.stack === "string" ? error.stack : ""];
}

/** The text that is kept with a failed job: of an error its name and message, as in Python. */
function textOf(error) {
  if (error === undefined) return "";
  return error instanceof Error ? String(error) : String(error?.message ?? error);
}

module.exports = { PermanentFailure, RetryAfter, failureOf, retryOf, shownOf, textOf };
