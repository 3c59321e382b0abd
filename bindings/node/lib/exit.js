"use strict";
// Ending the program when a member asks it to.

const { isMainThread } = require("node:worker_threads");
const { functionOf, invalid, millisecondsOf, optionsOf } = require("./check.js");
const { leaveAll } = require("./leaving.js");
const bound = require("./scope.js");
const { textOf, tracebackOf } = require("./text.js");

/** How long `onKill` and the leaving may take, unless the option says so, in milliseconds. */
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

  /** Exits once `onKill` agrees and `leave` is done. That they take no longer than the grace is seen to by the core. */
  async end(code, from, leave) {
    if (this.begun) return;
    this.begun = true;
    // Should there be nothing that keeps the process until then.
    process.exitCode = code;
    try {
      await this.onKill?.(code, from);
    } catch (error) {
      process.emitWarning(`onKill threw ${textOf(error)}\n${tracebackOf(error)}`);
    }
    try {
      await leave();
    } catch {
      // It has left already, or cannot be reached.
    }
    // The jobs of other members of the process are no crash either.
    await leaveAll({ grace: 0 });
    process.exit(code);
  }
}

module.exports = Exit;
