"use strict";
// The `workerCount` places of a process, which its workers share. There is one worker for each distinct timeout of its tasks, because a timeout is
// the lease of a worker. Each worker requests as many jobs as there are free places; excess jobs are released.

/** How long a job waits here for a place before it is released, to be performed by another process, in milliseconds. */
const PATIENCE = 250;

/** How long only those workers request jobs whose jobs were released, in milliseconds. */
const HEAD_START = 100;

class Places {
  constructor(count) {
    this.count = count;
    this.taken = 0;
    /** Jobs without a place, in the order in which they came. */
    this.waiting = [];
    /**
     * Workers, each with the number of its jobs here, the number of them being released, its limit of slots, and whether its last job was released.
     */
    this.askers = [];
    this.timer = undefined;
  }

  /** Adds a worker; all workers must be added before the first job comes. */
  add(worker) {
    const asker = { worker, given: 0, returning: new Set(), limit: this.count, owed: false };
    this.askers.push(asker);
    return asker;
  }

  /** Resolves to true when the job has a place, which must be left later; to false if it must be released, or was reclaimed. */
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
        // Before it is released; otherwise the worker would request a replacement, and be assigned the same job again.
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

  /** A job with a place is over, or a job was released. */
  leave(asker, hadPlace, job) {
    asker.given -= 1;
    asker.returning.delete(job);
    if (hadPlace) {
      if (this.waiting.length > 0) this.waiting[0].end(true);
      else this.taken -= 1;
    }
    this.share();
  }

  /** Lets each worker request the remaining places. */
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

  /** Ends the privilege of workers whose jobs were released: other processes performed them, or there are none now. */
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
