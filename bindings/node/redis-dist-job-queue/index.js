"use strict";
// The face of redis-dist-job-queue over the modern one: a queue is a cluster, its submitting half a master, its performing half
// a worker in this process or in each of its child processes.

const { EventEmitter } = require("node:events");
const { createMaster } = require("../index.js");
const { call, emit } = require("../lib/callbacks.js");
const { complain } = require("../lib/complain.js");
const { classes } = require("../lib/errors.js");
const { discreet, hide, showOnly } = require("../lib/hide.js");
const leaving = require("../lib/leaving.js");
const Children = require("./lib/children.js");
const { jobOptions, payloadOf } = require("./lib/jobs.js");
const Performer = require("./lib/performer.js");
const resolveTask = require("./lib/resolve.js");
const { memberOptions, settingsOf } = require("./lib/settings.js");
const { loadTasks } = require("./lib/tasks.js");

/** The file that required this module first: the only one that paths of tasks were once resolved against. */
const firstUser = module.parent?.filename;

class JobQueue extends EventEmitter {
  constructor(options) {
    super();
    const { redisConfig, ...settings } = settingsOf(options);
    Object.assign(this, settings);
    // It may hold a password.
    hide(this, { redisConfig: discreet(redisConfig) });
    this.shuttingDown = false;
    this._modulePaths = [];
    this._performing = null;
    this._ended = null;
    this._master = createMaster(this.cluster, memberOptions(this));
    this._master.on("error", (error) => this._tell("error", error));
  }

  /** Has `start` load the task module at `modulePath`. Throws if there is none. */
  registerTask(modulePath) {
    this._modulePaths.push(resolveTask(modulePath, this.registerTask, firstUser));
  }

  /** Begins to perform jobs, in this process or in child processes. Throws what a task module throws that is loaded here. */
  start() {
    if (this.childProcessCount > 0) this.startChildProcesses();
    else this.startWorkers();
  }

  startWorkers() {
    this._start(() => {
      const performer = new Performer(this, loadTasks(this._modulePaths), (...event) => this._tell(...event));
      if (this.handleSignals !== false) leaving.add(this);
      return performer;
    });
  }

  startChildProcesses() {
    this._start(() => new Children(this.childProcessCount, this.serializeOptions(), (...event) => this._tell(...event), (incarnation) => this._endLease(incarnation)));
  }

  /** The process of a worker is gone. Without Redis its lease ends all the same, later. */
  async _endLease(incarnation) {
    await this._master._endLease(incarnation).catch(() => {});
  }

  _start(perform) {
    if (this.shuttingDown) this._tell("error", new classes.ClosedError("the queue is shut down and cannot be started"));
    else this._performing ??= perform();
  }

  /** What a child process needs to know, as JSON. */
  serializeOptions() {
    const { namespace, queueId, redisConfig, workerCount, flushStaleTimeout, handleSignals } = this;
    return JSON.stringify({ namespace, queueId, redisConfig, workerCount, flushStaleTimeout, handleSignals, modulePaths: this._modulePaths });
  }

  /** Adds a job for a process that has registered the task. `callback(error)` is called when Redis has stored it. */
  submitJob(taskId, options, callback) {
    if (typeof options === "function") [options, callback] = [undefined, options];
    const answer = this._answer(callback);
    try {
      this._master.add(payloadOf(options?.params), jobOptions(taskId, options ?? {}), (error) => answer(error));
    } catch (error) {
      process.nextTick(answer, error);
    }
  }

  /** Takes no more jobs, waits for those in progress, and closes all connections; then `callback()`. */
  shutdown(callback) {
    this.shuttingDown = true;
    this._ended ??= this._end();
    if (typeof callback === "function") this._ended.then(() => call(callback));
  }

  async _end() {
    for (const end of [() => this._performing?.shutdown(), () => this._master.close()]) {
      try {
        await end();
      } catch (error) {
        // A failure to reach Redis is no reason not to end.
        this._tell("error", error);
      }
    }
    leaving.remove(this);
  }

  /** For a process that ends by a signal. */
  async _leave() {
    await this._performing.leave();
  }

  /** Runs all failed jobs again, the oldest first. `callback(error, count)` */
  retryFailedJobs(callback) {
    this._master.retryFailed(null, this._answer(callback));
  }

  /** Forgets all failed jobs. `callback(error, count)` */
  deleteFailedJobs(callback) {
    this._master.deleteFailed(null, this._answer(callback));
  }

  /** Asks Redis for an answer: members take the jobs of the dead back by themselves as soon as a lease ends. `callback(error)` */
  flushStaleJobs(callback) {
    const answer = this._answer(callback);
    this._master.stats((error) => answer(error));
  }

  /** As `flushStaleJobs`. */
  forceFlushStaleJobs(callback) {
    this.flushStaleJobs(callback);
  }

  /** `callback`, or, where it was left out, what is called for a failure instead. */
  _answer(callback) {
    if (typeof callback === "function") return callback;
    return (error) => {
      if (error) this._tell("error", error);
    };
  }

  /** Emits an event. */
  _tell(event, ...values) {
    if (event === "error") complain(this, values[0]);
    else emit(this, event, ...values);
  }
}

showOnly(JobQueue, ({ namespace, queueId, cluster, childProcessCount, workerCount, shuttingDown }) => (
  { namespace, queueId, cluster, childProcessCount, workerCount, shuttingDown }
));

module.exports = JobQueue;
