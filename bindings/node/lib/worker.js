"use strict";
// Workers: emit assigned jobs and requests to stop them, and finish them.

const { randomBytes } = require("node:crypto");
const { call, emit, settleWith, settled } = require("./callbacks.js");
const { invalid, millisecondsOf, nameOf, optionsOf, shown, slotsOf, wholeOf } = require("./check.js");
const { classes, errorOf } = require("./errors.js");
const { failureOf } = require("./failures.js");
const Finishes = require("./finishes.js");
const Handlers = require("./handlers.js");
const { inputsOf } = require("./infos.js");
const { Job, TERMINATED } = require("./job.js");
const leaving = require("./leaving.js");
const { record } = require("./log.js");
const Member = require("./member.js");
const native = require("./native.js");
const { tasksOf } = require("./options.js");
const { attempt, isError, textOf } = require("./text.js");
const { traceOf } = require("./tracing.js");
const { Code, Finish, contentOf } = require("./wire.js");

/** The default limit of active jobs of a worker with handlers, the same in every language. */
const CONCURRENCY = 10;

/** How long a worker may be registered without a handler or listener for jobs before that is logged, in milliseconds. */
const IDLE = 1000;

/** Outcomes, which the core emits only to subscribers. */
const OUTCOMES = Object.freeze(["completed", "failed", "retrying"]);

/** How long `terminate` waits for handlers that were asked to stop, in milliseconds. */
const DEFAULT_GRACE = 5000;

/** The maximum of the jobs of a batch, and of the milliseconds that its first job waits for others. */
const MAX_BATCH = 1000;
const MAX_WAIT = 60_000;

/** What the jobs of a batch may have in common. */
const GROUPINGS = Object.freeze(["task", "group"]);

/** The longest grace, in milliseconds: a day. */
const MAX_GRACE = 86_400_000;

class Worker extends Member {
  constructor(clusterId, config) {
    super("worker", clusterId, config);
    this.assemblageId = this._cluster;
    this.id = randomBytes(10).toString("hex");
    this.running = true;
    this._trace = traceOf(this._config.trace);
    // Jobs are accepted once there is a handler or a listener for them.
    this._settings.push("auto_accept", "false", "requeue", nameOf(this._config.requeue ?? "back", "option requeue"));
    this._active = new Map();
    this._jobs = null;
    /** Jobs that arrived without a handler or listener for them. */
    this._unheard = new Set();
    /** Finishes on their way to Redis, by fence: the arguments for listeners of outcomes. */
    this._outcomes = null;
    this._left = null;
    this._handlers = new Handlers(this);
    this._tasks = this._wantedTasks;
    this._finishes = new Finishes(
      (rows, text, bytes) => this._sendFinishes(rows, text, bytes),
      (job, kind, token, error) => this._refused(job, kind, token, error),
    );
    this._closeTold = false;
    this._defaultSlots = CONCURRENCY;
    /** Whether it was paused before it started. */
    this._startsPaused = false;

    this._check([]);
    // Later, so that `process` can still set the slots and the tasks.
    process.nextTick(() => this._start());
  }

  _start() {
    if (this._native !== null || this._closing) return;
    try {
      this._open(native.openWorker, this._tasks);
      if (this._startsPaused) this._native.setPaused(true);
      if (this._config.handleSignals !== false) leaving.add(this);
      if (this._outcomes !== null) this._native.reportOutcomes(true);
      this._accept();
    } catch (error) {
      this._closing = true;
      this.running = false;
      this._complain(error);
    }
  }

  /** Accepts jobs, if there is a handler or listener for them. */
  _accept() {
    if (this._native === null) return;
    if (!this._handlers.isEmpty) this._native.accept(this._unlimited ? undefined : this._defaultSlots);
    else if (this.listenerCount("add") > 0) this._native.accept(undefined);
  }

  on(event, listener) {
    super.on(event, listener);
    return this._listens(event);
  }

  prependListener(event, listener) {
    super.prependListener(event, listener);
    return this._listens(event);
  }

