"use strict";
// The first process of the cluster: tracks the registered processes, and reloads those that it has spawned.

const os = require("node:os");
const { call } = require("../lib/callbacks.js");
const Part = require("./part.js");

const GROUP = "master";

/** How long a reload waits for one worker to exit and its successor to register, in milliseconds. */
const RELOAD_LIMIT = 30_000;

/** Exit code after SIGTERM, and of workers that are reloaded. */
const TERMINATED = 15;
const RELOADED = 1;

/** The host name of this machine, as members report it: a process is identified by its pid on a machine. */
const HOST = os.hostname();

class Master extends Part {
  constructor(config) {
    super("master", config, GROUP);
    /** Pids of registered members by group; `clusterInfo` shows them. */
    this._groups = new Map();
    this.clusterInfo = {};
    this.workerConfigs = [];
    this.onClusterStarted = (callback) => void (this._onStarted = callback);
    this.onClusterReloaded = (callback) => void (this._onReloaded = callback);
    this._onStarted = this._onReloaded = () => {};
    this._started = false;
    /** Ids of spawned processes that have registered. */
    this._ids = new Set();
    this._seen = new Set();
    /** Waits of a reload, by id. */
    this._waits = new Map();
    this._reloading = null;
    this._reloadAgain = false;
    this._member.on("member", (change, { pid, host }) => {
      if (change !== "joined" && host === HOST) this._forget(pid);
    });
    this._exitOnKill();
    process.on("SIGTERM", () => this.close(TERMINATED));
    process.on("SIGHUP", () => this._reload());
  }

  static create(config) {
    return new Master(config);
  }

  _spawned(list, pending) {
    this.workerConfigs = [...list];
    this._started = false;
    Promise.all(pending).then((ids) => {
      for (const id of ids) if (id !== undefined) this._ids.add(id);
      this._check();
    });
  }

  _bubbling() {
    return { "cluster-master-pid": this.pid, ...super._bubbling() };
  }

  _receives(channel, { meta }, message) {
    if (channel === "registration") this._register(meta, message.from);
    else if (channel === "clusterInfo") this._reply(message, { meta: { pid: this.pid, group: GROUP }, data: this.clusterInfo });
  }

  /** A process can only register itself: a wrong registration would never be removed. */
  _register({ pid, group }, from) {
    if (pid !== from.pid || group !== from.group || from.host !== HOST) {
      this.log(`info - masterModule - ignored a registration of ${pid} by ${from.pid} of ${from.group} on ${from.host}`);
      return;
    }
    const pids = this._groups.get(group) ?? [];
    if (pids.includes(pid)) return;
    this._groups.set(group, [...pids, pid]);
    this._show();
    this.emit("workerRegistered", pid);
    const id = this._supervisor?.list().find((info) => info.pid === pid)?.id;
    this.log(`info - masterModule - onWorkerRegistered - ${JSON.stringify({ pid, group, workerCount: this._ids.size })}`);
    if (id === undefined) return;
    this._seen.add(id);
    this._check();
    this._waits.get(id)?.();
  }

  /** Emits the start once every process that was spawned here has registered. */
  _check() {
    if (this._started || this._ids.size === 0 || ![...this._ids].every((id) => this._seen.has(id))) return;
    this._started = true;
    call(this._onStarted, this._ids.size);
  }

  _forget(pid) {
    for (const [group, pids] of this._groups) {
      const left = pids.filter((each) => each !== pid);
      if (left.length > 0) this._groups.set(group, left);
      else this._groups.delete(group);
    }
    this._show();
  }

  /** Own properties, whatever the names of the groups are. */
  _show() {
    this.clusterInfo = Object.fromEntries(Array.from(this._groups, ([group, pids]) => [group, [...pids]]));
  }

  _exited({ id, pid, respawn }) {
    this._forget(pid);
    if (respawn !== null) return;
    this._ids.delete(id);
    this._waits.get(id)?.();
  }

  /** Replaces the registered processes, the last first. A reload that is requested meanwhile follows. */
  async _reload() {
    if (this._reloading !== null) {
      this._reloadAgain = true;
      return;
    }
    do {
      this._reloadAgain = false;
      this._reloading = this._reloadAll();
      await this._reloading;
      this._reloading = null;
    } while (this._reloadAgain && this._ending === null);
  }

  async _reloadAll() {
    const registered = new Set([...this._groups.values()].flat());
    const processes = this._supervisor?.list().filter(({ pid }) => registered.has(pid)).reverse() ?? [];
    for (const { id, pid } of processes) {
      if (this._ending !== null) return;
      const followed = this._follower(id);
      this.emitKill(pid, RELOADED);
      await followed;
      await new Promise((resolve) => setTimeout(resolve, this._reloadDelay));
    }
    if (this._ending === null && processes.length > 0) call(this._onReloaded, this._ids.size);
  }

  /** Resolves when another process of this id has registered, or cannot register any more. */
  _follower(id) {
    return new Promise((resolve) => {
      const timer = setTimeout(end, RELOAD_LIMIT);
      const waits = this._waits;
      waits.set(id, end);
      function end() {
        clearTimeout(timer);
        waits.delete(id);
        resolve();
      }
    });
  }
}

module.exports = Master;
