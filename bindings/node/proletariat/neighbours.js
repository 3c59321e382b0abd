"use strict";
// Detects that a process of this machine has ended without leaving, long before its lease ends: its works are requeued, and no more are assigned to
// it.

const os = require("node:os");
const { hasEnded, thisProcess } = require("../lib/processes.js");

/** The interval at which the processes are checked, in milliseconds. */
const LOOK = 1000;

/** How often members that have not yet published their process are read again. */
const TRIES = 10;

class Neighbours {
  /** `members()` returns the members of the cluster, `endLease(incarnation)` ends the lease of one. */
  constructor({ members, endLease }) {
    this.members = members;
    this.endLease = endLease;
    /** Processes by the incarnation of their members. */
    this.processes = new Map();
    this.tries = 1;
    this.busy = false;
    this.timer = thisProcess() === undefined ? undefined : setInterval(() => this.look(), LOOK).unref();
  }

  /** A member joined, left or was lost. */
  changed(change, { incarnation, host }) {
    if (change !== "joined") this.processes.delete(incarnation);
    else if (host === os.hostname()) this.tries = TRIES;
  }

  async look() {
    if (this.busy) return;
    this.busy = true;
    try {
      if (this.tries > 0) await this.learn();
      for (const [incarnation, text] of this.processes) {
        if (!hasEnded(text)) continue;
        this.processes.delete(incarnation);
        await this.endLease(incarnation);
      }
    } finally {
      this.busy = false;
    }
  }

  async learn() {
    this.tries -= 1;
    const members = await this.members();
    if (members === undefined) return;
    const mine = thisProcess();
    const here = members.filter(({ host }) => host === os.hostname());
    const known = here.filter(({ data }) => typeof data?.process === "string");
    this.processes = new Map(known.filter(({ data }) => data.process !== mine).map(({ incarnation, data }) => [incarnation, data.process]));
    // Members of other programs never publish it.
    if (known.length === here.length) this.tries = 0;
  }

  close() {
    clearInterval(this.timer);
  }
}

module.exports = Neighbours;
