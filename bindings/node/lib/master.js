"use strict";
// Masters: add and delete jobs, await results.

const { emit, settled } = require("./callbacks.js");
const Gather = require("./gather.js");
const Member = require("./member.js");
const native = require("./native.js");
const { jobOptions } = require("./options.js");
const Wait = require("./wait.js");
const { Outgoing, bytesOf, jsonOf } = require("./wire.js");

class Master extends Member {
  constructor(clusterId, config) {
    super("master", clusterId, config);
    this.id = this._cluster;
    this._adds = new Gather((jobs, settle) => {
      const { lines, bytes } = batchOf(jobs);
      this._native.submit(this._expect(settle), jobs.length, lines, bytes);
    });
    this._deletes = new Gather((ids, settle) => this._native_("deleteJobs", settle, ids));
    this._runs = new Gather((runs) => this._sendRuns(runs));
    this._gathers = [this._adds, this._deletes, this._runs];
    this._open(native.openMaster);
    // A master that waits for nothing does not keep the process alive.
    this._native.keepAlive(false);
    this._keptAlive = false;
  }

  _expect(settle) {
    const token = super._expect(settle);
    this._keepAlive();
    return token;
  }

  _answered() {
    this._keepAlive();
  }

  _closed() {
    emit(this, "close");
  }

  _keepAlive() {
    const alive = this._calls.size > 0;
    if (alive === this._keptAlive || this._native === null) return;
    this._keptAlive = alive;
    this._native.keepAlive(alive);
  }

  /**
   * As in assemblage 0.1: a payload that is falsy becomes `{}`; `callback(error, jobId, existed)` is called when Redis
   * has stored the job. `options` are those of `add`.
   */
  addJob(payload, options, callback) {
    if (typeof payload === "function" && callback === undefined && options === undefined) {
      [payload, callback] = [undefined, payload];
    } else if (typeof options === "function") {
      [options, callback] = [undefined, options];
    }
    return settled(callback, (settle) => this._add(payload || {}, options, first(settle)), true);
  }

  /** Adds many jobs like `addJob`, with the same options; the ids come in order. */
  addJobs(payloads, options, callback) {
    if (typeof options === "function") [options, callback] = [undefined, options];
    return settled(callback, (settle) => {
      const items = Array.from(payloads, (payload) => packed(payload || {}, options));
      this._addItems(items, (error, ids, flags, from) => {
        if (error) return settle(error);
        const to = from + items.length;
        return settle(null, ids.slice(from, to), flags?.slice(from, to) ?? items.map(() => false));
      });
    });
  }

  /** Adds a job; its payload stays what it is, only `undefined` becomes `{}`. Gives `{ id, existed }`. */
  add(payload, options, callback) {
    if (typeof options === "function") [options, callback] = [undefined, options];
    return settled(callback, (settle) => {
      this._add(payload === undefined ? {} : payload, options, first((error, id, existed) => {
        if (error) settle(error);
        else settle(null, { id, existed });
      }));
    });
  }

  /** Adds many jobs like `add`, each `{ payload, ...options }`; gives their `{ id, existed }` in order. */
  addMany(jobs, callback) {
    return settled(callback, (settle) => {
      const items = Array.from(jobs, ({ payload, ...options }) => packed(payload === undefined ? {} : payload, options));
      this._addItems(items, (error, ids, flags, from) => {
        if (error) settle(error);
        else settle(null, items.map((_, i) => ({ id: ids[from + i], existed: flags?.[from + i] ?? false })));
      });
    });
  }

  _add(payload, options, settle) {
    const job = packed(payload, options);
    this._before(this._adds).one(job, sizeOf(job), settle);
  }

  _addItems(jobs, settle) {
    const adds = this._before(this._adds);
    if (jobs.length === 0) process.nextTick(settle, null, [], null, 0);
    else adds.many(jobs, jobs.reduce((size, job) => size + sizeOf(job), 0), settle);
  }

  /** What is about to be called; calls of the other kinds go first, as they came. */
  _before(next) {
    if (this._native === null || this._closing) throw this._closedError();
    for (const gather of this._gathers) if (gather !== next) gather.flush();
    return next;
  }

