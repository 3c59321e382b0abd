"use strict";
// Reports of clients and workers to the managers that listen: the events of each work. One message is under way at a time; later reports are
// gathered.

/** The number of characters at which reports are sent at once. */
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

  /** The manager that started to listen last; undefined if none does. */
  get newest() {
    let newest;
    for (const [id, manager] of this.peer.managers) if (manager.watching) newest = id;
    return newest;
  }

  /** `event()` returns the event as JSON; it is called only if a manager listens. */
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

  /** Sends the gathered reports, in this turn. */
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
