"use strict";
// A bar with the counts of each worker: one line drawn anew on a terminal, else a line for every tenth.

/** Of the bar, in characters. */
const WIDEST = 30;
const NARROWEST = 10;
/** Milliseconds between two drawings of the line. */
const PAUSE = 40;

class Progress {
  constructor(total, crew) {
    this.total = total;
    this.crew = crew;
    this.terminal = process.stdout.isTTY;
    this.drawn = -Infinity;
    this.tenth = 0;
    this.draw = this.draw.bind(this);
    crew.on("news", this.draw);
  }

  line() {
    const done = this.crew.ends.size;
    const share = done / this.total;
    const counts = this.crew.hands.map((hand) => `${hand.name} ${hand.accepted}${hand.killed ? " killed" : ""}`);
    const text = `${String(Math.floor(share * 100)).padStart(3)} %  ${done}/${this.total}  ${counts.join("  ")}`;
    // Within the width of the terminal: a line that wraps could not be drawn anew.
    const room = (this.terminal && process.stdout.columns) || Infinity;
    const width = Math.min(WIDEST, Math.max(NARROWEST, room - text.length - 4));
    return `[${"#".repeat(Math.round(share * width)).padEnd(width, "-")}] ${text}`.slice(0, room - 1);
  }

  draw() {
    if (this.terminal) {
      const now = performance.now();
      if (now - this.drawn < PAUSE) return;
      this.drawn = now;
      process.stdout.write(`\r\x1b[K${this.line()}`);
    } else {
      const tenth = Math.floor((this.crew.ends.size / this.total) * 10);
      if (tenth <= this.tenth) return;
      this.tenth = tenth;
      console.log(this.line());
    }
  }

  /** Prints a line of text between two states of the bar. */
  say(text) {
    if (this.terminal) process.stdout.write(`\r\x1b[K${this.line()}\n`);
    console.log(text);
    this.drawn = -Infinity;
  }

  end() {
    this.crew.off("news", this.draw);
    if (this.terminal) process.stdout.write(`\r\x1b[K${this.line()}\n`);
  }
}

module.exports = Progress;
