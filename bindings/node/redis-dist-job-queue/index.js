"use strict";
// The API of redis-dist-job-queue, implemented with this package: a queue is a cluster, its submitting half a master, its performing half a worker
// in this process or in each of its child processes.

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

/** The file that required this module first: the only one against which paths of tasks were originally resolved. */
const firstUser = module.parent?.filename;

class JobQueue extends EventEmitter {
  constructor(options) {
    super();
    const { redisConfig, ...settings } = settingsOf(options);
    Object.assign(this, settings);
    // It may contain a password.
    hide(this, { redisConfig: discreet(redisConfig) });
    this.shuttingDown = false;
    this._modulePaths = [];
    this._performing = null;
    this._ended = null;
    this._master = createMaster(this.cluster, memberOptions(this));
    this._master.on("error", (error) => this._tell("error", error));
  }

  /** Registers the task module at `modulePath`, which `start` loads. Throws if there is none. */
  registerTask(modulePath) {
    this._modulePaths.push(resolveTask(modulePath, this.registerTask, firstUser));
  }

  /** Starts to perform jobs, in this process or in child processes. Throws the error of a task module that is loaded here. */
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

  /** The process of a worker is gone. Without Redis its lease ends later nevertheless. */
  async _endLease(incarnation) {
    await this._master._endLease(incarnation).catch(() => {});
  }

  _start(perform) {
    if (this.shuttingDown) this._tell("error", new classes.ClosedError("the queue is shut down and cannot be started"));
    else this._performing ??= perform();
  }

  /** The options and tasks for a child process, as JSON. */
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

  /** Accepts no more jobs, waits for those in progress, and closes all connections; then calls `callback()`. */
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
        // The shutdown continues even if Redis cannot be reached.
        this._tell("error", error);
      }
    }
    leaving.remove(this);
  }

  /** Called before the process ends by a signal. */
  async _leave() {
    await this._performing.leave();
  }

  /** Requeues all failed jobs, the oldest first. `callback(error, count)` */
  retryFailedJobs(callback) {
    this._master.retryFailed(null, this._answer(callback));
  }

  /** Deletes the records of all failed jobs. `callback(error, count)` */
  deleteFailedJobs(callback) {
    this._master.deleteFailed(null, this._answer(callback));
  }

  /** Only checks that Redis answers: members requeue the jobs of dead processes as soon as a lease ends. `callback(error)` */
  flushStaleJobs(callback) {
    const answer = this._answer(callback);
    this._master.stats((error) => answer(error));
  }

  /** As `flushStaleJobs`. */
  forceFlushStaleJobs(callback) {
    this.flushStaleJobs(callback);
  }

  /** Returns `callback` or, if it is missing, a function that emits a failure. */
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