  _listens(event) {
    if (event === "add") {
      this._accept();
      // Later: the listener is only about to be added.
      if (this._unheard.size > 0) process.nextTick(() => this._hearLate());
    } else if (OUTCOMES.includes(event) && this._outcomes === null) {
      this._outcomes = new Map();
      this._native?.reportOutcomes(true);
    }
    return this;
  }

  /** Emits the jobs that arrived before their listener. */
  _hearLate() {
    for (const job of this._unheard) {
      if (this.listenerCount("add") === 0) return;
      this._unheard.delete(job);
      if (this._active.has(job.fence) && !job.cancelled) emit(this, "add", job);
    }
  }

  _release() {
    leaving.remove(this);
    super._release();
  }

  _expect(settle) {
    this._start();
    return super._expect(settle);
  }

  /** The active jobs by id. */
  get jobs() {
    if (this._jobs === null) {
      this._jobs = {};
      for (const job of this._active.values()) if (!job.cancelled) this._jobs[job.id] = job;
    }
    return this._jobs;
  }

  /**
   * Runs `handler(job, { signal })` for each job: the returned value completes the job, a thrown error fails this attempt. An object has a handler
   * for each task, and the worker then accepts only those tasks, and all others if it also has a plain handler. `slots` limits the active jobs; it
   * can be set here only in the turn in which the worker was created.
   */
  process(handlers, options) {
    const { slots } = optionsOf(options, ["slots"], "process");
    return this._process(handlers, slots);
  }

  /**
   * As `process`, for handlers of several jobs at once: `handler(jobs)` is called with up to `size` jobs of one task, at the latest `wait` milliseconds
   * after the first of them arrived; with `by: "group"` also of one group. It returns nothing, or an array with a result for each job; a thrown error fails each job that it has not
   * finished itself.
   */
  processBatches(handlers, options) {
    const { slots, size, wait, by } = optionsOf(options, ["slots", "size", "wait", "by"], "processBatches");
    if (!GROUPINGS.includes(by ?? "task")) throw invalid(`by is ${shown(by)}, it must be "task" or "group"`);
    return this._process(handlers, slots, {
      size: wholeOf(size, "size", 1, MAX_BATCH),
      wait: millisecondsOf(wait ?? 0, "wait", 0, MAX_WAIT),
      by,
    });
  }

  _process(handlers, slots, batch) {
    const entries = this._handlers.check(handlers);
    const settings = slots === undefined || slots === null ? [] : this._slots(slots);
    this._setTasks(this._handlers.tasks(entries, this._wantedTasks), settings);
    this._settings.push(...settings);
    this._handlers.add(entries, batch);
    // So that a batch can be full.
    this._defaultSlots = Math.max(this._defaultSlots, batch?.size ?? 0);
    this._unlimited = slots === Infinity || this._config.slots === Infinity;
    this._accept();
    for (const job of [...this._active.values()]) this._handle(job);
    return this;
  }

  /** Replaces the option `tasks`. Tasks that have a handler are accepted in addition. */
  setTasks(tasks) {
    const wanted = tasksOf(tasks);
    this._setTasks(this._handlers.tasks([], wanted), []);
    this._wantedTasks = wanted;
    return this;
  }

  _setTasks(tasks, settings) {
    this._check(settings, tasks);
    const failure = tasks === this._tasks ? null : this._native?.setTasks(tasks);
    if (failure) throw errorOf(failure.number, failure.message);
    this._tasks = tasks;
  }

  _slots(slots) {
    if (this._native !== null) {
      throw invalid("slots was set too late: pass it to createWorker, or call process right after it");
    }
    return slots === Infinity ? [] : ["slots", nameOf(slots, "option slots")];
  }

  /**
   * Sets the limit of active jobs from now on. With fewer slots than active jobs, these continue, and no more are assigned until fewer are active.
   */
  setSlots(slots) {
    const number = slotsOf(slots);
    if (this._native !== null || this._closing) return this._control("setSlots", number);
    const settings = ["slots", String(number)];
    this._check(settings, this._tasks);
    this._settings.push(...settings);
    return this;
  }

