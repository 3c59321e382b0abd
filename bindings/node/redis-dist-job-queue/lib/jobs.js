"use strict";
// A job of the queue as a job of the cluster, and back.

const { types } = require("node:util");
const { isNewJob } = require("../../lib/new_job.js");
const { jobName } = require("./names.js");

/** The core's most. */
const MAX_RETRIES = 200;

/** Params as the payload that keeps them as JSON, `null` if there are none. */
function payloadOf(params) {
  if (params === undefined || typeof params === "function" || typeof params === "symbol") return null;
  // The modern face has ways of its own for these.
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

/** The job as events show it. Without a resource it has one of its own. */
function jobInfo(task, job) {
  return {
    type: task.id,
    resource: job.headers.resource ?? (job.resource || job.id),
    params: job.payload,
    // Each death of a process that performed it has used up one.
    retries: Math.max(0, job.retriesLeft - job.crashes),
  };
}

module.exports = { jobInfo, jobOptions, payloadOf };
