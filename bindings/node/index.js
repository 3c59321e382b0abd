"use strict";

const { classes } = require("./lib/errors.js");
const { PermanentFailure, RateLimited, RetryAfter } = require("./lib/failures.js");
const { Job } = require("./lib/job.js");
const { setLogger } = require("./lib/log.js");
const Master = require("./lib/master.js");
const native = require("./lib/native.js");
const { NewJob } = require("./lib/new_job.js");
const ready = require("./lib/ready.js");
const Supervisor = require("./lib/supervisor.js");
const Worker = require("./lib/worker.js");

/** Creates a master of the cluster: adds and deletes jobs, awaits their results. */
function createMaster(clusterId, config) {
  return new Master(clusterId, config);
}

/** Creates a worker of the cluster: accepts and runs jobs. */
function createWorker(clusterId, config) {
  return new Worker(clusterId, config);
}

/** Creates a supervisor of processes, without any yet. Needs no Redis. */
function createSupervisor(options) {
  return new Supervisor(options);
}

module.exports = {
  createMaster,
  createSupervisor,
  createWorker,
  ready,
  setLogger,
  version: native.version(),
  Job,
  Master,
  NewJob,
  PermanentFailure,
  RateLimited,
  RetryAfter,
  Supervisor,
  Worker,
  ...classes,
};