  /** Accepts no new jobs until `resume`; those that it has not started are requeued. Active jobs continue. */
  pause() {
    return this._setPaused(true);
  }

  /** Ends a pause, also one by a master. */
  resume() {
    return this._setPaused(false);
  }

  _setPaused(paused) {
    if (this._native !== null || this._closing) return this._control("setPaused", paused);
    this._startsPaused = paused;
    return this;
  }

  /** Whether it is paused, by this program or by a master. */
  get paused() {
    return this._native?.isPaused() ?? this._startsPaused;
  }

  _control(method, value) {
    if (this._native === null || this._closing) throw this._closedError();
    const failure = this._native[method](value);
    if (failure) throw errorOf(failure.number, failure.message);
    return this;
  }

  /** Limits the number of jobs that it accepts, below its slots. */
  _limitSlots(slots) {
    const failure = this._native?.limitSlots(slots);
    if (failure) throw errorOf(failure.number, failure.message);
  }

  /** How the jobs ended that the job with this node waited for. */
  _inputs(node, callback) {
    return settled(callback, (settle) => {
      this._native_("inputs", (error, value) => (error ? settle(error) : settleWith(settle, () => inputsOf(value, this._parse))), node);
    });
  }

  /** Jobs can be added before it has started. */
  _before(next) {
    this._start();
    return super._before(next);
  }

  /** Deletes any job of the cluster. `callback(error, existed)` */
  deleteJob(jobId, callback) {
    return settled(callback, (settle) => {
      const id = nameOf(jobId, "id");
      this._flush();
      this._native_("deleteJob", (error, flags) => (error ? settle(error) : settle(null, flags[0])), id);
    });
  }

  /** Accepts no new jobs, requeues those that wait for others of their batch, and waits until the active ones are finished. */
  drain(callback) {
    this._handlers.drain();
    return this._ask(callback, "drain");
  }

  /**
   * Emits `delete` on all jobs and requeues them; `grace` is how long handlers may take to stop, in milliseconds. Emits `close`, then resolves. A
   * second call fails with "Already stopped".
   */
  terminate(options, callback) {
    if (typeof options === "function") [options, callback] = [undefined, options];
    if (this._closing) {
      const error = new classes.ClosedError("Already stopped");
      if (typeof callback !== "function") return quietly(Promise.reject(error));
      call(callback, error);
      return undefined;
    }
    let grace;
    try {
      grace = millisecondsOf(optionsOf(options, ["grace"], "terminate").grace ?? DEFAULT_GRACE, "grace", 0, MAX_GRACE);
    } catch (error) {
      return settled(callback, (settle) => process.nextTick(settle, error));
    }
    const started = this._native !== null;
    this._closing = true;
    this.running = false;
    for (const job of [...this._active.values()]) this._stop(job, TERMINATED);
    // Jobs that were finished before this call are not requeued, and those that were added before it are stored.
    this._flush();
    this._finishes.flush();
    return settled(callback, (settle) => {
      let left;
      this._left = new Promise((resolve) => {
        left = resolve;
      });
      const end = (error) => {
        this._tellClose();
        this._release();
        left();
        settle(error);
      };
      if (started) this._native_("terminate", end, grace);
      else process.nextTick(end, null);
    });
  }

  /** Leaves because the process ends, or waits until it has left. */
  _leave(options) {
    return this._closing ? this._left : this.terminate(options);
  }

  _registered(incarnation) {
    this.id = incarnation;
    this.running = !this._closing;
    this._closeTold = false;
    // Outcomes of finishes in the previous incarnation are not emitted any more.
    this._outcomes?.clear();
    super._registered(incarnation);
    if (!this._isHeard()) setTimeout(() => this._complainOfIdleness(), IDLE).unref();
  }

  /** Whether there is a handler or listener for jobs. */
  _isHeard() {
    return !this._handlers.isEmpty || this._subscriptions.size > 0 || this.listenerCount("add") > 0;
  }

