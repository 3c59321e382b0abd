"use strict";
// Masters: add and delete jobs, await results.

const { settled } = require("./callbacks.js");
const { classes } = require("./errors.js");
const Gather = require("./gather.js");
const Member = require("./member.js");
const native = require("./native.js");
const { jobOptions } = require("./options.js");
const { Outgoing, bytesOf, jsonOf } = require("./wire.js");

class Master extends Member {
  constructor(clusterId, config) {
    super("master", clusterId, config);
    this.id = this._cluster;
    this._adds = new Gather((items, settle) => this._submit(items, settle));
    this._deletes = new Gather((items, settle) => this._native_("deleteJobs", settle, items));
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
      const items = Array.from(payloads, (payload) => item(payload || {}, options));
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
      const items = Array.from(jobs, ({ payload, ...options }) => item(payload === undefined ? {} : payload, options));
      this._addItems(items, (error, ids, flags, from) => {
        if (error) settle(error);
        else settle(null, items.map((_, i) => ({ id: ids[from + i], existed: flags?.[from + i] ?? false })));
      });
    });
  }

  _add(payload, options, settle) {
    this._addItems([item(payload, options)], settle);
  }

  _addItems(items, settle) {
    if (this._native === null || this._closing) throw this._closedError();
    if (items.length === 0) return process.nextTick(settle, null, [], null, 0);
    let size = 0;
    for (const { content } of items) size += content.length;
    this._deletes.flush();
    return this._adds.push(items, size, settle);
  }

  _submit(items, settle) {
    const batch = new Outgoing();
    for (const { content, options } of items) {
      if (options !== undefined) batch.line(options);
      if (typeof content === "string") {
        batch.line(content);
      } else {
        batch.line(`@${content.length}`);
        batch.blob(content);
      }
    }
    this._native.submit(this._expect(settle), items.length, batch.text, batch.allBytes);
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
    if (this._native === null || this._closing) throw this._closedError();
    this._adds.flush();
    this._deletes.push(ids, ids.length, settle);
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
      const wait = new Wait(this, settle, signal, timeouts?.total, "the result");
      const added = first((error, id) => {
        if (error) wait.end(error);
        else if (!wait.over) wait.result(id);
      });
      try {
        this._add(payload === undefined ? {} : payload, { ...rest, result: true }, added);
      } catch (error) {
        process.nextTick(() => wait.end(error));
      }
    });
  }

  /** Removes every key of the cluster, whoever uses it: for tests, and for the end of a cluster's life. */
  obliterate(callback) {
    return this._ask(callback, "obliterate");
  }

  /** Waits for what was added, leaves the cluster and closes the connections. */
  close(callback) {
    return settled(callback, (settle) => {
      if (this._native === null || this._closing) throw this._closedError();
      this._adds.flush();
      this._deletes.flush();
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

/** A job on its way: its payload as JSON text or bytes, and its options as a line of the batch. */
function item(payload, options) {
  const settings = options === undefined || options === null ? undefined : jobOptions(options);
  return {
    content: bytesOf(payload) ?? jsonOf(payload, "payload"),
    options: settings?.length ? `#${JSON.stringify(settings)}` : undefined,
  };
}

/** Reads the only id of a call out of those of its batch. */
function first(settle) {
  return (error, ids, flags, from) => (error ? settle(error) : settle(null, ids[from], flags?.[from] ?? false));
}

/** The longest timer of Node, in milliseconds; a longer limit is none. */
const MAX_TIMER = 2 ** 31 - 1;

/** A wait for a result, which ends once: by the result, by its signal or by its time limit. */
class Wait {
  constructor(master, settle, signal, limit, what) {
    if (signal?.aborted) throw cancelled(signal, what);
    if (limit !== undefined && !(limit > 0)) {
      throw new classes.InvalidArgumentError(`the time limit is ${limit}, it must be a positive number of milliseconds`);
    }
    this.master = master;
    this.settle = settle;
    this.signal = signal;
    this.over = false;
    this.token = 0;
    this.onAbort = () => this.end(cancelled(signal, what));
    signal?.addEventListener("abort", this.onAbort, { once: true });
    const late = () => this.end(new classes.TimeoutError(`waited ${limit} ms for ${what}; the job goes on`));
    this.timer = limit <= MAX_TIMER ? setTimeout(late, limit) : undefined;
  }

  result(id) {
    try {
      this.token = this.master._native_("result", (error, value) => this.end(error, value), id);
    } catch (error) {
      process.nextTick(() => this.end(error));
    }
  }

  end(error, value) {
    if (this.over) return;
    this.over = true;
    clearTimeout(this.timer);
    this.signal?.removeEventListener("abort", this.onAbort);
    const { master, token } = this;
    if (master._calls.delete(token)) {
      master._native?.cancel(token);
      master._keepAlive();
    }
    this.settle(error, value);
  }
}

function cancelled(signal, what) {
  return new classes.CancelledError(`the wait for ${what} was cancelled; the job goes on`, { cause: signal.reason });
}

module.exports = Master;
