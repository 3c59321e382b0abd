"use strict";
// Masters: add and delete jobs, await results.

const { call, emit, settleWith, settled } = require("./callbacks.js");
const { functionOf, invalid, listOf, millisecondsOf, nameOf, namesOf, optionalName, optionsOf, shown, slotsOf, wholeOf } = require("./check.js");
const Chooser = require("./chooser.js");
const Gather = require("./gather.js");
const { Group, Outcomes } = require("./group.js");
const { flowOf, jobOf, limitOf, memberOf, pageOf, queuesOf, rowOf, scheduleOf, schedulesOf } = require("./infos.js");
const JobEvents = require("./job_events.js");
const Member = require("./member.js");
const native = require("./native.js");
const { batchOf, isNewJob, isOld, packed, packer, sizeOf } = require("./new_job.js");
const { tasksOf } = require("./options.js");
const limitOptions = require("./limit.js");
const scheduleOptions = require("./schedule.js");
const bound = require("./scope.js");
const { adding } = require("./tracing.js");
const Wait = require("./wait.js");

/** The end of the year 9999, in milliseconds since 1970. */
const LATEST = 253402300799000;

/** The default of the number of jobs of a page. */
const PAGE = 100;

/** The default time that jobs wait for a choice, and its maximum, in milliseconds. */
const WITHIN = 1000;
const MAX_WITHIN = 3_600_000;

/** The maximum number of jobs of a page, as in the core. */
const MAX_PAGE = 1000;

class Master extends Member {
  constructor(clusterId, config) {
    super("master", clusterId, config);
    this.id = this._cluster;
    /** Whether other members depend on this master: it has ephemeral jobs, or has set data with `setData`. */
    this._lasts = false;
    this._deletes = new Gather((ids, settle) => this._native_("deleteJobs", settle, ids));
    this._runs = new Gather((runs) => this._sendRuns(runs));
    this._gathers.push(this._deletes, this._runs);
    this._chooser = new Chooser(this);
    this._open(native.openMaster);
    // A master without pending calls does not keep the process alive.
    this._native.keepAlive(false);
    this._keptAlive = false;
    this._keepAlive();
  }

  _adding(jobs) {
    this._lasts ||= jobs.some((job) => job.options?.includes('"ephemeral","true"'));
  }

  _subscribe(event) {
    super._subscribe(event);
    if (this._keptAlive !== undefined) this._keepAlive();
    return this;
  }

  setData(value, callback) {
    this._lasts = true;
    return super.setData(value, callback);
  }

  _expect(settle) {
    const token = super._expect(settle);
    this._keepAlive();
    return token;
  }

  _forget(token) {
    const awaited = super._forget(token);
    this._keepAlive();
    return awaited;
  }

  _answered() {
    this._keepAlive();
  }

  _closed() {
    emit(this, "close");
  }

  _keepAlive() {
    // If the program drops it, it leaves, unless events or answers are still to come.
    this._keep(this._native !== null && (this._calls.size > 0 || this._lasts || this._subscriptions.size > 0));
    const alive = this._calls.size > (this._chooser.waits ? 1 : 0);
    if (alive === this._keptAlive || this._native === null) return;
    this._keptAlive = alive;
    this._native.keepAlive(alive);
  }

  /**
   * As in assemblage 0.1: a falsy payload becomes `{}`; `callback(error, jobId, existed)` is called when Redis has stored the job. `options` are
   * those of `add`.
   */
  addJob(payload, options, callback) {
    if (typeof payload === "function" && callback === undefined && options === undefined) {
      [payload, callback] = [undefined, payload];
    } else if (typeof options === "function") {
      [options, callback] = [undefined, options];
    }
    return settled(callback, (settle) => this._addOne(payload || {}, options, first(settle)));
  }

  /** Adds many jobs like `addJob`, with the same options, or as `NewJob` with their own in addition. Resolves with the ids in order. */
  addJobs(payloads, options, callback) {
    if (typeof options === "function") [options, callback] = [undefined, options];
    return settled(callback, (settle) => {
      const payloadsOf = listOf(payloads, "payloads");
      const each = payloadsOf.map((payload) => payload || {});
      this._addEach(each, options, (error, ids, marks, from) => {
        if (error) return settle(error);
        const to = from + each.length;
        return settle(null, ids.slice(from, to), each.map((_, i) => isOld(marks, from + i)));
      });
    });
  }

