"use strict";

const { classes } = require("../lib/errors.js");

/**
 * Whether a job is to be sent again, under its id, after this error: Redis was away, or the job was given up because its
 * sender had lost its lease (`rejoined`), or what became of it can no longer be learnt.
 */
function isTransient(error, rejoined) {
  if (error instanceof classes.JobDeletedError) return rejoined;
  return error.retryable === true || error instanceof classes.OutcomeUnknownError || error instanceof classes.NotFoundError;
}

module.exports = { isTransient };
