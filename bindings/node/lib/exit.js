"use strict";
// Ending the program when a member asks it to.

const { isMainThread } = require("node:worker_threads");
const { classes } = require("./errors.js");

/** How long `onKill` and the leaving may take, unless the option says so, in milliseconds. */
const GRACE = 5000;
const MAX_GRACE = 3_600_000;

class Exit {
  constructor({ grace = GRACE, onKill } = {}) {
    if (!isMainThread) throw new classes.InvalidArgumentError("exitOnKill() is for the main thread, the only one that can end the process");
    if (!(grace >= 0 && grace <= MAX_GRACE)) {
      throw new classes.InvalidArgumentError(`grace is ${String(grace)}, it must be 0 to ${MAX_GRACE} ms`);
    }
    if (onKill !== undefined && typeof onKill !== "function") throw new classes.InvalidArgumentError("onKill must be a function");
    this.grace = Number(grace);
    this.onKill = onKill;
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
      process.emitWarning(error instanceof Error ? error : `onKill threw ${String(error)}`);
    }
    try {
      await leave();
    } catch {
      // It has left already, or cannot be reached.
    }
    process.exit(code);
  }
}

module.exports = Exit;