  /**
   * Adds a flow: payloads or `NewJob` whose options `after` name each other or other jobs, all or none; `chain` and `fanIn` build such lists. Options
   * are those of all jobs, besides `id` and `cancelRest` of the flow. Resolves with `{ id, existed, jobs }`.
   */
  addFlow(jobs, options, callback) {
    if (typeof options === "function") [options, callback] = [undefined, options];
    return this._do(callback, "addFlow", () => {
      const { id, cancelRest, ...common } = jobOptionsOf(options);
      const items = this._packed(listOf(jobs, "jobs"), common);
      const { lines, bytes } = batchOf(items);
      if (cancelRest !== undefined && typeof cancelRest !== "boolean") throw invalid(`cancelRest is ${shown(cancelRest)}, it must be a boolean`);
      return [optionalName(id, "flow id"), cancelRest ?? false, items.length, lines, bytes];
    });
  }

  /** A flow with the states of its jobs, by its id or that of one of its jobs, or null if there is none. */
  flow(id, callback) {
    return this._look(callback, flowOf, "flow", () => [nameOf(id, "flow id")]);
  }

  /**
   * As in assemblage 0.1: deletes a job in any state. `callback(error, jobId, existed)`; an empty id gives `false`. Spaces around the id are trimmed
   * only with a callback, as in assemblage 0.1.
   */
  deleteJob(jobId, callback) {
    if (typeof jobId === "function" && callback === undefined) [jobId, callback] = [undefined, jobId];
    return settled(callback, (settle) => {
      const given = nameOf(jobId ?? "", "id");
      const id = typeof callback === "function" ? given.trim() : given;
      if (id === "") return process.nextTick(settle, null, false);
      return this._delete([id], (error, flags, _, from) => (error ? settle(error) : settle(null, id, flags[from])));
    });
  }

  /** Deletes many jobs. Resolves with whether each existed. */
  deleteJobs(jobIds, callback) {
    return settled(callback, (settle) => {
      const ids = listOf(jobIds, "ids").map((id) => nameOf(id, "id"));
      if (ids.length === 0) return process.nextTick(settle, null, []);
      return this._delete(ids, (error, flags, _, from) => {
        if (error) settle(error);
        else settle(null, flags.slice(from, from + ids.length));
      });
    });
  }

  _delete(ids, settle) {
    this._before(this._deletes).many(ids, ids.length, settle);
  }

  /**
   * Awaits the result of a job that any member added with `result: true`. `signal` stops the wait, `timeout` limits it, in milliseconds; the job
   * continues.
   */
  result(jobId, options, callback) {
    if (typeof options === "function") [options, callback] = [undefined, options];
    return settled(callback, (settle) => {
      const id = nameOf(jobId, "id");
      const { signal, timeout } = optionsOf(options, ["signal", "timeout"], "result");
      new Wait(this, settle, signal, timeout, `the result of job ${id}`).result(id);
    });
  }

  /**
   * Adds a job and awaits its result; `callback(error, result, existed)`. `options` are those of `add`, and `signal` and `timeout` (milliseconds),
   * which end the wait; the job continues. `onExisted(id)` is called if a job with this `id`, or with its unique
   * key, existed: the result is that of the existing job.
   */
  run(payload, options, callback) {
    if (typeof options === "function") [options, callback] = [undefined, options];
    return settled(callback, (settle) => {
      const { signal, timeout, onExisted, ...rest } = jobOptionsOf(options);
      const report = onExisted === undefined || onExisted === null ? undefined : bound(functionOf(onExisted, "onExisted"), "onExisted");
      const job = adding(this._cluster, rest, [payload], (own, [one], end) => {
        const made = packed(one, own, this._serialize);
        end();
        return made;
      }, false);
      const runs = this._before(this._runs);
      let existed = false;
      const wait = new Wait(this, (error, value) => (error ? settle(error) : settle(null, value, existed)), signal, timeout, "the result");
      wait.existed = (id) => {
        existed = true;
        if (report !== undefined) call(report, id);
      };
      runs.one({ job, wait }, sizeOf(job), (error) => wait.end(error));
    });
  }

