"use strict";
// Converts a job of the queue to a job of the cluster, and back.

const { types } = require("node:util");
const { isNewJob } = require("../../lib/new_job.js");
const { jobName } = require("./names.js");

/** The maximum of the core. */
const MAX_RETRIES = 200;

/** Params as a JSON payload; `null` if there are none. */
function payloadOf(params) {
  if (params === undefined || typeof params === "function" || typeof params === "symbol") return null;
  // The API of this package treats these values specially.
  const special = ArrayBuffer.isView(params) || types.isAnyArrayBuffer(params) || isNewJob(params);
  return special ? JSON.parse(JSON.stringify(params)) : params;
}

/** The options of the cluster's job. */
function jobOptions(taskId, { resourceId, retries }) {
  const options = { task: jobName(String(taskId)) };
  const left = Number.parseInt(retries, 10);
  if (left > 0) options.retries = Math.min(left, MAX_RETRIES);
  if (resourceId) {
    const resource = String(resourceId);
    options.resource = jobName(resource);
    if (options.resource !== resource) options.headers = { resource };
  }
  return options;
}

/** The job for events. Without a resource it has its own. */
function jobInfo(task, job) {
  return {
    type: task.id,
    resource: job.headers.resource ?? (job.resource || job.id),
    params: job.payload,
    // Each crash of a process that performed it has used up one.
    retries: Math.max(0, job.retriesLeft - job.crashes),
  };
}

module.exports = { jobInfo, jobOptions, payloadOf };
