"use strict";
// Groups of jobs: added together, and each reported as it finishes.

const { batchOf } = require("./new_job.js");
const Wait = require("./wait.js");

/** The wait for a group. It ends when all jobs have finished; by its signal or time limit; or because the jobs could not be added. */
class Group extends Wait {
  /** `report(outcome)` is called for each job as it finishes, `settle(error)` after the last. */
  constructor(master, jobs, { signal, timeout }, report, settle) {
    super(master, settle, signal, timeout, "the results");
    this.report = report;
    this.ids = [];
    /** Of each job a mark, above 0 if it existed; null if none did. */
    this.marks = null;
    this.left = jobs.length;
    this.tokens = new Uint32Array(jobs.length + 1);
    try {
      const { lines, bytes } = batchOf(jobs);
      this.tokens[0] = master._expect((error, ids, marks) => (error ? this.end(error) : this.added(ids, marks)));
      for (let position = 0; position < jobs.length; position++) {
        const ended = (error, value) => this.ended(position, error, value);
        ended.parse = master._parse;
        this.tokens[position + 1] = master._expect(ended);
      }
      master._native.runEach(this.tokens, lines, bytes);
    } catch (error) {
      process.nextTick(() => this.end(error));
    }
  }

  added(ids, marks) {
    this.ids = ids;
    this.marks = marks;
    if (this.left === 0) this.end(null);
  }

  ended(position, error, value) {
    if (this.over) return;
    const outcome = error ? { status: "rejected", reason: error } : { status: "fulfilled", value };
    const existed = this.marks !== null && this.marks[position] > 0;
    this.report({ position, id: this.ids[position], existed, ...outcome });
    this.left -= 1;
    if (this.left === 0) this.end(null);
  }

  giveUp() {
    const { master, tokens } = this;
    for (const token of tokens) master._calls.delete(token);
    if (this.left > 0) {
      // Some of its ephemeral jobs continue.
      master._lasts = true;
      master._native?.cancel(tokens[0]);
    }
    master._keepAlive();
  }
}

/** Outcomes as an async iterator, in the order in which the jobs finished. */
class Outcomes {
  /** `begin(report, settle)` returns the group. */
  constructor(begin) {
    this.ready = [];
    this.taken = 0;
    this.asked = [];
    this.over = false;
    this.error = null;
    this.group = begin(
      (outcome) => {
        if (this.asked.length > 0) this.asked.shift().resolve({ done: false, value: outcome });
        else this.ready.push(outcome);
      },
      (error) => this.finish(error),
    );
  }

  next() {
    if (this.taken < this.ready.length) {
      const value = this.ready[this.taken];
      this.ready[this.taken++] = undefined;
      return Promise.resolve({ done: false, value });
    }
    this.ready = [];
    this.taken = 0;
    if (!this.over) return new Promise((resolve, reject) => this.asked.push({ resolve, reject }));
    const { error } = this;
    this.error = null;
    return error ? Promise.reject(error) : Promise.resolve(END);
  }

  /** Stops the waits; the jobs continue. */
  return(value) {
    this.ready = [];
    this.taken = 0;
    this.group.end(null);
    return Promise.resolve({ done: true, value });
  }

  finish(error) {
    this.over = true;
    this.error = error;
    // The first pending call receives the error, all others the end.
    for (const { resolve, reject } of this.asked.splice(0)) {
      if (this.error === null) resolve(END);
      else reject(this.error);
      this.error = null;
    }
  }

  [Symbol.asyncIterator]() {
    return this;
  }
}

const END = Object.freeze({ done: true, value: undefined });

module.exports = { Group, Outcomes };
