"use strict";
// Gathers the jobs finished in one turn of the event loop, so that they are passed to the native side together.

const { Finish, FINISH_COLUMNS, Outgoing, WITH_LINE } = require("./wire.js");

/** The number of gathered finishes at which they are sent at once. */
const MAX_ROWS = 1024;

/** As `MAX_ROWS`, for the size of their contents, in characters and bytes. */
const MAX_SIZE = 1 << 20;

class Finishes {
  /** `send(rows, text, bytes)` receives what was gathered; `refused(job, kind, token, error)` is called for a finish that it refuses. */
  constructor(send, refused) {
    this.send = send;
    this.refused = refused;
    this.rows = new Float64Array(MAX_ROWS * FINISH_COLUMNS);
    this.used = 0;
    /** The jobs of the rows. */
    this.jobs = [];
    this.contents = new Outgoing();
    this.scheduled = false;
    this.flush = this.flush.bind(this);
  }

  /** `content` is a line of JSON, bytes, or undefined; `job` is passed to `refused`. */
  push(fence, kind, content, token, job) {
    const at = this.used * FINISH_COLUMNS;
    this.rows[at] = fence;
    this.rows[at + 1] = kind;
    this.rows[at + 2] = token;
    this.used += 1;
    this.jobs.push(job);
    if (typeof content === "string") {
      this.contents.line(content);
    } else if (content !== undefined) {
      this.contents.line(String(content.length));
      this.contents.blob(content);
    }
    if (this.used === MAX_ROWS || this.contents.size >= MAX_SIZE) {
      this.flush();
    } else if (!this.scheduled) {
      this.scheduled = true;
      process.nextTick(this.flush);
    }
  }

  flush() {
    this.scheduled = false;
    if (this.used === 0) return;
    const { contents, jobs } = this;
    const rows = this.rows.subarray(0, this.used * FINISH_COLUMNS);
    this.used = 0;
    try {
      this.send(rows, contents.text, contents.allBytes);
      jobs.length = 0;
      contents.clear();
    } catch {
      // The calls below may push again.
      this.jobs = [];
      this.contents = new Outgoing();
      this.sendEach(rows.slice(), jobs, contents);
    }
  }

  /** Sends each finish by itself, so that only the invalid ones are refused. */
  sendEach(rows, jobs, { lines, bytes }) {
    let [line, blob] = [0, 0];
    for (const [at, job] of jobs.entries()) {
      const row = rows.subarray(at * FINISH_COLUMNS, (at + 1) * FINISH_COLUMNS);
      const text = WITH_LINE.includes(row[1]) ? lines[line++] : "";
      const content = row[1] === Finish.COMPLETE_BYTES ? bytes[blob++] : Buffer.alloc(0);
      try {
        this.send(row, text, content);
      } catch (error) {
        this.refused(job, row[1], row[2], error);
      }
    }
  }
}

module.exports = Finishes;
