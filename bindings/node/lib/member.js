"use strict";
// What masters and workers have in common.

const { emit, settled } = require("./callbacks.js");
const Channel = require("./channel.js");
const { invalid, listOf, nameOf, shown } = require("./check.js");
const { complain, fromCore } = require("./complain.js");
const { errorOf } = require("./errors.js");
const Exit = require("./exit.js");
const Gather = require("./gather.js");
const { SUBSCRIBABLE, countOf, readMessage, recipientsOf, sending } = require("./messages.js");
const { hide, showOnly } = require("./hide.js");
const native = require("./native.js");
const { NewJob, addedOf, batchOf, isNewJob, packed, packer, sizeOf } = require("./new_job.js");
const credentialsOf = require("./credentials.js");
const { memberOptions } = require("./options.js");
const { adding, inSpan } = require("./tracing.js");
const { Code, jsonOf } = require("./wire.js");

class Member extends Channel {
  constructor(type, clusterId, config) {
    super();
    const options = memberOptions(clusterId, config);
    this.type = type;
    // Values that may contain a password, directly or in a client, are not shown where the member is logged. `config` is the unchanged argument.
    hide(this, { config: config ?? {}, _config: options.config, redisClient: options.config.client, _settings: options.settings });
    this.prefix = options.prefix;
    this.db = options.db;
    this.expireDelay = options.expireDelay;
    this._cluster = options.cluster;
    /** How values of the program are written and read; undefined for JSON. */
    this._serialize = options.serialize;
    this._parse = options.parse;
    this._wantedTasks = options.tasks;
    this._credentials = credentialsOf(options.config.credentials);
    this._closing = false;
    this._subscriptions = new Set();
    this._exit = null;
    const add = (jobs, settle) => {
      this._adding(jobs);
      const { lines, bytes } = batchOf(jobs);
      this._call(settle, (token) => this._native.submit(token, jobs.length, lines, bytes));
    };
    this._adds = new Gather(add);
    // Adds with a durability may fail after the jobs were added, and those that wait for others are refused as a whole: not mixed with other calls.
    this._loneAdds = new Gather(add, 1);
    this._gathers = [this._adds, this._loneAdds];

    this._check([]);
  }

  /** Throws if the options, together with `more`, are invalid. */
  _check(more, tasks = this._wantedTasks) {
    const failure = native.checkOptions(this._cluster, [...this._settings, ...more, ...taskSettings(tasks)]);
    if (failure) throw errorOf(failure.number, failure.message);
  }

  /** Opens the native half; fails only if no thread can be started. */
  _open(openNative, tasks = []) {
    super._open((wake) => openNative(this._cluster, [...this._settings, ...taskSettings(tasks)], wake, this._credentials));
    for (const event of this._subscriptions) this._native.subscribe(event);
    if (this._exit !== null) this._native.exitOnKill(this._exit.grace);
  }

  /** Adds a job; its payload is stored unchanged, only `undefined` becomes `{}`. Resolves with `{ id, existed, replaced }`. */
  add(payload, options, callback) {
    if (typeof options === "function") [options, callback] = [undefined, options];
    return settled(callback, (settle) => {
      this._addOne(payload, options, (error, ids, marks, from) => (error ? settle(error) : settle(null, addedOf(ids, marks, from))));
    });
  }

  /** Adds many jobs like `add`, each `{ payload, ...options }` or a `NewJob`. Resolves with their `{ id, existed, replaced }` in order. */
  addMany(jobs, options, callback) {
    if (typeof options === "function") [options, callback] = [undefined, options];
    return settled(callback, (settle) => {
      const jobsOf = listOf(jobs, "jobs");
      const each = jobsOf.map((job) => (isNewJob(job) ? job : newJob(job)));
      this._addEach(each, options, (error, ids, marks, from) => {
        if (error) settle(error);
        else settle(null, each.map((_, i) => addedOf(ids, marks, from + i)));
      });
    });
  }

  _addOne(payload, options, settle) {
    if (!inSpan()) this._addNow(payload, options, settle);
    else adding(this._cluster, options, [payload], (own, [job], end) => this._addNow(job, own, withEnd(settle, end)), false);
  }

  _addNow(payload, options, settle) {
    const job = packed(payload, options, this._serialize);
    this._before(job.alone ? this._loneAdds : this._adds).one(job, sizeOf(job), settle);
  }

  /** Adds jobs: payloads or `NewJob`. */
  _addEach(jobs, options, settle) {
    adding(this._cluster, options, jobs, (own, each, end) => {
      const pack = packer(own, this._serialize);
      this._addItems(each.map((job) => pack(job)), (error, ids, marks, from) => {
        end(error);
        settle(error, ids, marks, from);
      });
    });
  }

  _addItems(jobs, settle) {
    const adds = this._before(jobs.some((job) => job.alone) ? this._loneAdds : this._adds);
    if (jobs.length === 0) process.nextTick(settle, null, [], null, 0);
    else adds.many(jobs, jobs.reduce((size, job) => size + sizeOf(job), 0), settle);
  }

  /** Called before a call: sends the gathered calls of the other kinds, to keep the order. */
  _before(next) {
    if (this._native === null || this._closing) throw this._closedError();
    this._flush(next);
    return next;
  }

  _flush(except) {
    for (const gather of this._gathers) if (gather !== except) gather.flush();
  }

  /** Called with jobs that are about to be sent. */
  _adding() {}

  /**
   * Waits until the member is registered with Redis and subscribed to the events that have listeners. Fails with the first permanent error, such as
   * a wrong password, or with the last connection error.
   */
  ready(callback) {
    return this._ask(callback, "ready");
  }

  /** Counts of the cluster, from Redis. */
  stats(callback) {
    return this._ask(callback, "stats");
  }