  /** Sends runs; each has its own token, by which it is answered and can be cancelled. */
  _sendRuns(runs) {
    const waiting = runs.filter(({ wait }) => !wait.over);
    if (waiting.length === 0) return;
    const { lines, bytes } = batchOf(waiting.map(({ job }) => job));
    const tokens = Uint32Array.from(waiting, ({ wait }) => wait.expect());
    try {
      this._native.run(tokens, lines, bytes);
    } catch (error) {
      for (const token of tokens) this._forget(token);
      throw error;
    }
  }

  /**
   * Adds jobs and awaits their outcomes, in the order of the jobs. `jobs` and `options` are as for `addJobs`, but payloads are stored unchanged;
   * `signal` and `timeout` end the wait. Unless `keep` is true, the jobs are deleted when this master leaves or is lost.
   */
  runMany(jobs, options, callback) {
    if (typeof options === "function") [options, callback] = [undefined, options];
    return settled(callback, (settle) => {
      const outcomes = [];
      const report = (outcome) => {
        outcomes[outcome.position] = outcome;
      };
      this._group(jobs, options)(report, (error) => (error ? settle(error) : settle(null, outcomes)));
    });
  }

  /** As `runMany`, but returns an async iterator of the outcomes, each as its job finishes. */
  runEach(jobs, options) {
    return new Outcomes(this._group(jobs, options));
  }

  /** Jobs packed together, in a span of their own. */
  _packed(jobs, options) {
    return adding(this._cluster, options, jobs, (own, each, end) => {
      const pack = packer(own, this._serialize);
      const items = each.map((job) => pack(job));
      end();
      return items;
    });
  }

  _group(jobs, options) {
    const { signal, timeout, keep = false, ...rest } = jobOptionsOf(options);
    if (typeof keep !== "boolean") throw invalid(`keep is ${shown(keep)}, it must be true or false`);
    const packedJobs = this._packed(listOf(jobs, "jobs"), { ephemeral: !keep, ...rest });
    this._before(null);
    return (report, settle) => new Group(this, packedJobs, { signal, timeout }, report, settle);
  }

  /**
   * Follows the transitions of all jobs of the cluster: an async iterator of events, which `break` ends. `after` is the position of an event, or "0" for
   * all that are kept; without it, it begins with what happens once `ready()` of the iterator has resolved.
   */
  events(options) {
    const { after } = optionsOf(options, ["after"], "events");
    const position = optionalName(after, "option after");
    this._before(null);
    return new JobEvents(this, position);
  }

  /** A job by its id, or null if there is none. */
  job(jobId, callback) {
    return this._look(callback, (job) => job && jobOf(job, this._parse), "job", () => [nameOf(jobId, "id")]);
  }

  /** A page of the jobs in a state: up to `limit`, starting where the page before ended. */
  jobs(state, options, callback) {
    if (typeof options === "function") [options, callback] = [undefined, options];
    return this._look(callback, (page) => pageOf(page, this._parse), "jobs", () => {
      const { after, limit } = optionsOf(options, ["after", "limit"], "jobs");
      return [nameOf(state, "state"), optionalName(after, "option after"), wholeOf(limit ?? PAGE, "limit", 1, MAX_PAGE)];
    });
  }

  /** Counts the waiting jobs by priority and task; also returns the limits and the paused tasks. */
  queues(callback) {
    return this._look(callback, queuesOf, "queues");
  }

  /** The metrics of the cluster in the text format of Prometheus. */
  metrics(callback) {
    return this._look(callback, (text) => text, "metrics");
  }

  /** The counts of each task in minutes or hours, in the order of time. */
  metricsHistory(options, callback) {
    if (typeof options === "function") [options, callback] = [undefined, options];
    return this._look(callback, (rows) => rows.map(rowOf), "metricsHistory", () => {
      const { resolution, start, end, task } = optionsOf(options, ["resolution", "start", "end", "task"], "metricsHistory");
      const timeOf = (value, name) => (value === undefined || value === null ? undefined : millisecondsOf(value, name, 0, LATEST));
      return [nameOf(resolution ?? "minute", "resolution"), timeOf(start, "start"), timeOf(end, "end"), optionalName(task, "task")];
    });
  }

