"use strict";
// What masters and workers have in common: a process that sends and receives messages, and spawns others.

const { EventEmitter } = require("node:events");
const path = require("node:path");
const { createSupervisor, createWorker } = require("../index.js");
const { call } = require("../lib/callbacks.js");
const { complain } = require("../lib/complain.js");
const { hide, showOnly } = require("../lib/hide.js");
const leaving = require("../lib/leaving.js");
const addressOf = require("./address.js");
const { bubbling, commandOf, parse } = require("./argv.js");
const { Messages } = require("./messages.js");

/** The time between two workers of a reload, and before a registration, in milliseconds. */
const RELOAD_DELAY = 500;

/** The default of the option `grace`: how long `onKill` may take, and how long spawned processes have to exit, in milliseconds. */
const GRACE = 5000;

/** The longest grace of a member, in milliseconds. */
const MAX_MS = 3_600_000;

/** The time for the last messages before the process exits, in milliseconds. */
const FAREWELL = 5000;

const COUNTERS = [
  "emitPublic", "emitPrivate", "emitGroup", "emitKill", "emitConfirmation", "onMessage", "onPublic", "onGroup", "onPrivate",
  "spawnChildProcess", "respawnChildProcess", "receivedConfirmations", "successfulConfirmations",
];

/** The sender receives messages to others, too, as in Redis. */
const EVERYBODY = { toSelf: true };

class Part extends EventEmitter {
  constructor(type, config, group) {
    super();
    const options = parse(process.argv.slice(2));
    // Values that may contain a password, or a client with one, are not shown.
    hide(this, { config: { reloadDelay: RELOAD_DELAY, ...config, group }, publisher: undefined, subscriber: undefined, _env: undefined, _options: options });
    // Any value that is not a valid time, including 0, selects the default.
    this.config.reloadDelay ||= RELOAD_DELAY;
    this.stats = Object.fromEntries(COUNTERS.map((name) => [name, 0]));
    this.pid = process.pid;
    this.logger = this.config.logger ?? console.log;
    this.publisher = this.config.publisher;
    this.subscriber = this.config.subscriber;
    this.logOptions = { verbose: options.verbose, "cluster-verbose": options["cluster-verbose"] };
    this._type = type;
    this._group = group;
    this._reloadDelay = this.config.reloadDelay;
    this._listeners = { public: [], private: [], group: [] };
    this._confirmations = [];
    this._kill = (done) => done();
    this._supervisor = null;
    this._ending = null;

    const { cluster, options: address, env, handleSignals } = addressOf(this.config);
    this._env = env;
    // A worker without a handler: no jobs are assigned to it, and it keeps the process alive.
    this._member = createWorker(cluster, { ...address, group, name: type });
    this._messages = new Messages(this._member);
    this._member.on("error", (error) => this._complain(error));
    this._member.on("message", (message) => this._received(message));
    this._member.on("kill", () => this.stats.onMessage++);
    if (handleSignals) leaving.add(this);
  }

  onPublic(callback) {
    this._listeners.public.push(callback);
  }

  onPrivate(callback) {
    this._listeners.private.push(callback);
  }

  onGroup(callback) {
    this._listeners.group.push(callback);
  }

  /** `callback(done)` is called when this process is requested to exit; it exits when `done` is called. Only the last callback is used. */
  onKill(callback) {
    this._kill = callback;
  }

  /** Each time `count` members have confirmed the identifier, `callback` is called with their messages. */
  onConfirmation(count, identifier, callback) {
    this._confirmations.push({ count, identifier, callback, messages: [] });
  }

  emitPublic(data) {
    this._emit("emitPublic", "all", "public", data);
  }

  emitPrivate(pid, data) {
    this._emit("emitPrivate", { pid: Number(pid) }, "private", data);
  }

  emitGroup(group, data) {
    this._emit("emitGroup", { group: String(group) }, "group", data);
  }

  emitKill(pid, code = 0) {
    this.stats.emitKill++;
    this._member.kill({ pid: Number(pid) }, code).catch((error) => this._complain(error));
  }

  emitConfirmation(identifier) {
    this._emit("emitConfirmation", "all", "confirmation", identifier);
  }

  /** Runs programs and keeps them running until this process exits. */
  spawn(list) {
    for (const { file } of list) if (!file) throw new Error("worker file is missing");
    const ids = list.map((entry) => {
      this.stats.spawnChildProcess++;
      const [command, args] = commandOf(entry, this._bubbling());
      const cpus = entry.cpu === undefined || entry.cpu === null ? undefined : String(entry.cpu);
      const options = { cpus, name: path.basename(entry.file), env: this._env, respawn: entry.respawn !== false };
      return this._supervise().spawn(command, args, options).then(([id]) => id, (error) => this._complain(error));
    });
    this._spawned(list, ids);
  }

