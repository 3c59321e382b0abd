"use strict";
// Loads task modules.

const { createRequire } = require("node:module");
const path = require("node:path");

/** Loads what is named at run time, in a bundle too: bundlers replace plain calls of `require`. */
const load = createRequire(path.resolve("_"));

/** How long a process may be silent before its jobs are taken for failed, in milliseconds, unless a task says otherwise. */
const DEFAULT_TIMEOUT = 10_000;

/** The core's bounds of a lease, in milliseconds. */
const MIN_LEASE = 1000;
const MAX_LEASE = 86_400_000;

/** The tasks of these modules. Throws what a module throws. */
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

/** Tasks by how long the process that performs them may be silent before their jobs move. `complain` is called for a timeout that is none. */
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
