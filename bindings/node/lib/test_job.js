"use strict";
// Jobs for tests of handlers, without Redis.

const { randomUUID } = require("node:crypto");
const { settled } = require("./callbacks.js");
const { wholeOf } = require("./check.js");
const { classes } = require("./errors.js");
const { inputsOf } = require("./infos.js");
const { Job } = require("./job.js");
const { packed } = require("./new_job.js");
const { Finish, contentOf } = require("./wire.js");

/** Number of the reason "deleted". */
const DELETED = 0;
const MAX_COUNT = 0xffffffff;

const names = {
  [Finish.FAIL]: "fail",
  [Finish.RETRY]: "retry",
  [Finish.FAIL_PERMANENTLY]: "failPermanently",
  [Finish.RATE_LIMITED]: "rateLimited",
  [Finish.RELEASE]: "release",
  [Finish.STOPPED]: "stopped",
};

/** A job that no worker was assigned, to call a handler with it. Records what the handler does with it. */
class TestJob {
  constructor(payload, options) {
    const { attempt = 1, crashes = 0, lastCheckpoint, inputs = {}, ...added } = options ?? {};
    // Checks the options with which it would be added.
    packed(payload, added);
    const content = contentOf(payload === undefined ? {} : payload, "payload");
    const { id = randomUUID(), task = "", priority = 0, resource = "", group = "", headers = {}, retries = 0 } = added;
    wholeOf(attempt, "attempt", 1, MAX_COUNT);
    const more = {
      attempt,
      retriesLeft: Math.max(0, retries - attempt + 1),
      priority,
      task,
      resource,
      group,
      headers: Object.freeze({ ...headers }),
      lastCheckpoint: lastCheckpoint === undefined ? undefined : JSON.parse(JSON.stringify(lastCheckpoint)),
    };
    this.progress = [];
    this.checkpoints = [];
    this.log = [];
    this.finish = undefined;
    this.job = new Job(new Recorder(this, inputs), id, 1, wholeOf(crashes, "crashes", 0, MAX_COUNT), content, more);
  }

  /** Asks the handler to stop, as a deletion does. */
  cancel() {
    this.job._stop(DELETED);
  }
}

/** Takes the place of the worker of a job. */
class Recorder {
  constructor(test, inputs) {
    this._test = test;
    this._given = inputs;
    this._parse = undefined;
  }

  _note(list, value) {
    if (this._test.finish === undefined) list.push(value);
  }

  _progress(_job, json) {
    this._note(this._test.progress, JSON.parse(json));
  }

  _checkpoint(_job, json) {
    this._note(this._test.checkpoints, JSON.parse(json));
  }

  _log(_job, text) {
    this._note(this._test.log, text);
  }

  _complete(_job, result, callback) {
    return this._end(callback, () => {
      const content = result === undefined ? undefined : contentOf(result, "result");
      return { name: "complete", value: typeof content === "string" ? JSON.parse(content) : content };
    });
  }

  _finish(_job, failure, callback) {
    return this._end(callback, () => {
      const { kind, content } = failure();
      const [value, , after] = content === undefined ? [] : JSON.parse(content);
      return { name: names[kind], value: kind === Finish.RATE_LIMITED && value === "" ? undefined : value, after };
    });
  }

  _end(callback, finish) {
    return settled(callback, (settle) => {
      const made = finish();
      if (this._test.finish !== undefined && made.name !== "stopped") {
        throw new classes.StaleFenceError("the job is no longer assigned to this execution; nothing was changed");
      }
      this._test.finish ??= made;
      process.nextTick(settle, null);
    });
  }

  _inputs(_node, callback) {
    return settled(callback, (settle) => process.nextTick(settle, null, inputsOf(this._given)));
  }

  deleteJob(_id, callback) {
    return settled(callback, () => {
      throw new classes.ClosedError("a job of a test has no cluster");
    });
  }
}

module.exports = TestJob;
