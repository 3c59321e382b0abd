"use strict";
// What clients, workers and managers have in common: an identity, a connection, an inbox, and the knowledge of who is there.

const { randomBytes } = require("node:crypto");
const { EventEmitter } = require("node:events");
const { setTimeout: pause } = require("node:timers/promises");
const { createMaster, createWorker } = require("../index.js");
const { emit } = require("../lib/callbacks.js");
const Deliveries = require("./deliveries.js");
const Hearing = require("./hearing.js");
const Reports = require("./reports.js");
const Sending = require("./sending.js");

/** The group of every inbox: those who hear system messages. */
const GROUP = "proletariat";

/** The name of the inboxes of managers. Those of others have their ids. */
const MANAGER = "MANAGER";

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
 * how works are to be distributed; `message`, `result` and `events` with what was sent to it; `trouble(error)`.
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
    /** What others know it by, once it hears them. */
    this._data = { id: this.id, role, settings };
    this._introduced = undefined;
    /** What was sent and is not answered. */
    this._underWay = new Set();

    const name = role === "manager" ? MANAGER : this.id;
    this.inbox = createWorker(cluster, { ...options, name, group: GROUP, tasks: [inboxTask(this.id)] });
    this.inbox.process((job) => this._take(job.payload));
    this.inbox.on("message", (message) => message.from.group === GROUP && this._hearing.take(message));
    this.master = createMaster(cluster, { ...options, name: this.id, group: `${GROUP}+sender` });
    this.cluster = cluster;
    this.options = options;
    for (const member of [this.master, this.inbox]) {
      member.on("ready", () => this._registered());
      member.on("error", (error) => this.emit("trouble", error));
    }
    this._deliveries = new Deliveries(this);
    this._sending = new Sending(this);
    this._hearing = new Hearing(this);
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
      else if (member.group === GROUP && member.data?.id) there.peers.push(peerOf(member));
    }
    return there;
  }

  /** Learns which managers there are, and what they set. */
  async lookForManagers() {
    const { peers } = await this.look();
    const managers = peers.filter((peer) => peer.role === "manager").sort((a, b) => a.member.joinedAt - b.member.joinedAt);
    // One that has just told that it listens may not be listed so yet.
    const listens = (id, watching) => watching || Boolean(this.managers.get(id)?.watching);
    this.managers = new Map(managers.map(({ id, settings, watching }) => [id, { settings, watching: listens(id, watching) }]));
    this._tellSettings();
  }

  /** Sends a system message, as JSON, to everybody else, to all managers or to one; gives what `Sending.send` gives. */
  tell(to, text) {
    const all = to === undefined || to === null;
    return this._follow(this._sending.send(all ? { group: GROUP } : { name: String(to) }, text));
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

  /** Leaves, when what was sent has been received or had its time. Never fails: what cannot be told to Redis ends with the leases. */
  async close() {
    if (this.closing) return;
    this.reports.flush();
    if (this.connected) await this._settled();
    this.closing = true;
    await this.inbox.terminate({ grace: 0 }).catch(() => {});
    this._deliveries.close();
    this._hearing.close();
    await this.master.close().catch(() => {});
  }

  /** Repeats a question until it is answered, or this peer is closed: then there is no answer. */
  async ask(question) {
    while (!this.closing) {
      try {
        return await question();
      } catch {
        // Trouble with Redis is told by the events of the members.
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
    switch (message.k) {
      case "manager":
        this.managers.delete(message.from);
        this.managers.set(message.from, { settings: message.settings, watching: message.watching });
        return this._tellSettings();
      case "result":
      case "events":
        return emit(this, message.k, message);
      default:
        return undefined;
    }
  }

  _tellSettings() {
    const newest = [...this.managers.values()].at(-1);
    if (newest === undefined || this.closing) return;
    this.settings = newest.settings;
    emit(this, "settings", newest.settings);
  }
}

function peerOf(member) {
  const { id, role, settings } = member.data;
  return { id, role, settings, watching: member.tasks.includes(eventsTask(id)), member };
}

module.exports = { Peer, SLOTS_GROUP };
