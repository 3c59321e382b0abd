"use strict";
// One call of work or workIndividual: its works, and its callbacks.

const { NewJob } = require("../index.js");
const { MAX_MESSAGE } = require("./address.js");
const { keyOf } = require("./envelope.js");
const { badWork, clientTimeout, tooLarge } = require("./errors.js");
const { integerOf, limitOf, timer } = require("./numbers.js");

/** Bytes reserved for the id of the manager to which the work was reported. */
const KNOWN = 64;

class Request {
  /**
   * `reported(err, data, w)` is called for each work, `ended(results)` for all. When the time is over, `client._abort(works, err)` aborts unfinished
   * works.
   */
  constructor(client, id, originals, opts, reported, ended) {
    opts = opts ?? {};
    this.id = id;
    this.reported = reported;
    this.ended = ended;
    this.runTimeout = limitOf(opts.runTimeout);
    this.assignTimeout = limitOf(opts.assigntimeout);
    this.priority = integerOf(opts.priority, 0);
    this.keepState = Boolean(opts.keepState ?? client.options.keepState);
    this.results = new Array(originals.length);
    this.works = Array.from(originals, (original, position) => new Work(this, position, original, client.id));
    this.left = this.works.length;
    this.timer = timer(limitOf(opts.timeout), () => client._abort(this.unfinished(), clientTimeout()));
  }

  unfinished() {
    return this.works.filter((work) => !work.over);
  }
}

/** One work of a request, until it is over. */
class Work {
  constructor(request, position, original, clientId) {
    this.request = request;
    this.position = position;
    this.over = false;
    this.refusal = undefined;
    /** The argument `w` of callbacks. */
    this.shown = { id: `W${position}R${request.id}`, pushed: 0, request: request.id, original };
    this.key = keyOf(original);
    /** The manager to which the work was reported when it was pushed, if one listened. */
    this.knownTo = undefined;
    this.bytes = this.packed(clientId);
  }

  get id() {
    return this.shown.id;
  }

  /** The work in its current state, because the program may change it before it is sent. */
  packed(client) {
    const { original } = this.shown;
    const isFunction = typeof original === "function";
    let text;
    try {
      text = JSON.stringify(isFunction ? Function.prototype.toString.call(original) : original);
    } catch (error) {
      this.refusal = badWork(error.message);
      return undefined;
    }
    if (text === undefined || text === "null") {
      this.refusal = badWork("there is nothing to do in null");
      return undefined;
    }
    const { runTimeout } = this.request;
    const more = (isFunction ? ',"f":1' : "") + (runTimeout === undefined ? "" : `,"t":${runTimeout}`);
    const bytes = Buffer.from(`{"c":${JSON.stringify(client)},"r":${JSON.stringify(this.request.id)},"w":${text}${more}}`);
    if (bytes.length + KNOWN > MAX_MESSAGE) this.refusal = tooLarge("work", bytes.length, MAX_MESSAGE);
    return bytes;
  }

  /** `hold`: while another work with its key is under way, it waits for the result of that one. `knownTo`: a manager to which it is reported. */
  job(hold, knownTo) {
    const { runTimeout, assignTimeout, priority, keepState } = this.request;
    const options = { id: this.id, ephemeral: !keepState };
    if (priority !== 0) options.priority = priority;
    if (runTimeout !== undefined || assignTimeout !== undefined) options.timeouts = { run: runTimeout, assign: assignTimeout };
    if (hold && this.key !== undefined) options.unique = { key: this.key, onConflict: "attach" };
    this.knownTo = knownTo;
    // Inserted before the closing brace.
    const bytes = knownTo === undefined ? this.bytes : Buffer.concat([this.bytes.subarray(0, -1), Buffer.from(`,"m":${JSON.stringify(knownTo)}}`)]);
    return new NewJob(bytes, options);
  }

  /** The work as it is reported to managers. */
  described() {
    const { request, shown, key } = this;
    const isFunction = typeof shown.original === "function";
    return {
      id: shown.id,
      rid: request.id,
      key,
      args: isFunction ? String(shown.original) : shown.original,
      timeout: request.runTimeout,
      assigntimeout: request.assignTimeout,
      priority: request.priority,
      keepState: request.keepState || undefined,
    };
  }

  /** Ends the work, once. */
  end(err, data) {
    if (this.over) return;
    this.over = true;
    this.bytes = undefined;
    const { request } = this;
    request.results[this.position] = { err, data };
    request.left -= 1;
    request.reported(err, data, this.shown);
    if (request.left > 0) return;
    clearTimeout(request.timer);
    request.ended(request.results);
  }
}

module.exports = Request;