  /** Called with the promised ids; undefined for a program that cannot be run. */
  _spawned() {}

  /** Stops the processes that this process has spawned, leaves the cluster, and exits. */
  close(code = 1) {
    this._ending ??= this._end(code);
  }

  /** Calls the logger, if the command line enables it. */
  log(message) {
    if (this.logOptions.verbose === true || this.logOptions["cluster-verbose"] === true) this.logger(message);
  }

  setLogger(logger) {
    this.logger = logger;
  }

  async _end(code) {
    leaving.remove(this);
    const late = new Promise((resolve) => setTimeout(resolve, FAREWELL));
    await this._supervisor?.stop().catch(() => {});
    // Together with all other members of this process.
    await Promise.race([Promise.all([leaving.leaveOne(this._member, { grace: 0 }), leaving.leaveAll({ grace: 0 })]), late]);
    this.removeAllListeners();
    process.exit(code);
  }

  /** Called before the process ends by a signal: its spawned processes are stopped, too. */
  _leave() {
    return (this._ending ??= Promise.allSettled([this._supervisor?.stop(), leaving.leaveOne(this._member, { grace: 0 })]));
  }

  get _grace() {
    return this.config.grace ?? GRACE;
  }

  /**
   * Called once all options are known. Enforces the exit even if the process is busy: `onKill` may take its grace, and spawned processes as long to
   * exit.
   */
  _exitOnKill() {
    this._member.exitOnKill({ grace: Math.min(2 * this._grace + FAREWELL, MAX_MS), onKill: (code) => this._killed(code) });
  }

  /** Calls `onKill`, and exits; without its agreement when its time is over. The returned promise never settles. */
  _killed(code) {
    setTimeout(() => this.close(code), this._grace);
    call(this._kill, () => this.close(code));
    return new Promise(() => {});
  }

  /** Options of the command line that spawned processes receive, too. */
  _bubbling() {
    return bubbling(this._options);
  }

  _supervise() {
    if (this._supervisor !== null) return this._supervisor;
    // Restarted without a limit, as in clustr-node, but with pauses.
    const supervisor = createSupervisor({ grace: this._grace, forward: false, lines: true, maxRespawns: 0, healthy: 5000, backoff: { max: 10_000 } });
    supervisor.on("line", ({ line, stream }) => console[stream === "stdout" ? "log" : "error"](String(line)));
    supervisor.on("exited", (exit) => {
      if (exit.respawn !== null) {
        // A respawn counts as a spawn, too.
        this.stats.spawnChildProcess++;
        this.stats.respawnChildProcess++;
      }
      this.log(`info - ${this._type}Module - ${exit.name} ${exit.pid} ${exit.message}`);
      this._exited(exit);
    });
    this._supervisor = supervisor;
    return supervisor;
  }

  /** Called when a process that was spawned here has exited. */
  _exited() {}

  _emit(counter, to, channel, data) {
    this.stats[counter]++;
    this._send(to, channel, data, EVERYBODY).catch((error) => this._complain(error));
  }

  _send(to, channel, data, options) {
    return this._messages.send(to, { channel, meta: { pid: this.pid, group: this._group }, data }, options);
  }

  _reply(message, payload) {
    if (!message.wantsReply) return;
    try {
      message.reply(payload);
    } catch (error) {
      this._complain(error);
    }
  }

  _received(message) {
    const read = this._messages.read(message);
    if (read === undefined) return;
    const { channel, meta, data } = read;
    this.stats.onMessage++;
    switch (channel) {
      case "public":
      case "private":
      case "group":
        this.stats[`on${channel[0].toUpperCase()}${channel.slice(1)}`]++;
        for (const listener of [...this._listeners[channel]]) call(listener, { meta, data });
        break;
      case "confirmation":
        this._confirmed({ meta, data });
        break;
      default:
        this._receives(channel, { meta, data }, message);
    }
  }

  /** Messages that only masters receive. */
  _receives() {}

  _confirmed(message) {
    for (const wait of this._confirmations.filter(({ identifier }) => identifier === message.data)) {
      this.stats.receivedConfirmations++;
      wait.messages.push(message);
      if (wait.messages.length < wait.count) continue;
      this.stats.successfulConfirmations++;
      call(wait.callback, wait.messages.splice(0));
    }
  }

  /** Handles a background error. */
  _complain(error) {
    if (this._ending === null) complain(this, error);
  }
}

showOnly(Part, ({ pid, _type: type, _group: group, _member: { _cluster: cluster, incarnation }, stats }) => ({ type, pid, group, cluster, incarnation, stats }));

module.exports = Part;
