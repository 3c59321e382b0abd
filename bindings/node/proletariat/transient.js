"use strict";

const { classes } = require("../lib/errors.js");

/**
 * Whether a job is to be sent again, with its id, after this error: Redis was not available, the job was deleted because its sender had lost its
 * lease (`rejoined`), or its outcome cannot be determined any more.
 */
function isTransient(error, rejoined) {
  if (error instanceof classes.JobDeletedError) return rejoined;
  return error.retryable === true || error instanceof classes.OutcomeUnknownError || error instanceof classes.NotFoundError;
}

module.exports = { isTransient };
