"use strict";
// What clients, workers and managers have in common: an identity, a connection, an inbox, and the list of live parts.

const { randomBytes } = require("node:crypto");
const { EventEmitter } = require("node:events");
const { setTimeout: pause } = require("node:timers/promises");
const { createMaster, createWorker } = require("../index.js");
const { emit } = require("../lib/callbacks.js");
const { hide, showOnly } = require("../lib/hide.js");
const { thisProcess } = require("../lib/processes.js");
const { isObject } = require("../lib/shapes.js");
const Deliveries = require("./deliveries.js");
const Receiver = require("./receiver.js");
const Neighbours = require("./neighbours.js");
const Reports = require("./reports.js");
const Sending = require("./sending.js");

/** The group of the inboxes of clients and workers: members that receive system messages, and count as recipients. */
const GROUP = "proletariat";

/** The name of the inboxes of managers, and their group. The inboxes of other parts have their ids as names. */
const MANAGER = "MANAGER";
const MANAGERS = `${GROUP}+manager`;

const ROLES = ["client", "worker", "manager"];

/** The group of the members that run works. */
const SLOTS_GROUP = "proletariat+slots";

/** The pause before a query without an answer from Redis is repeated, in milliseconds. */
const RETRY = 250;

/** How long a leaving part waits for its messages under way, in milliseconds; later they are dropped. */
const LAST = 1000;

const inboxTask = (id) => `sys:${id}`;
const eventsTask = (id) => `events:${id}`;

/**
 * Emits `connected` when it is registered, at first and after each loss of its lease; `settings(settings)` when a manager sets how works are
 * distributed; `watched` when a manager starts to listen; `message`, `result` and `events` with received data; `trouble(error)`.
 */
class Peer extends EventEmitter {
  /** `settings`, only of managers: `{ sacred, hold }`. */
  constructor(role, { cluster, options }, settings) {
    super();
    this.id = `C${Date.now()}.${randomBytes(6).toString("hex")}`;
    this.role = role;
    this.connected = false;
    this.closing = false;
    /** The live managers, the newest last. */
    this.managers = new Map();
    /** How works are distributed, as the newest manager has set it; undefined while there was none. */
    this.settings = undefined;
    this._announced = "";
    /** Its data, which is published once it is subscribed. */
    this._data = { id: this.id, role, settings, process: thisProcess() };
    this._introduced = undefined;
    /** Messages that were sent and not answered. */
    this._underWay = new Set();

    const [name, group] = role === "manager" ? [MANAGER, MANAGERS] : [this.id, GROUP];
    this.inbox = createWorker(cluster, { ...options, name, group, tasks: [inboxTask(this.id)] });
    this.inbox.process((job) => this._take(job.payload), { slots: Infinity });
    this.inbox.on("message", (message) => message.from.group === GROUP && this._receiver.take(message));
    this.master = createMaster(cluster, { ...options, name: this.id, group: `${GROUP}+sender` });
    this.cluster = cluster;
    // They may contain a password.
    hide(this, { options });
    for (const member of [this.master, this.inbox]) {
      member.on("ready", () => this._registered());
      member.on("error", (error) => this.emit("trouble", error));
    }
    this._neighbours = new Neighbours({
      members: () => this.ask(() => this.master.members()),
      endLease: (incarnation) => this.ask(() => this.master._endLease(incarnation)),
    });
    this.inbox.on("member", (change, member) => this._neighbours.changed(change, member));
    this._deliveries = new Deliveries(this);
    this._sending = new Sending(this);
    this._receiver = new Receiver(this);
    this.reports = new Reports(this);
  }

  /** Receives the reports of clients and workers from now on. */
  watch() {
    this.inbox.setTasks([inboxTask(this.id), eventsTask(this.id)]);
  }

  /** All live parts: `{ id, role, settings, watching, member }`; `slots` has the members that run works. */
  async look() {
    const members = await this.ask(() => this.master.members());
    const there = { peers: [], slots: [] };
    for (const member of members ?? []) {
      if (member.group === SLOTS_GROUP) there.slots.push(member);
      const peer = member.group === GROUP || member.group === MANAGERS ? peerOf(member) : undefined;
      if (peer !== undefined) there.peers.push(peer);
    }
    return there;
  }

  /** Reads the live managers, and their settings. */
  async lookForManagers() {
    const { peers } = await this.look();
    const managers = peers.filter((peer) => peer.role === "manager").sort((a, b) => a.member.joinedAt - b.member.joinedAt);
    // A manager that has just reported that it listens may not be listed so yet.
    const listens = (id, watching) => watching || Boolean(this.managers.get(id)?.watching);
    const before = this.managers;
    this.managers = new Map(managers.map(({ id, settings, watching }) => [id, { settings, watching: listens(id, watching) }]));
    this._tellSettings();
    for (const [id, { watching }] of this.managers) if (watching && !before.get(id)?.watching) emit(this, "watched");
  }