  /** The state of the member's connection, lease and jobs, as known locally; sends nothing to Redis. */
  health() {
    const text = this._native?.health();
    if (!text) {
      const counts = { registrations: 0, added: 0, assigned: 0, finished: 0, sent: 0, received: 0, dropped: 0, stuck: 0 };
      return { healthy: false, connected: false, incarnation: "", leaseLeft: 0, active: 0, pending: 0, error: "", errorMessage: "", ...counts };
    }
    const { lease_left_ms: leaseLeft, error_message: errorMessage, ...rest } = JSON.parse(text);
    return { ...rest, leaseLeft, errorMessage };
  }

  /**
   * Sends a message to `"all"` members, or to those of a `{ group }`, a `{ name }` or a process `{ pid, host }`, or to one `{ member }`, by its
   * incarnation; only members with a listener of `message` receive it. Resolves with the recipients. With `acknowledged` or `request`, limits in
   * milliseconds, it waits until each has taken it, or replied. `toSelf`: the sender may be a recipient, too.
   */
  send(to, payload, options, callback) {
    if (typeof options === "function") [options, callback] = [undefined, options];
    return settled(callback, (settle) => {
      settle.parse = this._parse;
      return this._native_("send", settle, ...sending(to, payload, options, this._serialize));
    });
  }

  /** Requests that programs exit with this code: their members emit the event `kill`. Resolves with the recipients. */
  kill(to, code, callback) {
    if (typeof code === "function") [code, callback] = [undefined, code];
    return settled(callback, (settle) => this._native_("kill", settle, recipientsOf(to), exitCodeOf(code ?? 0)));
  }

  /**
   * Exits this process when a member requests it with `kill`: once `onKill(code, from)` has returned, or its promise is settled, the member leaves
   * and the process exits with that code. After `grace` milliseconds (5,000) the process exits at any rate, even if the event loop is busy.
   */
  exitOnKill(options) {
    if (this._exit?.begun) return this;
    const first = this._exit === null;
    this._exit = new Exit(options);
    this._native?.exitOnKill(this._exit.grace);
    return first ? this.on("kill", (code, from) => this._exit.end(code, from, () => this._leave({ grace: 0 }))) : this;
  }

  /** Confirms a name to all members that wait for it. */
  confirm(name, callback) {
    return settled(callback, (settle) => this._native_("confirm", settle, nameOf(name, "name")));
  }

  /** Waits until `count` distinct members have confirmed a name since this call. Resolves with them, in the order of their confirmations. */
  confirmations(count, name, callback) {
    return settled(callback, (settle) => this._native_("confirmations", settle, countOf(count), nameOf(name, "name")));
  }

  /** Sets the data of this member, which `members()` shows: JSON of at most 4 KiB. */
  setData(value, callback) {
    return settled(callback, (settle) => this._native_("setData", settle, jsonOf(value, "data of a member")));
  }

  on(event, listener) {
    super.on(event, listener);
    return this._subscribe(event);
  }

  prependListener(event, listener) {
    super.prependListener(event, listener);
    return this._subscribe(event);
  }

  /** Subscribes to messages or changes of members when the first listener is added; without listeners they cost nothing. */
  _subscribe(event) {
    if (SUBSCRIBABLE.includes(event) && !this._subscriptions.has(event)) {
      this._subscriptions.add(event);
      this._native?.subscribe(event);
    }
    return this;
  }

  /** Handles events of jobs and of the registration, which only workers have. */
  _event(code, key, a, b, incoming) {
    if (code === Code.READY) this._registered(incoming.id());
  }

  _registered(incarnation) {
    this.incarnation = incarnation;
    emit(this, "ready");
  }

  /** Handles rows that do not concern a job. */
  _dispatch(code, key, a, b, incoming) {
    switch (code) {
      case Code.CLOSE:
        return this._closed(a === 0 ? null : errorOf(a, incoming.text(b)));
      case Code.ERROR:
        return this._complain(fromCore(errorOf(a, incoming.text(b))));
      case Code.MESSAGE_JSON:
      case Code.MESSAGE_BYTES:
        return emit(this, "message", readMessage(code, key, a, b, incoming, this));
      case Code.KILL:
        return emit(this, "kill", ...JSON.parse(incoming.text(a)));
      case Code.MEMBER:
        return emit(this, "member", ...JSON.parse(incoming.text(a)));
      default:
        return super._dispatch(code, key, a, b, incoming);
    }
  }

  /** Leaves the cluster at once, because the process ends. */
  async _leave() {}

  /** Called when the core has closed the member; there is an error unless the program closed it. */
  _closed() {}

  /** Handles a background error. */
  _complain(error) {
    complain(this, error);
  }
}

Member.prototype.incarnation = "";

// Its identity, and never the options.
showOnly(Member, ({ type, _cluster: cluster, incarnation }) => ({ type, cluster, incarnation }));

/** A job of `addMany`. */
function newJob(job) {
  if (typeof job !== "object" || job === null || Array.isArray(job)) {
    throw invalid(`a job is ${shown(job)}, it must be { payload, ...options } or a NewJob; addJobs takes payloads`);
  }
  const { payload, ...options } = job;
  return new NewJob(payload, options);
}

/** Ends the span of an add with its answer. */
function withEnd(settle, end) {
  return (error, ids, marks, from) => {
    end(error, ids?.[from]);
    settle(error, ids, marks, from);
  };
}

function taskSettings(tasks) {
  return tasks.flatMap((task) => ["task", task]);
}

function exitCodeOf(code) {
  if (Number.isInteger(code) && code === (code | 0)) return code;
  throw invalid(`the exit code is ${shown(code)}, it must be a whole number of 32 bits`);
}

module.exports = Member;
