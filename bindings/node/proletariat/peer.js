"use strict";
// What clients, workers and managers have in common: an identity, a connection, an inbox, and the knowledge of who is there.

const { randomBytes } = require("node:crypto");
const { EventEmitter } = require("node:events");
const { setTimeout: pause } = require("node:timers/promises");
const { createMaster, createWorker } = require("../index.js");
const { emit } = require("../lib/callbacks.js");
const Deliveries = require("./deliveries.js");
const Reports = require("./reports.js");

/** Begins the group of every inbox; the role and the settings of a manager follow. */
const GROUP = "proletariat-";

/** The group of the members that hold works. */
const SLOTS_GROUP = "proletariat+slots";

/** Before a question is asked again that Redis did not answer, in milliseconds. */
const RETRY = 250;

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
    this._looks = Promise.resolve();

    const group = GROUP + [role, settings?.sacred && "sacred", settings?.hold && "hold"].filter(Boolean).join("+");
    this.inbox = createWorker(cluster, { ...options, name: this.id, group, tasks: [inboxTask(this.id)] });
    this.inbox.process((job) => this._take(job.payload));
    this.master = createMaster(cluster, { ...options, name: this.id, group: `${GROUP}sender` });
    this.cluster = cluster;
    this.options = options;
    for (const member of [this.master, this.inbox]) {
      member.on("ready", () => this._registered());
      member.on("error", (error) => this.emit("trouble", error));
    }
    this.deliveries = new Deliveries(this);
    this.reports = new Reports(this);
  }

  /** Takes what clients and workers report, from now on. */
  watch() {
    this.inbox.setTasks([inboxTask(this.id), eventsTask(this.id)]);
  }

  /** All who are there, as Redis knows them: `{ id, role, settings, watching, member }`; `slots` has those that hold works. */
  async look() {
    const members = await this._ask(() => this.master.members());
    const there = { peers: [], slots: [] };
    for (const member of members ?? []) {
      if (member.group === SLOTS_GROUP) there.slots.push(member);
      else if (member.role === "worker" && member.group.startsWith(GROUP)) there.peers.push(peerOf(member));
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

  /** Sends a system message to everybody else, to all managers or to one; gives `{ id, sentTo, receivedBy }`. */
  tell(to, content) {
    const id = randomBytes(8).toString("hex");
    // One after the other, so that messages keep their order.
    const looked = (this._looks = this._looks.then(() => this.look()));
    return looked.then(async ({ peers }) => {
      const everybody = to === undefined || to === null;
      const chosen = peers.filter((peer) => (everybody ? peer.id !== this.id : to === "MANAGER" ? peer.role === "manager" : peer.id === to));
      const received = await Promise.all(chosen.map((peer) => this.send(peer.id, { k: "message", from: this.id, content })));
      return { id, sentTo: chosen.length, receivedBy: received.filter(Boolean).length };
    });
  }

  /** Has a message delivered to the inbox of another; gives whether it was. */
  send(to, message) {
    return this.deliveries.send(to, inboxTask(to), message);
  }

  /** The same for reports to a manager. */
  sendEvents(to, bytes) {
    return this.deliveries.send(to, eventsTask(to), bytes);
  }

  /** Deletes jobs, however long it takes. */
  async forget(ids) {
    await this._ask(() => this.master.deleteJobs(ids));
  }

  /** Leaves, when what was sent has been received or had its time. Never fails: what cannot be told to Redis ends with the leases. */
  async close() {
    if (this.closing) return;
    this.reports.flush();
    if (this.connected) await this.deliveries.settled();
    this.closing = true;
    await this.inbox.terminate({ grace: 0 }).catch(() => {});
    this.deliveries.close();
    await this.master.close().catch(() => {});
  }

  /** Repeats a question until it is answered, or this peer is closed: then there is no answer. */
  async _ask(question) {
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
    // A manager that came while this peer was away did not find it.
    await this.lookForManagers();
    if (this.closing || !anew || incarnation !== this._announced) return;
    this.connected = true;
    emit(this, "connected");
  }

  _take(payload) {
    const message = Buffer.isBuffer(payload) ? JSON.parse(payload) : payload;
    switch (message.k) {
      case "message":
        return emit(this, "message", message.content, message.from);
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
  const [role, ...flags] = member.group.slice(GROUP.length).split("+");
  const id = member.name;
  const settings = { sacred: flags.includes("sacred"), hold: flags.includes("hold") };
  return { id, role, settings, watching: member.tasks.includes(eventsTask(id)), member };
}

module.exports = { Peer, SLOTS_GROUP };
