"use strict";
// Gathers the jobs finished in one turn of the event loop, so that they cross to the native side together.

const { FINISH_COLUMNS, Outgoing } = require("./wire.js");

/** Sent at once when so many are gathered. */
const MAX_ROWS = 1024;

/** The same for the size of their contents, in characters and bytes. */
const MAX_SIZE = 1 << 20;

class Finishes {
  /** `send(rows, text, bytes)` takes what was gathered. */
  constructor(send) {
    this.send = send;
    this.rows = new Float64Array(MAX_ROWS * FINISH_COLUMNS);
    this.used = 0;
    this.contents = new Outgoing();
    this.scheduled = false;
    this.flush = this.flush.bind(this);
  }

  /** `content` is a line of JSON, bytes, or undefined for a finish that has none. */
  push(fence, kind, content, token) {
    const at = this.used * FINISH_COLUMNS;
    this.rows[at] = fence;
    this.rows[at + 1] = kind;
    this.rows[at + 2] = token;
    this.used += 1;
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
    const { contents } = this;
    const rows = this.rows.subarray(0, this.used * FINISH_COLUMNS);
    this.used = 0;
    this.send(rows, contents.text, contents.allBytes);
    contents.clear();
  }
}

module.exports = Finishes;
