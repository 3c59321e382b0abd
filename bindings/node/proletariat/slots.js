"use strict";
// The slots of a worker: accepts works, passes them to its listeners, and sends their outcomes.

const { createWorker } = require("../index.js");
const { envelopeOf } = require("./envelope.js");
const { badWork, largeText, outcomeText, tooLarge } = require("./errors.js");
const functionOf = require("./functions.js");
const { SLOTS_GROUP } = require("./peer.js");

/** The largest result that the core keeps, in bytes; larger outcomes are sent to the client by themselves. */
const MAX_RESULT = 128 * 1024;

/** The largest outcome, in characters of JSON: it is a text in a message, and may be escaped there. */
const MAX_OUTCOME = 7 * 1024 * 1024;

class Slots {
  /** `options` are those of the worker; `sacred` is whether its guarantees are strict. */
  constructor(worker, peer, { slots, prioritySlots }, sacred) {
    this.worker = worker;
    this.peer = peer;
    this.sacred = sacred;
    /** Works that arrived without a listener. */
    this.unclaimed = [];
    /** The reports to managers of running works, by their jobs. */
    this.running = new Map();
    this.pool = createWorker(peer.cluster, { ...peer.options, name: peer.id, group: SLOTS_GROUP, requeue: "front", slots, prioritySlots, strictSlots: sacred });
    this.pool.on("add", (job) => this.run(job));
    this.pool.on("error", (error) => worker._troubled(error));
    peer.says(this.pool);
    this.reportAll = () => this.running.forEach((describe) => peer.reports.add(describe));
    peer.on("watched", this.reportAll);
  }

  /** Called when there are listeners again. */
  resume() {
    for (const job of this.unclaimed.splice(0)) if (!job.cancelled) this.run(job);
  }

  run(job) {
    const { worker, peer } = this;
    if (worker.listenerCount("work") === 0) return void this.unclaimed.push(job);
    const { client, rid, args, isFunction, timeout, knownTo } = envelopeOf(job.payload);
    const w = { id: job.id, args, status: "running" };
    if (timeout !== undefined) w.timeout = timeout;
    // The client of a work that a manager monitors reports which worker ran it. That manager may have come after the work.
    const by = knownTo !== undefined || peer.reports.wanted ? peer.id : undefined;
    let over = false;
    const handler = (err, data) => {
      if (over) return;
      over = true;
      w.status = "done";
      this.running.delete(job);
      this.answer(job, client, by, outcomeText(err, data, by));
    };
    job.once("delete", () => {
      const ignored = !over;
      over = true;
      this.running.delete(job);
      w.status = "aborted";
      // A work whose time is over has its outcome already; its handler just continues.
      if (!ignored || job.deleteReason === "timed_out") return;
      if (job.deleteReason === "deleted") peer.reports.add(() => ({ e: "abort", w: described }));
      worker.emit("abort", w);
    });
    const described = { id: job.id, rid, args, timeout, priority: job.priority, requester: client };
    // A manager that came later than the work has no record of it.
    const describe = () => ({ e: "assign", id: job.id, fence: job.fence, w: knownTo !== peer.reports.newest ? described : undefined });
    this.running.set(job, describe);
    peer.reports.add(describe);
    try {
      if (isFunction) w.args = this.functionOf(args);
      worker.emit("work", w, handler);
    } catch (error) {
      // Only for this work: the others continue.
      handler(error);
    }
  }

  functionOf(source) {
    if (!this.worker.options.allowFunctions) throw badWork("this worker does not run functions, its option allowFunctions is not set");
    return functionOf(source);
  }

  async answer(job, client, by, text) {
    const size = Buffer.byteLength(text);
    if (size > MAX_RESULT) text = await this.sent(job, client, by, text, size);
    job.complete(Buffer.from(text), (error) => {
      // A work that was reclaimed meanwhile is done elsewhere.
      if (error && !job.cancelled && !this.worker._stopping) this.worker._troubled(error);
    });
  }

  /** Sends a large outcome to the client; returns the text for the result. */
  async sent(job, client, by, text, size) {
    const arrives = client !== undefined && size <= MAX_OUTCOME && (await this.peer.send(client, { k: "result", id: job.id, text }));
    if (arrives) return largeText(size, by);
    return outcomeText(tooLarge("result", size, MAX_OUTCOME), null);
  }

  /** Finishes the active works. */
  async drain() {
    await this.pool.drain().catch(() => {});
    await this.close();
  }

  /** Releases the active works. */
  async close() {
    this.peer.off("watched", this.reportAll);
    await this.pool.terminate({ grace: 0 }).catch(() => {});
  }
}

module.exports = Slots;