  /** All live members. */
  members(callback) {
    return this._look(callback, (members) => members.map(memberOf), "members");
  }

  /** Pauses the assignment of the jobs of a task, or of all jobs, until `resume`. Active jobs continue. */
  pause(task, callback) {
    if (typeof task === "function") [task, callback] = [undefined, task];
    return this._do(callback, "pause", () => [optionalName(task, "task")]);
  }

  /** Ends a pause. */
  resume(task, callback) {
    if (typeof task === "function") [task, callback] = [undefined, task];
    return this._do(callback, "resume", () => [optionalName(task, "task")]);
  }

  /** Sets the slots of a worker, by its incarnation. Resolves with whether there is such a worker. */
  setWorkerSlots(incarnation, slots, callback) {
    return this._do(callback, "setWorkerSlots", () => [nameOf(incarnation, "incarnation"), slotsOf(slots)]);
  }

  /** Pauses a worker, by its incarnation. Resolves with whether there is such a worker. */
  pauseWorker(incarnation, callback) {
    return this._do(callback, "pauseWorker", () => [nameOf(incarnation, "incarnation"), true]);
  }

  /** Ends the pause of a worker, also one of its own. Resolves with whether there is such a worker. */
  resumeWorker(incarnation, callback) {
    return this._do(callback, "pauseWorker", () => [nameOf(incarnation, "incarnation"), false]);
  }

  /**
   * Creates or changes a schedule, which adds a job with this payload and these options at each of its slots. Resolves with `"created"`, `"changed"`
   * or `"unchanged"`.
   */
  schedule(id, schedule, payload, options, callback) {
    if (typeof payload === "function" && options === undefined && callback === undefined) [payload, callback] = [undefined, payload];
    if (typeof options === "function" && callback === undefined) [options, callback] = [undefined, options];
    return this._do(callback, "setSchedule", () => {
      const { lines, bytes } = batchOf([packed(payload, options, this._serialize)]);
      return [nameOf(id, "schedule id"), scheduleOptions(schedule), lines, bytes];
    });
  }

  /** Removes a schedule; jobs that it has added stay. Resolves with whether there was one. */
  unschedule(id, callback) {
    return this._do(callback, "unschedule", () => [nameOf(id, "schedule id")]);
  }

  /** Pauses a schedule until `resumeSchedule`. Resolves with whether there is one. */
  pauseSchedule(id, callback) {
    return this._do(callback, "pauseSchedule", () => [nameOf(id, "schedule id"), true]);
  }

  /** Resumes a schedule with its next slot; what it missed does not run. Resolves with whether there is one. */
  resumeSchedule(id, callback) {
    return this._do(callback, "pauseSchedule", () => [nameOf(id, "schedule id"), false]);
  }

  /** Adds the job of a schedule now, beside its slots. Resolves with its id, or null if `overlap` skips it. */
  runSchedule(id, callback) {
    return this._do(callback, "runSchedule", () => [nameOf(id, "schedule id")]);
  }

  /** Sets the figures of a limit for the whole cluster. Resolves with whether it had figures before. */
  limit(name, figures, callback) {
    return this._do(callback, "setLimit", () => [nameOf(name, "name of a limit"), limitOptions(figures)]);
  }

  /** Removes the figures of a limit: it allows everything. Resolves with whether it had figures. */
  removeLimit(name, callback) {
    return this._do(callback, "removeLimit", () => [nameOf(name, "name of a limit")]);
  }

  /** The state of a limit, whether it has figures or not. */
  limitInfo(name, callback) {
    return this._look(callback, limitOf, "limitInfo", () => [nameOf(name, "name of a limit")]);
  }

  /** A schedule, or null if there is none. */
  scheduleInfo(id, callback) {
    return this._look(callback, scheduleOf, "scheduleInfo", () => [nameOf(id, "schedule id")]);
  }

  /** A page of schedules by their ids: up to `limit`, from where the page before ended. */
  schedules(options, callback) {
    if (typeof options === "function") [options, callback] = [undefined, options];
    return this._look(callback, schedulesOf, "schedules", () => {
      const { after, limit } = optionsOf(options, ["after", "limit"], "schedules");
      return [optionalName(after, "option after"), wholeOf(limit ?? PAGE, "limit", 1, MAX_PAGE)];
    });
  }

