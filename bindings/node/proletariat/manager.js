"use strict";
// Managers watch, and say how works are to be distributed. Unless they choose the workers, the distribution itself is done in Redis.

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

/** How often it is asked who is there, in milliseconds. */
const LOOK = 1000;

/** Events that clients and workers have to report. */
const REPORTED = new Set(["receive", "finish", "abort", "giveup", "assigntimeout", "cleanup"]);

class Manager extends EventEmitter {
  constructor(opts) {
    super();
    // They may hold a password.
    hide(this, { options: { ...DEFAULTS, ...opts } });
    /** By id, as far as they are there; `workers` and `clients` show them, as own properties whatever the ids are. */
    this._workers = new Map();
    this._clients = new Map();
    this.workers = {};
    this.clients = {};
    this._peer = undefined;
    this._stopping = undefined;
    /** Whether it is to run: what was called last, start or stop. */
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
    // One that is stopping starts when it has stopped.
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

  /** Chooses the worker of each work, if it is a function: `workSelectWorker(work, workers, totalAvailable)`. */
  get workSelectWorker() {
    return undefined;
  }

  set workSelectWorker(select) {
    // A property of its own, as it always was; when it is removed, the next one is set here again.
    Object.defineProperty(this, "workSelectWorker", { value: select, writable: true, enumerable: true, configurable: true });
    this._selection?.follow();
  }

  /** Leaves. Works, clients and workers go on; it may be started again. */
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

  /** For a process that ends by a signal. */
  _leave() {
    return this.stop();
  }

  _settings() {
    const { SACRED_GUARANTEES, HOLDSIMILARWORK } = this.options;
    return { sacred: Boolean(SACRED_GUARANTEES), hold: Boolean(HOLDSIMILARWORK) };
  }

  /** Tells everybody of this manager, its settings, and whether it listens: at first, and when that changes. */
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

  /** Learns who is there from now on: one look after the other, so that none brings back what is gone. */
  _look(peer) {
    this._looking += 1;
    this._looks = this._looks.then(async () => {
      const { peers, slots } = await peer.look();
      this._looking -= 1;
      if (!this._stopping && peer === this._peer) this._seen(peers, slots);
    });
    return this._looks;
  }

  /** Who is there now; the works of workers that are not are given up, and go to others. */
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

  /** Forgets what is of no use any more; after so many works or so much time. */
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
