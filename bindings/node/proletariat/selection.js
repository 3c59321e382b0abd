"use strict";
// Chooses workers with a manager's workSelectWorker, while it is a function.

const { inspect } = require("node:util");
const { complain } = require("../lib/complain.js");
const { isError } = require("../lib/text.js");
const { ProletariatError } = require("./errors.js");
const { SLOTS_GROUP } = require("./peer.js");

/** Works are jobs without a task; jobs with a task are deliveries, for which no worker is chosen. */
const TASKS = [""];

class Selection {
  constructor(manager, peer) {
    this.manager = manager;
    this.peer = peer;
    /** Whether the master chooses. */
    this.chooses = false;
    this.closed = false;
  }

  /** Starts to choose if there is a function, and stops if there is none. */
  follow() {
    const { manager, peer } = this;
    const wanted = typeof manager.workSelectWorker === "function";
    // A later assignment to the property is noticed again.
    if (!wanted && Object.hasOwn(manager, "workSelectWorker")) Reflect.deleteProperty(manager, "workSelectWorker");
    if (wanted === this.chooses || this.closed) return;
    this.chooses = wanted;
    const done = wanted ? peer.master.choose((job, workers) => this.select(job, workers), { tasks: TASKS }) : peer.master.stopChoosing();
    // The members emit errors of Redis, and the manager calls this again.
    done.catch(() => (this.chooses = false));
  }

  /** The function is not called any more. */
  close() {
    this.closed = true;
    if (this.chooses) this.peer.master.stopChoosing().catch(() => {});
  }

  /** Returns the worker for a job; null for none now. */
  async select(job, workers) {
    const { manager, peer } = this;
    const offers = workers.filter(({ group }) => group === SLOTS_GROUP);
    // A worker that joined since the manager last read the parts.
    if (offers.some(({ name }) => !manager._workers.has(name))) await manager._look(peer);
    if (this.closed) return null;
    const select = manager.workSelectWorker;
    if (typeof select !== "function") {
      this.follow();
      return null;
    }
    const known = new Map(offers.filter(({ name }) => manager._workers.has(name)).map((offer) => [offer.name, offer]));
    if (known.size === 0) return null;
    const rooms = Object.fromEntries(Array.from(known, ([id, { room }]) => [id, room]));
    const total = Object.values(rooms).reduce((sum, room) => sum + room, 0);
    try {
      return this.offerOf(select.call(manager, manager._ledger.waiting(job), rooms, total), known);
    } catch (error) {
      complain(manager, isError(error) ? error : new ProletariatError(`workSelectWorker threw ${inspect(error)}`));
      return null;
    }
  }

  /** The worker of a record; null if it has no free slot for this work, which then waits. */
  offerOf(record, known) {
    if (record === null || record === undefined) return null;
    const offer = known.get(record.id);
    if (offer !== undefined) return offer;
    if (this.manager._workers.has(record.id)) return null;
    throw new ProletariatError(`workSelectWorker returned ${inspect(record)}, it must be a record of manager.workers, or null`);
  }
}

module.exports = Selection;
