"use strict";
// Large or numerous data for one inbox: large results, reports, and messages of managers. Each is a job that only its recipient accepts, and is
// delivered when that job is completed.

const { randomBytes } = require("node:crypto");
const { setTimeout: pause } = require("node:timers/promises");
const { NewJob } = require("../index.js");
const { isTransient } = require("./transient.js");

/** The interval at which the recipients are checked while a message is on its way, in milliseconds. */
const LOOK = 1000;

/** A recipient counts as gone when it was missing in this many consecutive checks: after a lost lease it comes back at once. */
const MISSING = 2;

/** The pause before a message is sent again, in milliseconds. */
const RETRY = 250;

class Deliveries {
  constructor(peer) {
    this.peer = peer;
    /** By job id. */
    this.pending = new Map();
    this.timer = undefined;
    this.looking = false;
  }

  /** Sends a message; resolves with whether it was received. The first attempt is made in this turn, so that messages keep their order. */
  async send(to, task, message) {
    const { peer } = this;
    const id = randomBytes(10).toString("hex");
    const delivery = { to, missing: 0, gone: false };
    this.pending.set(id, delivery);
    this.timer ??= setInterval(() => this.look(), LOOK);
    try {
      while (!peer.closing && !delivery.gone) {
        const { incarnation } = peer.master;
        try {
          await peer.master.run(new NewJob(message), { id, task, ephemeral: true });
          return true;
        } catch (error) {
          if (!isTransient(error, incarnation !== peer.master.incarnation)) return false;
        }
        await pause(RETRY);
      }
      return false;
    } finally {
      this.pending.delete(id);
      if (this.pending.size === 0) this.close();
    }
  }

  /** Cancels messages whose recipients are gone. */
  async look() {
    if (this.looking) return;
    this.looking = true;
    const { peers } = await this.peer.look();
    this.looking = false;
    const there = new Set(peers.map((peer) => peer.id));
    const lost = [];
    for (const [id, delivery] of this.pending) {
      delivery.missing = there.has(delivery.to) ? 0 : delivery.missing + 1;
      if (delivery.missing < MISSING || delivery.gone) continue;
      delivery.gone = true;
      this.peer.managers.delete(delivery.to);
      lost.push(id);
    }
    if (lost.length > 0) await this.peer.forget(lost);
  }

  close() {
    clearInterval(this.timer);
    this.timer = undefined;
  }
}

module.exports = Deliveries;
