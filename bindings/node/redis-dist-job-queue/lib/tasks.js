"use strict";
// Loads task modules.

/** How long a process may be silent before its jobs are taken for failed, in milliseconds, unless a task says otherwise. */
const DEFAULT_TIMEOUT = 10_000;

/** The core's bounds of a lease, in milliseconds. */
const MIN_LEASE = 1000;
const MAX_LEASE = 86_400_000;

/** The tasks of these modules. Throws what a module throws. */
function loadTasks(modulePaths) {
  return modulePaths.map((modulePath) => {
    const exported = require(modulePath);
    const task = typeof exported.perform === "function" ? exported : exported.default;
    if (typeof task?.perform !== "function" || task.id === undefined || task.id === null) {
      throw new TypeError(`the task module ${modulePath} must export an id, and a function perform(params, callback)`);
    }
    return task;
  });
}

/**
 * How long the process that performs these tasks may be silent before its jobs move: the longest of their timeouts, so that
 * no job moves sooner than its task says. `complain` hears of a timeout that is none.
 */
function leaseOf(tasks, complain) {
  const timeouts = tasks.map(({ id, timeout = DEFAULT_TIMEOUT }) => {
    const ms = Number(timeout);
    if (ms >= 0) return ms;
    complain(new Error(`${id}: invalid heartbeat timeout`));
    return DEFAULT_TIMEOUT;
  });
  return Math.min(Math.max(MIN_LEASE, ...timeouts), MAX_LEASE);
}

module.exports = { leaseOf, loadTasks };
