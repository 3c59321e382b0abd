"use strict";
// The child processes of a queue: starts them, restarts them when they exit, requests that they shut down.

const { fork } = require("node:child_process");
const { existsSync } = require("node:fs");
const { createRequire } = require("node:module");
const path = require("node:path");
const { markRecorded } = require("../../lib/complain.js");
const { classes } = require("../../lib/errors.js");

/** The program of children as the package exports it, for bundles: their processes need a separate file. */
const EXPORTED = "assemblage/redis-dist-job-queue/child";

/** The first and the longest pause before a child that exited at once is restarted, in milliseconds. */
const FIRST_PAUSE = 100;
const MAX_PAUSE = 10_000;

/** A child that ran this long, in milliseconds, did not exit because of a failed start. */
const LIVED = 5000;

/** The file of the program for children: beside this module in `folder`, unless that is a bundle's. */
function programIn(folder) {
  if (existsSync(path.join(folder, "performer.js"))) return path.join(folder, "child.js");
  for (const base of [require.main?.filename, path.resolve("_")]) {
    try {
      if (base) return createRequire(base).resolve(EXPORTED);
    } catch {
      // Not from there.
    }
  }
  throw new classes.InvalidArgumentError(`childProcessCount: the program of child processes is not here, and ${EXPORTED} is not found; install assemblage beside the bundle`);
}

class Children {
  /**
   * `options` are those of the queue as JSON; `report(event, value)` is called with the reports of the children; `endLease(incarnation)` ends the
   * lease of a worker whose process is gone.
   */
  constructor(count, options, report, endLease) {
    this.options = options;
    this.report = report;
    this.endLease = endLease;
    this.ending = false;
    this.program = programIn(__dirname);
    this.children = Array.from({ length: count }, () => new Child(this));
  }

  /** Requests that the children finish their jobs and exit, and waits for that. */
  async shutdown() {
    this.ending = true;
    await Promise.all(this.children.map((child) => child.shutdown()));
  }
}

/** One child, across its restarts. */
class Child {
  constructor(all) {
    this.all = all;
    this.pause = 0;
    this.timer = null;
    this.ended = new Promise((resolve) => {
      this.end = resolve;
    });
    this.start();
  }

  start() {
    this.timer = null;
    /** The incarnations of the workers in the process. */
    this.incarnations = new Set();
    this.began = performance.now();
    // Without the arguments of this process' node: its inspector's port, for example, is in use.
    this.process = fork(this.all.program, [], { execArgv: [] });
    this.process.on("message", (message) => this.received(message));
    // If it could not be started, only `error` is emitted, else `exit`.
    let over = false;
    const gone = () => {
      if (!over) this.gone();
      over = true;
    };
    this.process.once("exit", () => {
      // Its last reports may still be on their way.
      if (this.process.connected) this.process.once("disconnect", gone);
      else gone();
    });
    this.process.on("error", (error) => {
      this.all.report("error", error);
      if (this.process.pid === undefined) gone();
    });
    this.send({ type: "start", value: this.all.options });
  }

  /** Tasks may send messages of their own. */
  received(message) {
    const { type, value } = message?.from === "redis-dist-job-queue" ? message : {};
    if (type === "jobSuccess" || type === "jobFail") this.all.report(type, value);
    else if (type === "error") this.all.report("error", errorOf(value));
    else if (type === "member" && typeof value === "string" && value !== "") this.incarnations.add(value);
  }

  /** The process is known to be gone, so its leases need not expire. */
  async gone() {
    const ended = Promise.all(Array.from(this.incarnations, (incarnation) => this.all.endLease(incarnation)));
    if (this.all.ending) {
      await ended;
      return this.end();
    }
    // The first restart is immediate. A child that repeatedly fails to start is restarted with growing pauses.
    const pause = performance.now() - this.began > LIVED ? 0 : this.pause;
    this.pause = Math.min(Math.max(2 * pause, FIRST_PAUSE), MAX_PAUSE);
    this.timer = setTimeout(() => this.restart(), pause);
  }

  restart() {
    this.start();
    this.all.report("childRestart");
  }

  shutdown() {
    if (this.timer === null) {
      this.send("shutdown");
    } else {
      clearTimeout(this.timer);
      this.end();
    }
    return this.ended;
  }

  /** A child that is gone receives nothing; its end is reported by `exit`. */
  send(message) {
    if (this.process.connected) this.process.send(message, () => {});
  }
}

/** An error as a child has reported it. */
function errorOf(value) {
  const error = Object.assign(new Error(value?.stack), value?.code && { code: value.code });
  if (value?.recorded === true) markRecorded(error);
  return error;
}

module.exports = Children;
module.exports.programIn = programIn;
