"use strict";
// Runs a handler for each job and finishes the job with what comes of it.

const { classes } = require("./errors.js");
const { textOf } = require("./job.js");
const { Finish, bytesOf, jsonOf } = require("./wire.js");

/** Results longer than this are sent with a question for the answer, because they may be refused as too large. */
const SURELY_ACCEPTED = 1024;

class Handler {
  constructor(worker, handle) {
    this.worker = worker;
    this.handle = handle;
  }

  run(job) {
    if (job._running || job.cancelled) return;
    job._running = true;
    let outcome;
    try {
      outcome = this.handle.call(undefined, job, new Context(job));
    } catch (error) {
      this.failed(job, error);
      return;
    }
    if (typeof outcome?.then === "function") {
      outcome.then((result) => this.completed(job, result), (error) => this.failed(job, error));
    } else {
      this.completed(job, outcome);
    }
  }

  completed(job, result) {
    if (!this.ends(job)) return;
    let bytes;
    let content;
    try {
      bytes = bytesOf(result);
      content = bytes ?? (result === undefined ? undefined : jsonOf(result, "result"));
    } catch (error) {
      this.worker._end(job, Finish.FAIL, textOf(error));
      return;
    }
    const kind = bytes ? Finish.COMPLETE_BYTES : content === undefined ? Finish.COMPLETE : Finish.COMPLETE_JSON;
    if (content === undefined || content.length <= SURELY_ACCEPTED) {
      this.worker._end(job, kind, content);
      return;
    }
    this.worker._end(job, kind, content, (error) => {
      if (error instanceof classes.TooLargeError) this.worker._end(job, Finish.FAIL, textOf(error));
    });
  }

  failed(job, error) {
    if (this.ends(job)) this.worker._end(job, Finish.FAIL, textOf(error));
  }

  /** Whether the job is still to be finished with its outcome: the handler may have done so, or was told to stop. */
  ends(job) {
    job._running = false;
    if (!this.worker._held.has(job.fence)) return false;
    if (!job.cancelled) return true;
    this.worker._end(job, Finish.STOPPED);
    return false;
  }
}

/** The second argument of a handler. Its signal is made when it is asked for: most handlers never do. */
class Context {
  constructor(job) {
    this.job = job;
  }

  get signal() {
    return this.job.signal;
  }
}

module.exports = Handler;
