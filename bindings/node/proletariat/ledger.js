"use strict";
// What a manager knows of the works under way, from what clients and workers tell.

const { emit } = require("../lib/callbacks.js");
const { envelopeOf, keyOf } = require("./envelope.js");
const { integerOf } = require("./numbers.js");

class Ledger {
  constructor(manager) {
    this.manager = manager;
    /** Works that are not over, by id. */
    this.works = new Map();
    this.orphans = new Set();
    this.finished = 0;
  }

  clear() {
    this.works.clear();
    this.orphans.clear();
  }

  /** Enters what `from`, a client or worker, has told. */
  enter(event, from) {
    const { manager } = this;
    switch (event.e) {
      case "receive": {
        const work = workOf(event.w, from);
        this.works.set(work.id, work);
        emit(manager, "receive", work);
        work.status = "queued";
        return;
      }
      case "assign": {
        const work = this.works.get(event.id);
        if (work !== undefined) Object.assign(work, { status: "running", worker: from });
        return;
      }
      case "finish":
        emit(manager, "finish", this.take(event.id, from), event.result);
        return this.counted();
      case "assigntimeout":
        emit(manager, "assigntimeout", this.take(event.id, from));
        return this.counted();
      case "abort": {
        const work = this.works.get(event.w.id) ?? workOf(event.w, event.w.requester);
        this.works.delete(work.id);
        emit(manager, "abort", Object.assign(work, { worker: from }), from);
        return;
      }
      case "drop": {
        const work = this.works.get(event.id);
        // A running one is taken out when its worker tells that it was aborted.
        if (work?.status !== "running") this.works.delete(event.id);
        return;
      }
    }
  }

  /** Takes a work out. One from before this manager listened is known by its id only. */
  take(id, requester) {
    const work = this.works.get(id) ?? workOf({ id }, requester);
    this.works.delete(id);
    return work;
  }

  /** The work of a job that waits: as it was told, or as far as the job says. */
  waiting({ id, payload, priority }) {
    const { c: client, r: rid, w: args, t: timeout } = envelopeOf(payload);
    return this.works.get(id) ?? Object.assign(workOf({ id, rid, key: keyOf(args), args, timeout, priority }, client), { status: "queued" });
  }

  counted() {
    this.finished += 1;
    if (this.finished >= integerOf(this.manager.options.CLEANUP_REQS, 1000)) this.manager._cleanup();
  }

  workerGone(record) {
    for (const work of this.works.values()) {
      if (work.worker !== record.id) continue;
      emit(this.manager, "giveup", work, record);
      Object.assign(work, { status: "queued", worker: null });
    }
  }

  /** What it asked for is given up; running works are still told of by their workers. */
  clientGone(id) {
    for (const work of this.works.values()) {
      if (work.requester === id && work.status !== "running") this.works.delete(work.id);
    }
  }

  /** Drops the works of which nobody will tell any more: at the second time, because a client may not be known yet at the first. */
  cleanup() {
    const { clients, workers } = this.manager;
    this.finished = 0;
    for (const [id, work] of this.works) {
      if (this.orphans.has(id)) this.works.delete(id);
      else if (clients[work.requester] === undefined && workers[work.worker] === undefined) this.orphans.add(id);
    }
    for (const id of this.orphans) if (!this.works.has(id)) this.orphans.delete(id);
  }
}

function workOf({ id, rid, key, args, timeout, assigntimeout, priority = 0 }, requester) {
  return { id, rid, key, args, timeout, assigntimeout, priority, requester, status: "new", worker: null };
}

module.exports = Ledger;
