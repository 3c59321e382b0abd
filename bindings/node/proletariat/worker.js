"use strict";
// Workers do works.

const { EventEmitter } = require("node:events");
const { call, emit } = require("../lib/callbacks.js");
const { complain } = require("../lib/complain.js");
const { hide, showOnly } = require("../lib/hide.js");
const leaving = require("../lib/leaving.js");
const { addressOf } = require("./address.js");
const { ProletariatError } = require("./errors.js");
const systemMessage = require("./messages.js");
const { integerOf } = require("./numbers.js");
const { Peer } = require("./peer.js");
const Slots = require("./slots.js");

/** The core counts slots with 32 bits. */
const MAX_SLOTS = 2 ** 32 - 1;

const DEFAULTS = {
  slots: 100,
  host: "127.0.0.1",
  port: 1917,
  CLEANUP_REQS: 1000,
  CLEANUP_CHECKINT: 60000,
  CON_RETRYTIME: 2000,
  ANSWER_THRESHOLD: 1,
};

class Worker extends EventEmitter {
  constructor(opts) {
    // A work fails if an async listener of `work` fails.
    super({ captureRejections: true });
    // They may contain a password.
    hide(this, { options: { ...DEFAULTS, ...opts } });
    this._room = roomOf(this.options);
    this._peer = undefined;
    this._slots = undefined;
    /** Slots that accept no more works; resolves when they are closed. */
    this._draining = undefined;
    this._changing = undefined;
    this._stopping = undefined;
    /** Whether it should run: the last of start and stop. */
    this._wanted = false;
    /** System messages from before the start. */
    this._early = [];
    this.id = 0;
    this.on("newListener", (event) => {
      // Works are accepted once there is a listener, which is added right after this event.
      if (event === "work") process.nextTick(() => this._open());
    });
  }

  start() {
    this._wanted = true;
    // A worker that is stopping starts when it has stopped.
    if (this._peer !== undefined) return;
    const address = addressOf(this.options);
    const peer = (this._peer = new Peer("worker", address));
    if (address.handleSignals) leaving.add(this);
    this._stopping = undefined;
    this.id = peer.id;
    peer.on("connected", () => this._open());
    peer.on("settings", () => this._open());
    peer.on("message", (content, from) => emit(this, "sysmsg", content, from));
    peer.on("trouble", (error) => this._troubled(error));
    for (const args of this._early.splice(0)) systemMessage(peer, ...args);
  }

  /** Leaves; active works are aborted here and done by other workers. It can be started again. */
  stop(cb) {
    this._wanted = false;
    this._stopping ??= this._peer === undefined ? Promise.resolve() : this._stop(this._peer);
    if (typeof cb !== "function") return this._stopping;
    this._stopping.then(() => call(cb, null));
    return undefined;
  }

  /** As that of clients. A message from before the start is sent after it. */
  systemMessage(msg, opts, cb) {
    if (this._peer === undefined) this._early.push([msg, opts, cb]);
    else systemMessage(this._peer, msg, opts, cb);
  }

  async _stop(peer) {
    const slots = this._slots;
    this._slots = undefined;
    await slots?.close();
    await this._draining?.close();
    await this._changing;
    await peer.close();
    this._peer = undefined;
    if (this._wanted) this.start();
    else leaving.remove(this);
  }

  /** Called before the process ends by a signal. */
  _leave() {
    return this.stop();
  }

  /** Opens the slots, or opens them anew when a manager has changed the kind of guarantees. */
  async _open() {
    const peer = this._peer;
    if (!peer?.connected || this._stopping || this._changing || this.listenerCount("work") === 0) return;
    const sacred = Boolean(this.options.SACRED_GUARANTEES ?? peer.settings?.sacred);
    const old = this._slots;
    if (old !== undefined) {
      old.resume();
      if (old.sacred === sacred || this._room.prioritySlots === undefined) return;
      // The limits of a member of the core are fixed: active works are finished under the old ones.
      this._slots = undefined;
      this._draining = old;
      this._changing = old.drain();
      await this._changing;
      this._changing = undefined;
      this._draining = undefined;
      this._open();
      return;
    }
    this._slots = new Slots(this, peer, this._room, sacred);
  }

  _troubled(error) {
    if (!this._stopping) complain(this, error);
  }

  [Symbol.for("nodejs.rejection")](error, event, ...args) {
    if (event === "work") args[1](error);
    else process.nextTick(() => { throw error; });
  }
}

showOnly(Worker, ({ id, _peer: peer, _slots: slots }) => ({ id, cluster: peer?.cluster, connected: peer?.connected ?? false, works: slots?.running.size ?? 0 }));

/** Slots and guaranteed slots: integers, parsed as the manager of proletariat did. */
function roomOf({ slots: wanted, prioritySlots }) {
  const slots = integerOf(wanted || DEFAULTS.slots, 0);
  if (slots < 1 || slots > MAX_SLOTS) throw invalid(`slots is ${String(wanted)}, it must be 1 to ${MAX_SLOTS}`);
  const guaranteed = {};
  let sum = 0;
  for (const [key, value] of Object.entries(prioritySlots ?? {})) {
    const from = integerOf(key);
    const count = integerOf(value, -1);
    if (from === undefined || count < 0) throw invalid(`prioritySlots has ${key}: ${String(value)}; it maps priorities to numbers of slots`);
    if (from === 0) continue;
    sum += count - (guaranteed[from] ?? 0);
    guaranteed[from] = count;
  }
  if (sum > slots) throw invalid(`prioritySlots guarantees ${sum} slots, but the worker has ${slots}`);
  return { slots, prioritySlots: Object.keys(guaranteed).length > 0 ? guaranteed : undefined };
}

function invalid(message) {
  return new ProletariatError(message, "EINVSLOTNR");
}

module.exports = Worker;