  _complainOfIdleness() {
    if (this._native === null || this._closing || this._isHeard()) return;
    record("warn", `worker ${this.incarnation} of cluster ${this._cluster} takes no jobs: it has neither a handler (process) nor a listener of add`);
  }

  /** Handles rows that do not concern a job. */
  _dispatch(code, key, a, b, incoming) {
    if (code !== Code.COMPLETED && code !== Code.ATTEMPT_FAILED) return super._dispatch(code, key, a, b, incoming);
    incoming.id();
    const [text, traceback, delay] = code === Code.COMPLETED ? [] : JSON.parse(incoming.text(a));
    const ended = this._outcomes?.get(key);
    if (ended === undefined) return undefined;
    this._outcomes.delete(key);
    if (code === Code.COMPLETED) return emit(this, "completed", ended.job, ended.outcome);
    const error = attempt(() => isError(ended.outcome)) ? ended.outcome : Object.assign(new classes.JobFailedError(text), { reason: "failed", traceback });
    return delay === null ? emit(this, "failed", ended.job, error) : emit(this, "retrying", ended.job, error, delay);
  }

  _event(code, key, a, b, incoming) {
    switch (code) {
      case Code.ADD_JSON:
        return this._assigned(new Job(this, incoming.id(), key, b, incoming.text(a)));
      case Code.ADD_BYTES:
        return this._assigned(new Job(this, incoming.id(), key, b, incoming.bytes(a)));
      case Code.ADD_JSON_MORE:
        return this._assigned(new Job(this, incoming.id(), key, 0, incoming.text(a), JSON.parse(incoming.text(b))));
      case Code.ADD_BYTES_MORE:
        return this._assigned(new Job(this, incoming.id(), key, 0, incoming.bytes(a), JSON.parse(incoming.text(b))));
      case Code.DELETE:
        return this._delete(incoming.id(), key, a);
      default:
        return super._event(code, key, a, b, incoming);
    }
  }

  _assigned(job) {
    // A listener of this batch has terminated the worker: the native side releases the job.
    if (this._closing) return;
    this._active.set(job.fence, job);
    if (this._jobs !== null) this._jobs[job.id] = job;
    if (this.listenerCount("add") > 0) {
      emit(this, "add", job);
      if (!this._active.has(job.fence)) return;
    }
    this._handle(job);
  }

  /** Runs the job's handler. Without one it is emitted to listeners, or released if its task was never registered. */
  _handle(job) {
    if (this._handlers.isEmpty) {
      // Its listener was removed; it is emitted to the next one.
      if (this.listenerCount("add") === 0) this._unheard.add(job);
    } else if (!this._handlers.run(job) && this.listenerCount("add") === 0) {
      this._end(job, Finish.RELEASE);
    }
  }

  _delete(id, fence, reason) {
    const job = this._active.get(fence);
    if (job === undefined) {
      if (!this._closing && this.listenerCount("delete") > 0) emit(this, "delete", id);
    } else {
      this._stop(job, reason);
      // Its handler reports when it has stopped; or a listener may have finished it already.
      if (job._running || !this._active.has(fence)) return;
      this._active.delete(fence);
    }
    this._finishes.push(fence, Finish.STOPPED, undefined, 0, job);
  }

  /** Emits the request to stop a job, and removes it from the list. */
  _stop(job, reason) {
    this._unheard.delete(job);
    this._unlist(job);
    this._handlers.withdraw(job);
    job._stop(reason);
  }

  _unlist(job) {
    if (this._jobs !== null && this._jobs[job.id] === job) delete this._jobs[job.id];
  }

  _complete(job, result, callback) {
    return settled(callback, (settle) => {
      const content = result === undefined ? undefined : contentOf(result, "result", this._serialize);
      const kind = content === undefined ? Finish.COMPLETE : typeof content === "string" ? Finish.COMPLETE_JSON : Finish.COMPLETE_BYTES;
      this._end(job, kind, content, settle, result);
    });
  }