  /** Sends a system message, as JSON, to all others, to all managers or to one; returns the result of `Sending.send`. Managers do not count. */
  sendMessage(to, text) {
    if (to === undefined || to === null) return this._follow(this._sending.send({ group: GROUP }, { name: MANAGER }, text));
    if (to === MANAGER) return this._follow(this._sending.send(undefined, { name: MANAGER }, text));
    return this._follow(this._sending.send({ name: String(to) }, undefined, text));
  }

  /** Delivers a message to the inbox of another part; resolves with whether it was received. */
  send(to, message) {
    return this._follow(this._deliveries.send(to, inboxTask(to), message));
  }

  /** As `send`, for reports to a manager. */
  sendEvents(to, bytes) {
    return this._follow(this._deliveries.send(to, eventsTask(to), bytes));
  }

  /** Deletes jobs; retries as long as necessary. */
  async forget(ids) {
    await this.ask(() => this.master.deleteJobs(ids));
  }

  /** Leaves, after waiting for sent messages for a limited time. Never fails: without Redis its records end with the leases. */
  async close() {
    if (this.closing) return;
    this.reports.flush();
    if (this.connected) await this._settled();
    this.closing = true;
    await this.inbox.terminate({ grace: 0 }).catch(() => {});
    this._deliveries.close();
    this._neighbours.close();
    this._receiver.close();
    await this.master.close().catch(() => {});
  }

  /** Repeats a query until it is answered; undefined if this peer is closed before. */
  async ask(question) {
    while (!this.closing) {
      try {
        return await question();
      } catch {
        // The members emit errors of Redis.
        await pause(RETRY);
      }
    }
    return undefined;
  }

  async _registered() {
    const { incarnation } = this.master;
    if (incarnation === "" || this.inbox.incarnation === "") return;
    const anew = incarnation !== this._announced;
    this._announced = incarnation;
    await (this._introduced ??= this._introduce());
    // A manager that came while this peer was not registered has not notified it.
    await this.lookForManagers();
    if (this.closing || !anew || incarnation !== this._announced) return;
    this.connected = true;
    emit(this, "connected");
  }

  /** Subscribes, and then publishes its identity, by which the others find it. */
  async _introduce() {
    await this.ask(() => this.inbox.ready());
    await this.ask(() => this.inbox.setData(this._data));
    this.says(this.master);
  }

  /** Publishes this process as the data of another member of this part. */
  says(member) {
    // Fails without Redis, or after the end of the member; then the data is not needed.
    member.setData({ process: thisProcess() }).catch(() => {});
  }

  /** Tracks a message until it is answered. */
  _follow(sent) {
    this._underWay.add(sent);
    const forget = () => this._underWay.delete(sent);
    sent.then(forget, forget);
    return sent;
  }

  /** Waits until no message is under way, for a limited time. */
  async _settled() {
    let late = false;
    const limit = pause(LAST, undefined, { ref: false }).then(() => (late = true));
    while (this._underWay.size > 0 && !late) await Promise.race([limit, Promise.allSettled(this._underWay)]);
  }

  _take(payload) {
    const message = Buffer.isBuffer(payload) ? JSON.parse(payload) : payload;
    if (!isObject(message)) throw new Error("it is nothing that is sent to a part");
    const { k, id, from, text, list } = message;
    if (k === "manager" && typeof from === "string") return this._introducedBy(from, message);
    if (k === "result" && typeof id === "string" && typeof text === "string") return emit(this, k, { id, text });
    if (k === "events" && typeof from === "string" && Array.isArray(list)) return emit(this, k, { from, list });
    throw new Error("it is nothing that is sent to a part");
  }

  /** A manager has sent its id, its settings, and whether it listens. */
  _introducedBy(id, { settings, watching }) {
    const before = this.managers.get(id)?.watching;
    this.managers.delete(id);
    this.managers.set(id, { settings: settingsOf(settings), watching: watching === true });
    this._tellSettings();
    if (watching === true && !before) emit(this, "watched");
  }

  _tellSettings() {
    const newest = [...this.managers.values()].at(-1);
    if (newest === undefined || this.closing) return;
    this.settings = newest.settings;
    emit(this, "settings", newest.settings);
  }
}

showOnly(Peer, ({ id, role, cluster, connected }) => ({ id, role, cluster, connected }));

/** The part of a member, by its data; undefined if the data is invalid. */
function peerOf(member) {
  if (!isObject(member.data)) return undefined;
  const { id, role, settings } = member.data;
  if (typeof id !== "string" || id === "" || !ROLES.includes(role) || (role === "manager") !== (member.group === MANAGERS)) return undefined;
  // A member must not claim to be another part.
  if (role !== "manager" && member.name !== id) return undefined;
  return { id, role, settings: settingsOf(settings), watching: member.tasks.includes(eventsTask(id)), member };
}

/** How works are distributed, from the data of a manager. */
function settingsOf(settings) {
  return { sacred: settings?.sacred === true, hold: settings?.hold === true };
}

module.exports = { Peer, SLOTS_GROUP };
