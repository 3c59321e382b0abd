"use strict";
// What masters and workers have in common.

const Channel = require("./channel.js");
const { emit, settled } = require("./callbacks.js");
const { invalid, nameOf, shown } = require("./check.js");
const { complain, fromCore } = require("./complain.js");
const { errorOf } = require("./errors.js");
const Exit = require("./exit.js");
const { SUBSCRIBABLE, countOf, readMessage, recipientsOf, sending } = require("./messages.js");
const { hide, showOnly } = require("./hide.js");
const native = require("./native.js");
const { memberOptions } = require("./options.js");
const { Code, jsonOf } = require("./wire.js");

class Member extends Channel {
  constructor(type, clusterId, config) {
    super();
    const options = memberOptions(clusterId, config);
    this.type = type;
    // What may hold a password, directly or in a client, is not shown where the member is logged. `config` is as it was given.
    hide(this, { config: config ?? {}, _config: options.config, redisClient: options.config.client, _settings: options.settings });
    this.prefix = options.prefix;
    this.db = options.db;
    this.expireDelay = options.expireDelay;
    this._cluster = options.cluster;
    this._wantedTasks = options.tasks;
    this._closing = false;
    this._subscriptions = new Set();
    this._exit = null;

    this._check([]);
  }

  /** Throws if the options, and these besides, are not usable. */
  _check(more, tasks = this._wantedTasks) {
    const failure = native.checkOptions(this._cluster, [...this._settings, ...more, ...taskSettings(tasks)]);
    if (failure) throw errorOf(failure.number, failure.message);
  }

  /** Opens the native half; fails only for want of threads. */
  _open(openNative, tasks = []) {
    super._open((wake) => openNative(this._cluster, [...this._settings, ...taskSettings(tasks)], wake));
    for (const event of this._subscriptions) this._native.subscribe(event);
    if (this._exit !== null) this._native.exitOnKill(this._exit.grace);
  }

  /**
   * Waits until the member is registered with Redis, and receives what it has listeners for.
   * Fails with the first error that needs the user, such as a wrong password, or with the last connection error.
   */
  ready(callback) {
    return this._ask(callback, "ready");
  }

  /** Counts of the cluster, from Redis. */
  stats(callback) {
    return this._ask(callback, "stats");
  }

  /** The member's own view of its connection, lease and jobs. Asks nobody. */
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
   * milliseconds, it waits until they have taken it, or replied. `toSelf`: the sender may be a recipient, too.
   */
  send(to, payload, options, callback) {
    if (typeof options === "function") [options, callback] = [undefined, options];
    return settled(callback, (settle) => this._native_("send", settle, ...sending(to, payload, options)));
  }

  /** Asks programs to end with this exit code: event `kill` of their members. Gives to whom that was sent. */
  kill(to, code, callback) {
    if (typeof code === "function") [code, callback] = [undefined, code];
    return settled(callback, (settle) => this._native_("kill", settle, recipientsOf(to), exitCodeOf(code ?? 0)));
  }

  /**
   * From now on this process ends when a member asks it to, by `kill`: once `onKill(code, from)` has returned, or its promise is settled, the
   * member leaves and the process exits with that code; after `grace` milliseconds (5,000) in any case, even if the event loop is busy.
   */
  exitOnKill(options) {
    if (this._exit?.begun) return this;
    const first = this._exit === null;
    this._exit = new Exit(options);
    this._native?.exitOnKill(this._exit.grace);
    return first ? this.on("kill", (code, from) => this._exit.end(code, from, () => this._leave({ grace: 0 }))) : this;
  }

  /** Says under a name that this member is so far, to all that wait for it. */
  confirm(name, callback) {
    return settled(callback, (settle) => this._native_("confirm", settle, nameOf(name, "name")));
  }

  /** Waits until so many distinct members have confirmed a name, from now on; gives them in the order in which they did. */
  confirmations(count, name, callback) {
    return settled(callback, (settle) => this._native_("confirmations", settle, countOf(count), nameOf(name, "name")));
  }

  /** Data of this member, which `members()` shows: JSON of at most 4 KiB. */
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

  /** Messages and changes of membership are received from the first listener on; without one they cost nothing. */
  _subscribe(event) {
    if (SUBSCRIBABLE.includes(event) && !this._subscriptions.has(event)) {
      this._subscriptions.add(event);
      this._native?.subscribe(event);
    }
    return this;
  }

  /** Events of jobs and of the registration; workers have them all. */
  _event(code, key, a, b, incoming) {
    if (code === Code.READY) this._registered(incoming.id());
  }

  _registered(incarnation) {
    this.incarnation = incarnation;
    emit(this, "ready");
  }

  /** What is not about a job. */
  _dispatch(code, key, a, b, incoming) {
    switch (code) {
      case Code.CLOSE:
        return this._closed(a === 0 ? null : errorOf(a, incoming.text(b)));
      case Code.ERROR:
        return this._complain(fromCore(errorOf(a, incoming.text(b))));
      case Code.MESSAGE_JSON:
      case Code.MESSAGE_BYTES:
        return emit(this, "message", readMessage(code, key, a, b, incoming));
      case Code.KILL:
        return emit(this, "kill", ...JSON.parse(incoming.text(a)));
      case Code.MEMBER:
        return emit(this, "member", ...JSON.parse(incoming.text(a)));
      default:
        return super._dispatch(code, key, a, b, incoming);
    }
  }

  /** Leaves the cluster at once, for a process that ends. */
  async _leave() {}

  /** The core has closed the member, by itself if there is an error. */
  _closed() {}

  /** An error of the background. */
  _complain(error) {
    complain(this, error);
  }
}

Member.prototype.incarnation = "";

// Who it is, and never the options.
showOnly(Member, ({ type, _cluster: cluster, incarnation }) => ({ type, cluster, incarnation }));

function taskSettings(tasks) {
  return tasks.flatMap((task) => ["task", task]);
}

function exitCodeOf(code) {
  if (Number.isInteger(code) && code === (code | 0)) return code;
  throw invalid(`the exit code is ${shown(code)}, it must be a whole number of 32 bits`);
}

module.exports = Member;
