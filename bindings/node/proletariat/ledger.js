"use strict";
// The works under way as a manager records them, from the reports of clients and workers.

const { emit } = require("../lib/callbacks.js");
const { isObject, textOf } = require("../lib/shapes.js");
const { envelopeOf, keyOf } = require("./envelope.js");
const { integerOf, limitOf } = require("./numbers.js");

class Ledger {
  constructor(manager) {
    this.manager = manager;
    /**
     * Works that are not over, by id: `{ work, fence, reported }`. `fence` is that of the last execution; `reported` is whether the client has
     * reported the work.
     */
    this.entries = new Map();
    /** Works that are over, until the next cleanup, because earlier events of them may be reported later. */
    this.over = new Set();
    this.orphans = new Set();
    /** Clients that have reported works, and were missing at the last check. */
    this.absent = new Set();
    this.finished = 0;
  }

  /** The works that are not over, by id. */
  get works() {
    return new Map(Array.from(this.entries, ([id, { work }]) => [id, work]));
  }

  clear() {
    this.entries.clear();
    this.over.clear();
    this.orphans.clear();
    this.absent.clear();
  }

  /** Records an event that `from`, a client or worker, has reported. Unknown events are ignored. */
  enter(event, from) {
    if (!isObject(event)) return;
    const reported = workOf(event.w, textOf(event.w?.requester) ?? from);
    const id = textOf(event.id) ?? reported?.id;
    if (id === undefined) return;
    switch (event.e) {
      case "receive":
        return this.received(reported);
      case "assign":
        return this.assigned(id, reported, from, event.fence);
      case "finish": {
        const work = this.ended(id, reported, from, textOf(event.by));
        const { err = null, data } = isObject(event.result) ? event.result : {};
        emit(this.manager, "finish", work, { err, data });
        return this.counted();
      }
      case "assigntimeout":
        emit(this.manager, "assigntimeout", this.ended(id, reported, from));
        return this.counted();
      case "abort":
        return this.abortedBy(id, reported, from);
      case "drop":
        return this.dropped(id, reported);
    }
  }

  received(reported) {
    if (reported === undefined || this.entries.has(reported.id)) return;
    const entry = this.add(reported);
    entry.reported = true;
    const { work } = entry;
    emit(this.manager, "receive", work);
    work.status = "queued";
  }

  add(work) {
    const entry = { work, fence: 0, reported: false };
    this.entries.set(work.id, entry);
    return entry;
  }

  /** A worker runs the work. A previous worker has lost it, even if its absence was not noticed yet. */
  assigned(id, reported, worker, fence) {
    if (this.over.has(id) || !(fence > 0)) return;
    const entry = this.entries.get(id) ?? (reported && this.add(reported));
    // A delayed report may arrive after a report of later events.
    if (entry === undefined || fence <= entry.fence) return;
    if (entry.work.status === "running") this.givenUp(entry.work);
    entry.fence = fence;
    Object.assign(entry.work, { status: "running", worker });
  }

  givenUp(work, record = this.manager._workers.get(work.worker) ?? { id: work.worker }) {
    emit(this.manager, "giveup", work, record);
    Object.assign(work, { status: "queued", worker: null });
  }

  /** Later reports of this work are ignored. */
  end(id) {
    this.entries.delete(id);
    this.over.add(id);
  }

  /** Removes a work that was done `by` a worker. A work without earlier reports is known by its id only. */
  ended(id, reported, requester, by) {
    const work = this.entries.get(id)?.work ?? reported ?? workOf({ id }, requester);
    this.end(id);
    if (by !== undefined && work.status === "running" && work.worker !== by) this.givenUp(work);
    if (by !== undefined) work.worker = by;
    return work;
  }

  abortedBy(id, reported, worker) {
    if (this.over.has(id)) return;
    const work = this.entries.get(id)?.work ?? reported;
    this.end(id);
    if (work !== undefined) emit(this.manager, "abort", Object.assign(work, { worker }), worker);
  }

  /** The client has aborted it. For a running work, its worker reports the abort. */
  dropped(id, reported) {
    if (this.over.has(id)) return;
    const work = this.entries.get(id)?.work ?? reported;
    if (work?.status === "running") return;
    this.entries.delete(id);
    if (work !== undefined) this.dropOf(work);
  }

  /** Aborts a waiting work, unless it continues without its client. */
  dropOf(work) {
    if (work.keepState) return;
    this.over.add(work.id);
    emit(this.manager, "abort", work, null);
  }

  /** The work of a waiting job: as it was reported, or else from its job. */
  waiting({ id, payload, priority }) {
    const { client, rid, args, timeout } = envelopeOf(payload);
    return this.entries.get(id)?.work ?? Object.assign(workOf({ id, rid, key: keyOf(args), args, timeout, priority }, client), { status: "queued" });
  }

  counted() {
    this.finished += 1;
    if (this.finished >= integerOf(this.manager.options.CLEANUP_REQS, 1000)) this.manager._cleanup();
  }

  workerGone(record) {
    for (const work of this.works.values()) if (work.worker === record.id) this.givenUp(work, record);
  }

  /** Aborts the waiting works of a client that is gone; workers still report the running ones. */
  clientGone(id) {
    for (const work of this.works.values()) {
      if (work.requester !== id || work.status === "running") continue;
      this.entries.delete(work.id);
      this.dropOf(work);
    }
  }

  /**
   * Called with the live clients: aborts works of clients that are gone. Only at the second check, because a client may have come since the first.
   */
  seen(clients) {
    const absent = new Set();
    for (const { work, reported } of this.entries.values()) if (reported && !clients.has(work.requester)) absent.add(work.requester);
    const before = this.absent;
    this.absent = absent;
    for (const id of absent) if (before.has(id)) this.clientGone(id);
  }

  /** Drops works without further reports: only at the second time, because their client may not be known yet at the first. */
  cleanup() {
    const { _clients: clients, _workers: workers } = this.manager;
    this.finished = 0;
    this.over.clear();
    for (const { id, requester, worker } of this.works.values()) {
      if (this.orphans.has(id)) this.entries.delete(id);
      else if (!clients.has(requester) && !workers.has(worker)) this.orphans.add(id);
    }
    for (const id of this.orphans) if (!this.entries.has(id)) this.orphans.delete(id);
  }
}

/** A work for events and listeners; undefined if the report is invalid. */
function workOf(reported, requester) {
  if (!isObject(reported) || typeof reported.id !== "string") return undefined;
  const { id, rid, key, args, timeout, assigntimeout, priority, keepState } = reported;
  const work = {
    id, rid: textOf(rid), key: textOf(key), args, timeout: timeOf(timeout), assigntimeout: timeOf(assigntimeout),
    priority: Number.isSafeInteger(priority) ? priority : 0, requester, status: "new", worker: null,
  };
  if (keepState === true) work.keepState = true;
  return work;
}

function timeOf(value) {
  return typeof value === "number" ? limitOf(value) : undefined;
}

module.exports = Ledger;