  /** Requeues failed jobs with all their retries: those with the ids, or all. Resolves with their number. */
  retryFailed(jobIds, callback) {
    if (typeof jobIds === "function") [jobIds, callback] = [undefined, jobIds];
    return this._do(callback, "retryFailed", () => [idsOf(jobIds)]);
  }

  /** Deletes the records of failed jobs: those with the ids, or all. Resolves with their number. */
  deleteFailed(jobIds, callback) {
    if (typeof jobIds === "function") [jobIds, callback] = [undefined, jobIds];
    return this._do(callback, "deleteFailed", () => [idsOf(jobIds)]);
  }

  /** Deletes the records of completed jobs that are kept: those with the ids, or all. Resolves with their number. */
  deleteCompleted(jobIds, callback) {
    if (typeof jobIds === "function") [jobIds, callback] = [undefined, jobIds];
    return this._do(callback, "deleteCompleted", () => [idsOf(jobIds)]);
  }

  /**
   * Sets the chooser: `choose(job, workers)` is called for each waiting job with the workers that can accept it. It returns one of them, or its
   * incarnation, or null to leave the job for later; it may be async. `within` (milliseconds) is how long jobs wait for a choice before they are
   * assigned by default; `tasks` limits the choice to jobs of these tasks.
   */
  choose(choose, options, callback) {
    if (typeof options === "function") [options, callback] = [undefined, options];
    return this._choosing(callback, () => {
      const { within, tasks } = optionsOf(options, ["within", "tasks"], "choose");
      const chosen = bound(functionOf(choose, "what chooses a worker for a job"), "choose");
      return this._chooser.start(chosen, millisecondsOf(within ?? WITHIN, "within", 0, MAX_WITHIN), tasksOf(tasks));
    });
  }

  /** Stops choosing. */
  stopChoosing(callback) {
    return this._choosing(callback, () => this._chooser.stop());
  }

  _choosing(callback, begin) {
    return settled(callback, (settle) => {
      if (this._native === null || this._closing) throw this._closedError();
      begin().then(() => settle(null), settle);
    });
  }

  /** As `_ask`, with arguments that are evaluated once the callback has been checked. */
  _do(callback, method, args) {
    return settled(callback, (settle) => this._native_(method, settle, ...args()));
  }

  /** As `_do`, and converts the answer with `read`. */
  _look(callback, read, method, args = () => []) {
    return settled(callback, (settle) => {
      this._native_(method, (error, value) => (error ? settle(error) : settleWith(settle, () => read(value))), ...args());
    });
  }

  /** Ends the lease of a member at once, for a caller that is certain that its process is dead: its jobs are requeued, as when the lease ends. */
  _endLease(incarnation, callback) {
    return this._ask(callback, "endLease", String(incarnation));
  }

  /** Removes every key of the cluster, even while other members use it: for tests, and to retire a cluster. */
  obliterate(callback) {
    return this._ask(callback, "obliterate");
  }

  /** Sends pending adds, leaves the cluster and closes the connections. */
  close(callback) {
    return settled(this._callback(callback), (settle) => {
      if (this._native === null || this._closing) throw this._closedError();
      this._before(null);
      this._closing = true;
      this._chooser.end();
      this._native_("close", (error) => {
        this._release();
        settle(error);
      });
    });
  }

  _leave() {
    return this.close();
  }
}

if (Symbol.asyncDispose) {
  Master.prototype[Symbol.asyncDispose] = async function dispose() {
    if (!this._closing) await this.close();
  };
}

/** Options of a job and of the wait for it. Unknown names are detected with those of the job. */
function jobOptionsOf(options) {
  if (options === undefined || options === null) return {};
  if (typeof options === "object" && !Array.isArray(options)) return options;
  throw invalid(`the options are ${shown(options)}, they must be an object`);
}

/** Ids of jobs, or undefined for all. */
function idsOf(jobIds) {
  return jobIds === undefined || jobIds === null ? undefined : namesOf(jobIds, "id", "ids");
}

/** Converts the answer of a batch to that of a call with a single id. */
function first(settle) {
  return (error, ids, marks, from) => (error ? settle(error) : settle(null, ids[from], isOld(marks, from)));
}

module.exports = Master;
