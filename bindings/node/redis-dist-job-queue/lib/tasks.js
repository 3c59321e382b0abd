"use strict";
// Loads task modules.

const { createRequire } = require("node:module");
const path = require("node:path");

/** Loads modules that are named at run time, even in a bundle: bundlers replace plain calls of `require`. */
const load = createRequire(path.resolve("_"));

/** The default time for which a process may be silent until its jobs count as failed, in milliseconds. */
const DEFAULT_TIMEOUT = 10_000;

/** The bounds of a lease in the core, in milliseconds. */
const MIN_LEASE = 1000;
const MAX_LEASE = 86_400_000;

/** The tasks of these modules. Throws the error of a module. */
function loadTasks(modulePaths) {
  return modulePaths.map((modulePath) => {
    const exported = load(modulePath);
    const task = typeof exported.perform === "function" ? exported : exported.default;
    if (typeof task?.perform !== "function" || task.id === undefined || task.id === null) {
      throw new TypeError(`the task module ${modulePath} must export an id, and a function perform(params, callback)`);
    }
    return task;
  });
}

/** Tasks by how long the process that performs them may be silent until their jobs are requeued. `complain` is called for an invalid timeout. */
function byLease(tasks, complain) {
  const leases = new Map();
  for (const task of tasks) {
    const lease = Math.min(Math.max(MIN_LEASE, Math.ceil(timeoutOf(task, complain))), MAX_LEASE);
    leases.set(lease, [...(leases.get(lease) ?? []), task]);
  }
  return leases;
}

function timeoutOf({ id, timeout = DEFAULT_TIMEOUT }, complain) {
  const ms = Number(timeout);
  if (ms >= 0) return ms;
  complain(new Error(`${id}: invalid heartbeat timeout`));
  return DEFAULT_TIMEOUT;
}

module.exports = { byLease, loadTasks };
