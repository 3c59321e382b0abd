"use strict";
// Exits the program when a member requests it.

const { isMainThread } = require("node:worker_threads");
const { functionOf, invalid, millisecondsOf, optionsOf } = require("./check.js");
const { leaveAll } = require("./leaving.js");
const bound = require("./scope.js");
const { textOf, tracebackOf } = require("./text.js");

/** The default time for `onKill` and leaving, in milliseconds. */
const GRACE = 5000;
const MAX_GRACE = 3_600_000;

class Exit {
  constructor(options) {
    const { grace = GRACE, onKill } = optionsOf(options, ["grace", "onKill"], "exitOnKill");
    if (!isMainThread) throw invalid("exitOnKill() is for the main thread, the only one that can end the process");
    this.grace = millisecondsOf(grace, "grace", 0, MAX_GRACE);
    this.onKill = onKill === undefined || onKill === null ? undefined : bound(functionOf(onKill, "onKill"), "onKill");
    this.begun = false;
  }

  /** Exits once the promise of `onKill` and `leave` are done. The core enforces the grace. */
  async end(code, from, leave) {
    if (this.begun) return;
    this.begun = true;
    // For the case that nothing keeps the process alive until then.
    process.exitCode = code;
    try {
      await this.onKill?.(code, from);
    } catch (error) {
      process.emitWarning(`onKill threw ${textOf(error)}\n${tracebackOf(error)}`);
    }
    try {
      await leave();
    } catch {
      // It has left already, or Redis is not available.
    }
    // Other members of the process leave, too, so that no crash is counted for their jobs.
    await leaveAll({ grace: 0 });
    process.exit(code);
  }
}

module.exports = Exit;