  /** `how()` returns the kind of the finish and its content; `error` is the reason of a failure. */
  _finish(job, how, callback, error) {
    return settled(callback, (settle) => {
      const { kind, content } = how();
      this._end(job, kind, content, settle, error);
    });
  }

  _progress(job, value) {
    if (job.cancelled || !this._active.has(job.fence)) return;
    const failure = this._native?.progress(job.fence, value);
    if (failure) throw errorOf(failure.number, failure.message);
  }

  _log(job, text) {
    if (job.cancelled || !this._active.has(job.fence)) return;
    this._native?.log(job.fence, text);
  }

  _checkpoint(job, value) {
    if (job.cancelled || !this._active.has(job.fence)) return;
    const failure = this._native?.checkpoint(job.fence, value);
    if (failure) throw errorOf(failure.number, failure.message);
  }

  /** Finishes a job; `settle`, if set, is called when Redis has accepted it. `outcome` is its result, or why it failed. */
  _end(job, kind, content, settle, outcome) {
    // Listeners of outcomes receive only accepted ones; the answer removes the outcome in any case.
    let token = 0;
    if (settle !== undefined) token = this._expect((error) => this._ended(job, error, settle));
    else if (this._outcomes !== null && this._native !== null) token = this._expect((error) => this._ended(job, error, (why) => this._spoilt(job, kind, why)));
    this._outcomes?.set(job.fence, { job, outcome });
    this._active.delete(job.fence);
    this._unheard.delete(job);
    this._unlist(job);
    this._finishes.push(job.fence, kind, content, token, job);
  }

  _ended(job, error, settle) {
    this._outcomes?.delete(job.fence);
    // After a refused result the job is still active.
    if ((error instanceof classes.TooLargeError || error?.refused) && !job.cancelled) {
      this._active.set(job.fence, job);
      if (this._jobs !== null) this._jobs[job.id] = job;
    }
    settle(error);
  }

  _sendFinishes(rows, text, bytes) {
    const failure = this._native?.finish(rows, text, bytes);
    if (failure) throw errorOf(failure.number, failure.message);
  }

  /** The native side refuses a finish: the call fails and the job stays active; without a call, this attempt of the job fails. */
  _refused(job, kind, token, cause) {
    const error = Object.assign(new classes.InternalError(`the end of the job cannot be sent: ${textOf(cause)}`, { cause }), { refused: true });
    const settle = this._calls.get(token);
    this._calls.delete(token);
    if (settle === undefined) this._spoilt(job, kind, error);
    else settle(error);
  }

  /** A finish that cannot be passed on, without a callback: the job fails, or else stays active and an error is emitted. */
  _spoilt(job, kind, error) {
    if (!error?.refused) return;
    if (job !== undefined && kind !== Finish.FAIL && kind !== Finish.STOPPED && kind !== Finish.RELEASE) {
      const { kind: failed, content } = failureOf(error);
      this._end(job, failed, content, undefined, error);
      return;
    }
    if (job !== undefined && !job.cancelled) this._active.set(job.fence, job);
    this._complain(error);
  }

  _closed(error) {
    this.running = false;
    this._tellClose();
    if (error === null) return;
    const lost = new classes.LeaseLostError("Expired lock, can't update");
    lost.cause = error;
    this._complain(lost);
    // Without the option rejoin no further event follows.
    if (String(this._config.rejoin) === "false" && !this._closing) {
      this._closing = true;
      this._release();
    }
  }

  _tellClose() {
    if (this._closeTold) return;
    this._closeTold = true;
    emit(this, "close");
  }
}

// Its name in assemblage 0.1.
Worker.prototype.queueDeleteJob = Worker.prototype.deleteJob;

if (Symbol.asyncDispose) {
  Worker.prototype[Symbol.asyncDispose] = async function dispose() {
    if (!this._closing) await this.terminate();
  };
}

/** Marks a promise as handled: that a worker is already stopped must not end the process. */
function quietly(promise) {
  promise.catch(() => {});
  return promise;
}

module.exports = Worker;
