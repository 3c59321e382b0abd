"use strict";
// Managers monitor works, and set how they are distributed. Unless they choose the workers, Redis does the distribution itself.

const { EventEmitter } = require("node:events");
const { call, emit } = require("../lib/callbacks.js");
const { complain } = require("../lib/complain.js");
const { hide, showOnly } = require("../lib/hide.js");
const leaving = require("../lib/leaving.js");
const { addressOf } = require("./address.js");
const Ledger = require("./ledger.js");
const { limitOf, timer } = require("./numbers.js");
const { Peer } = require("./peer.js");
const Selection = require("./selection.js");

const DEFAULTS = {
  port: 1917,
  AVAIL_THRESHOLD: 50,
  CLEANUP_REQS: 1000,
  CLEANUP_CHECKINT: 60000,
  DISTRIB_RANDMAX: 100,
  SACRED_GUARANTEES: false,
  HOLDSIMILARWORK: false,
};

/** The interval at which the live parts are read, in milliseconds. */
const LOOK = 1000;

/** Events that clients and workers must report. */
const REPORTED = new Set(["receive", "finish", "abort", "giveup", "assigntimeout", "cleanup"]);

class Manager extends EventEmitter {
  constructor(opts) {
    super();
    // They may contain a password.
    hide(this, { options: { ...DEFAULTS, ...opts } });
    /** The live parts by id; `workers` and `clients` show them, as own properties whatever the ids are. */
    this._workers = new Map();
    this._clients = new Map();
    this.workers = {};
    this.clients = {};
    this._peer = undefined;
    this._stopping = undefined;
    /** Whether it should run: the last of start and stop. */
    this._wanted = false;
    this._watching = false;
    this._looking = 0;
    this._looks = Promise.resolve();
    this._selection = undefined;
    this._ledger = new Ledger(this);
    this.on("newListener", (event) => {
      if (REPORTED.has(event)) process.nextTick(() => this._introduce());
    });
  }

  start() {
    this._wanted = true;
    // A manager that is stopping starts when it has stopped.
    if (this._peer !== undefined) return;
    this._stopping = undefined;
    const settings = this._settings();
    const address = addressOf(this.options);
    const peer = (this._peer = new Peer("manager", address, settings));
    if (address.handleSignals) leaving.add(this);
    this._watching = false;
    peer.on("connected", () => this._introduce(true));
    peer.on("message", (content, from) => emit(this, "sysmsg", { from, content }));
    peer.on("events", ({ from, list }) => list.forEach((event) => this._ledger.enter(event, from)));
    peer.on("trouble", (error) => !this._stopping && complain(this, error));
    const selection = (this._selection = new Selection(this, peer));
    selection.follow();
    this._looker = setInterval(() => {
      selection.follow();
      if (peer.connected && this._looking === 0) this._look(peer);
    }, LOOK);
    this._cleaner = timer(limitOf(this.options.CLEANUP_CHECKINT), () => this._cleanup());
  }

  /** If it is a function, it chooses the worker of each work: `workSelectWorker(work, workers, totalAvailable)`. */
  get workSelectWorker() {
    return undefined;
  }

  set workSelectWorker(select) {
    // Becomes an own property, as in proletariat; when it is deleted, the next value is set here again.
    Object.defineProperty(this, "workSelectWorker", { value: select, writable: true, enumerable: true, configurable: true });
    this._selection?.follow();
  }

  /** Leaves. Works, clients and workers continue; it can be started again. */
  stop(cb) {
    this._wanted = false;
    this._stopping ??= this._peer === undefined ? Promise.resolve() : this._stop(this._peer);
    if (typeof cb !== "function") return this._stopping;
    this._stopping.then(() => call(cb, null));
    return undefined;
  }

  async _stop(peer) {
    clearInterval(this._looker);
    clearTimeout(this._cleaner);
    this._selection.close();
    await peer.close();
    this._show(new Map(), new Map());
    this._ledger.clear();
    this._peer = undefined;
    if (this._wanted) this.start();
    else leaving.remove(this);
  }

  /** Called before the process ends by a signal. */
  _leave() {
    return this.stop();
  }

  _settings() {
    const { SACRED_GUARANTEES, HOLDSIMILARWORK } = this.options;
    return { sacred: Boolean(SACRED_GUARANTEES), hold: Boolean(HOLDSIMILARWORK) };
  }

  /** Sends this manager's id, its settings, and whether it listens, to all parts: at first, and when they change. */
  async _introduce(anew = false) {
    const peer = this._peer;
    if (!peer?.connected || this._stopping) return;
    const watching = [...REPORTED].some((event) => this.listenerCount(event) > 0);
    if (!anew && (!watching || this._watching)) return;
    this._watching = watching;
    if (watching) peer.watch();
    const { peers, slots } = await peer.look();
    if (this._stopping) return;
    for (const { id, role } of peers) {
      if (role !== "manager") peer.send(id, { k: "manager", from: peer.id, settings: this._settings(), watching });
    }
    this._seen(peers, slots);
  }

  /** Reads the live parts repeatedly, one read after the other, so that an older answer does not replace a newer one. */
  _look(peer) {
    this._looking += 1;
    this._looks = this._looks.then(async () => {
      const { peers, slots } = await peer.look();
      this._looking -= 1;
      if (!this._stopping && peer === this._peer) this._seen(peers, slots);
    });
    return this._looks;
  }

  /** Processes the live parts; works of workers that are gone are reported as given up, and are assigned to others. */
  _seen(peers, slots) {
    const rooms = new Map(slots.map((member) => [member.name, member]));
    const [workers, clients] = [new Map(), new Map()];
    for (const { id, role, member } of peers) {
      const { host, pid, joinedAt } = member;
      if (role === "client") clients.set(id, this._clients.get(id) ?? { id, host, pid, joinedAt });
      if (role !== "worker") continue;
      const { slots: offered = 0, active: running = 0, free = 0 } = rooms.get(id) ?? {};
      workers.set(id, Object.assign(this._workers.get(id) ?? { id, host, pid, joinedAt }, { slots: offered, running, free }));
    }
    const gone = [...this._workers.values()].filter(({ id }) => !workers.has(id));
    const lost = [...this._clients.keys()].filter((id) => !clients.has(id));
    this._show(workers, clients);
    for (const record of gone) this._ledger.workerGone(record);
    for (const id of lost) this._ledger.clientGone(id);
    this._ledger.seen(clients);
  }

  _show(workers, clients) {
    this._workers = workers;
    this._clients = clients;
    this.workers = Object.fromEntries(workers);
    this.clients = Object.fromEntries(clients);
  }

  /** Removes old records, after a number of works or a time. */
  _cleanup() {
    clearTimeout(this._cleaner);
    if (this._peer === undefined || this._stopping) return;
    this._cleaner = timer(limitOf(this.options.CLEANUP_CHECKINT), () => this._cleanup());
    this._ledger.cleanup();
    emit(this, "cleanup");
  }
}

showOnly(Manager, ({ _peer: peer, workers, clients }) => ({ cluster: peer?.cluster, connected: peer?.connected ?? false, workers, clients }));

module.exports = Manager;
