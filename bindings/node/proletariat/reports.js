"use strict";
// What clients and workers report to the managers that listen: what becomes of each work. One message is under way at a time, and what
// comes meanwhile gathers.

/** Reports are sent at once when they have so many characters. */
const MAX_SIZE = 4 << 20;

class Reports {
  constructor(peer) {
    this.peer = peer;
    this.texts = [];
    this.size = 0;
    this.scheduled = false;
    this.underWay = 0;
  }

  /** Whether a manager listens. */
  get wanted() {
    for (const manager of this.peer.managers.values()) if (manager.watching) return true;
    return false;
  }

  /** The manager that began to listen last; undefined if none does. */
  get newest() {
    let newest;
    for (const [id, manager] of this.peer.managers) if (manager.watching) newest = id;
    return newest;
  }

  /** `event()` gives what has happened, as JSON; it is asked only if a manager listens. */
  add(event) {
    if (!this.wanted) return;
    const text = JSON.stringify(event());
    this.texts.push(text);
    this.size += text.length;
    if (this.size >= MAX_SIZE) {
      this.flush();
    } else if (!this.scheduled && this.underWay === 0) {
      this.scheduled = true;
      process.nextTick(() => this.flush());
    }
  }

  /** Sends what was gathered, in this turn. */
  flush() {
    this.scheduled = false;
    if (this.texts.length === 0) return;
    const bytes = Buffer.from(`{"k":"events","from":${JSON.stringify(this.peer.id)},"list":[${this.texts.join(",")}]}`);
    this.texts = [];
    this.size = 0;
    for (const [id, manager] of this.peer.managers) if (manager.watching) this.send(id, bytes);
  }

  async send(id, bytes) {
    this.underWay += 1;
    await this.peer.sendEvents(id, bytes);
    this.underWay -= 1;
    if (this.underWay === 0) this.flush();
  }
}

module.exports = Reports;