  /**
   * As in assemblage 0.1: deletes a job whatever its state. `callback(error, jobId, existed)`; an empty id gives `false`.
   */
  deleteJob(jobId, callback) {
    if (typeof jobId === "function" && callback === undefined) [jobId, callback] = [undefined, jobId];
    const id = String(jobId ?? "").trim();
    return settled(callback, (settle) => {
      if (id === "") return process.nextTick(settle, null, false);
      return this._delete([id], (error, flags, _, from) => (error ? settle(error) : settle(null, id, flags[from])));
    }, true);
  }

  /** Deletes many jobs; gives whether each existed. */
  deleteJobs(jobIds, callback) {
    return settled(callback, (settle) => {
      const ids = Array.from(jobIds, (id) => String(id));
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
   * Awaits the result of a job that was added with `result: true`, by anyone. `signal` stops the wait, `timeout` limits
   * it, in milliseconds; the job goes on.
   */
  result(jobId, options, callback) {
    if (typeof options === "function") [options, callback] = [undefined, options];
    const id = String(jobId);
    return settled(callback, (settle) => {
      const { signal, timeout } = options ?? {};
      new Wait(this, settle, signal, timeout, `the result of job ${id}`).result(id);
    });
  }

  /**
   * Adds a job and awaits its result. `options` are those of `add`, and `signal` and `timeouts.total` (milliseconds),
   * which end the wait; the job goes on.
   */
  run(payload, options, callback) {
    if (typeof options === "function") [options, callback] = [undefined, options];
    return settled(callback, (settle) => {
      const { signal, timeouts, ...rest } = options ?? {};
      const job = packed(payload === undefined ? {} : payload, rest);
      const runs = this._before(this._runs);
      const wait = new Wait(this, settle, signal, timeouts?.total, "the result");
      runs.one({ job, wait }, sizeOf(job), (error) => wait.end(error));
    });
  }

  /** Sends runs; each has a token of its own, by which it can be given up and is answered. */
  _sendRuns(runs) {
    const waiting = runs.filter(({ wait }) => !wait.over);
    if (waiting.length === 0) return;
    const tokens = Uint32Array.from(waiting, ({ wait }) => wait.expect());
    const { lines, bytes } = batchOf(waiting.map(({ job }) => job));
    this._native.run(tokens, lines, bytes);
  }

  /** Removes every key of the cluster, whoever uses it: for tests, and for the end of a cluster's life. */
  obliterate(callback) {
    return this._ask(callback, "obliterate");
  }

  /** Waits for what was added, leaves the cluster and closes the connections. */
  close(callback) {
    return settled(callback, (settle) => {
      if (this._native === null || this._closing) throw this._closedError();
      this._before(null);
      this._closing = true;
      this._native_("close", (error) => {
        this._release();
        settle(error);
      });
    });
  }
}

if (Symbol.asyncDispose) {
  Master.prototype[Symbol.asyncDispose] = async function dispose() {
    if (!this._closing) await this.close();
  };
}

/** A job on its way: its payload as JSON text, or `{ content, options }` where the payload is bytes or options are set. */
function packed(payload, options) {
  const content = bytesOf(payload) ?? jsonOf(payload, "payload");
  const settings = options === undefined || options === null ? undefined : jobOptions(options);
  if (settings?.length) return { content, options: `#${JSON.stringify(settings)}` };
  return typeof content === "string" ? content : { content, options: undefined };
}

function sizeOf(job) {
  return typeof job === "string" ? job.length : job.content.length;
}

/** Packed jobs as the native side reads them. */
function batchOf(jobs) {
  const batch = new Outgoing();
  for (const job of jobs) {
    if (typeof job === "string") {
      batch.line(job);
      continue;
    }
    if (job.options !== undefined) batch.line(job.options);
    if (typeof job.content === "string") {
      batch.line(job.content);
    } else {
      batch.line(`@${job.content.length}`);
      batch.blob(job.content);
    }
  }
  return { lines: batch.text, bytes: batch.allBytes };
}

/** Reads the only id of a call out of those of its batch. */
function first(settle) {
  return (error, ids, flags, from) => (error ? settle(error) : settle(null, ids[from], flags?.[from] ?? false));
}

module.exports = Master;
