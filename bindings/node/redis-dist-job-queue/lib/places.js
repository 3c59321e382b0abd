"use strict";
// The places of a process, `workerCount` of them, which its workers share: one for each timeout that its tasks have, because a timeout is a
// worker's lease. Each asks for as many jobs as there are places left; who comes too late goes back to the queue.

/** How long a job waits here for a place before it goes back, to be performed by another process, in milliseconds. */
const PATIENCE = 250;

/** How long those ask alone whose jobs went back, in milliseconds. */
const HEAD_START = 100;

class Places {
  constructor(count) {
    this.count = count;
    this.taken = 0;
    /** Jobs without a place, the first that came first. */
    this.waiting = [];
    /** Workers, each with the number of its jobs here, those of them that go back, its limit of slots, and whether its last job went back. */
    this.askers = [];
    this.timer = undefined;
  }

  /** A worker; all of them are to be known before the first job comes. */
  add(worker) {
    const asker = { worker, given: 0, returning: new Set(), limit: this.count, owed: false };
    this.askers.push(asker);
    return asker;
  }

  /** Resolves when the job has a place, which is to be left; to false if it is to go back, or is somebody else's by now. */
  take(asker, job) {
    asker.given += 1;
    asker.owed = false;
    if (this.taken < this.count && this.waiting.length === 0) {
      this.taken += 1;
      this.share();
      return Promise.resolve(true);
    }
    return new Promise((resolve) => {
      const entry = { end };
      const timer = setTimeout(() => {
        asker.owed = true;
        asker.returning.add(job);
        // Before it is released, or the worker would ask for another job in its place, and be given the same one.
        this.share();
        end(false);
      }, PATIENCE);
      job.once("delete", () => end(false));
      this.waiting.push(entry);
      const { waiting } = this;
      function end(hasPlace) {
        clearTimeout(timer);
        const at = waiting.indexOf(entry);
        if (at < 0) return;
        waiting.splice(at, 1);
        resolve(hasPlace);
      }
    });
  }

  /** A job is over that had a place, or went back. */
  leave(asker, hadPlace, job) {
    asker.given -= 1;
    asker.returning.delete(job);
    if (hadPlace) {
      if (this.waiting.length > 0) this.waiting[0].end(true);
      else this.taken -= 1;
    }
    this.share();
  }

  /** Has each worker ask for what is left. */
  share() {
    const free = this.waiting.length > 0 ? 0 : this.count - this.taken;
    const owed = this.askers.some((asker) => asker.owed);
    for (const asker of this.askers) {
      const limit = asker.given - asker.returning.size + (owed && !asker.owed ? 0 : free);
      if (limit === asker.limit) continue;
      asker.limit = limit;
      asker.worker._limitSlots(limit);
    }
    if (owed && free > 0) this.timer ??= setTimeout(() => this.forgive(), HEAD_START);
  }

  /** Whose jobs went back has had its turn: others performed them, or there is none now. */
  forgive() {
    this.timer = undefined;
    for (const asker of this.askers) asker.owed = false;
    this.share();
  }

  close() {
    clearTimeout(this.timer);
    this.timer = undefined;
  }
}

module.exports = Places;
