"use strict";
// What clients, workers and managers have in common: an identity, a connection, an inbox, and the knowledge of who is there.

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

/** The group of the inboxes of clients and workers: those that receive system messages, and are counted as recipients. */
const GROUP = "proletariat";

/** The name of the inboxes of managers, and their group. Those of others have their ids as names. */
const MANAGER = "MANAGER";
const MANAGERS = `${GROUP}+manager`;

const ROLES = ["client", "worker", "manager"];

/** The group of the members that hold works. */
const SLOTS_GROUP = "proletariat+slots";

/** Before a question is asked again that Redis did not answer, in milliseconds. */
const RETRY = 250;

/** How long what is on its way may take when its sender leaves, in milliseconds: it goes with it. */
const LAST = 1000;

const inboxTask = (id) => `sys:${id}`;
const eventsTask = (id) => `events:${id}`;

/**
 * Emits `connected` when it is registered, at first and after each loss of its lease; `settings(settings)` when a manager says
 * how works are to be distributed; `watched` when a manager begins to listen; `message`, `result` and `events` with what was sent to it;
 * `trouble(error)`.
 */
class Peer extends EventEmitter {
  /** `settings`, of managers only: `{ sacred, hold }`. */
  constructor(role, { cluster, options }, settings) {
    super();
    this.id = `C${Date.now()}.${randomBytes(6).toString("hex")}`;
    this.role = role;
    this.connected = false;
    this.closing = false;
    /** The managers that are there, the newest last. */
    this.managers = new Map();
    /** How works are to be distributed, as the newest manager said; undefined while there was none. */
    this.settings = undefined;
    this._announced = "";
    /** Its data, set once it receives. */
    this._data = { id: this.id, role, settings, process: thisProcess() };
    this._introduced = undefined;
    /** What was sent and is not answered. */
    this._underWay = new Set();

    const [name, group] = role === "manager" ? [MANAGER, MANAGERS] : [this.id, GROUP];
    this.inbox = createWorker(cluster, { ...options, name, group, tasks: [inboxTask(this.id)] });
    this.inbox.process((job) => this._take(job.payload), { slots: Infinity });
    this.inbox.on("message", (message) => message.from.group === GROUP && this._receiver.take(message));
    this.master = createMaster(cluster, { ...options, name: this.id, group: `${GROUP}+sender` });
    this.cluster = cluster;
    // They may hold a password.
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

  /** Takes what clients and workers report, from now on. */
  watch() {
    this.inbox.setTasks([inboxTask(this.id), eventsTask(this.id)]);
  }

  /** All who are there, as Redis knows them: `{ id, role, settings, watching, member }`; `slots` has those that hold works. */
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

  /** Learns which managers there are, and what they set. */
  async lookForManagers() {
    const { peers } = await this.look();
    const managers = peers.filter((peer) => peer.role === "manager").sort((a, b) => a.member.joinedAt - b.member.joinedAt);
    // One that has just reported that it listens may not be listed so yet.
    const listens = (id, watching) => watching || Boolean(this.managers.get(id)?.watching);
    const before = this.managers;
    this.managers = new Map(managers.map(({ id, settings, watching }) => [id, { settings, watching: listens(id, watching) }]));
    this._tellSettings();
    for (const [id, { watching }] of this.managers) if (watching && !before.get(id)?.watching) emit(this, "watched");
  }

  /** Sends a system message, as JSON, to everybody else, to all managers or to one; gives what `Sending.send` gives. Managers do not count. */
  sendMessage(to, text) {
    if (to === undefined || to === null) return this._follow(this._sending.send({ group: GROUP }, { name: MANAGER }, text));
    if (to === MANAGER) return this._follow(this._sending.send(undefined, { name: MANAGER }, text));
    return this._follow(this._sending.send({ name: String(to) }, undefined, text));
  }

  /** Has a message delivered to the inbox of another; gives whether it was. */
  send(to, message) {
    return this._follow(this._deliveries.send(to, inboxTask(to), message));
  }

  /** The same for reports to a manager. */
  sendEvents(to, bytes) {
    return this._follow(this._deliveries.send(to, eventsTask(to), bytes));
  }

  /** Deletes jobs, however long it takes. */
  async forget(ids) {
    await this.ask(() => this.master.deleteJobs(ids));
  }

  /** Leaves, when what was sent has been received or had its time. Never fails: what does not reach Redis ends with the leases. */
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

  /** Repeats a question until it is answered, or this peer is closed: then there is no answer. */
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
    // A manager that came while this peer was away did not find it.
    await this.lookForManagers();
    if (this.closing || !anew || incarnation !== this._announced) return;
    this.connected = true;
    emit(this, "connected");
  }

  /** Hears what is sent to it, and then says who it is, by which the others know of it. */
  async _introduce() {
    await this.ask(() => this.inbox.ready());
    await this.ask(() => this.inbox.setData(this._data));
    this.says(this.master);
  }

  /** Has another member of this part say whose it is. */
  says(member) {
    // In vain without Redis, or after its end: nobody needs to know then.
    member.setData({ process: thisProcess() }).catch(() => {});
  }

  /** Keeps what is on its way known until it is answered. */
  _follow(sent) {
    this._underWay.add(sent);
    const forget = () => this._underWay.delete(sent);
    sent.then(forget, forget);
    return sent;
  }

  /** Waits until nothing is on its way any more, for a while. */
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

  /** A manager says who it is, what it sets, and whether it listens. */
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

/** The part that a member belongs to, by its data; undefined if it is none. */
function peerOf(member) {
  if (!isObject(member.data)) return undefined;
  const { id, role, settings } = member.data;
  if (typeof id !== "string" || id === "" || !ROLES.includes(role) || (role === "manager") !== (member.group === MANAGERS)) return undefined;
  // Nobody is another.
  if (role !== "manager" && member.name !== id) return undefined;
  return { id, role, settings: settingsOf(settings), watching: member.tasks.includes(eventsTask(id)), member };
}

/** How a manager says that works are to be distributed. */
function settingsOf(settings) {
  return { sacred: settings?.sacred === true, hold: settings?.hold === true };
}

module.exports = { Peer, SLOTS_GROUP };
