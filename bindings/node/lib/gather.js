"use strict";
// Gathers the calls made in one turn of the event loop, so that they cross to the native side together.

const { classes } = require("./errors.js");

/** Sent at once when a batch has this many items, so that Redis works while more are gathered. */
const MAX_ITEMS = 1024;

/** The same for the size of their contents, in characters and bytes. */
const MAX_SIZE = 1 << 20;

/**
 * Calls of one kind on their way. `send(items, settle)` sends the items of one or many calls; each call is answered
 * with its own part.
 */
class Gather {
  constructor(send) {
    this.send = send;
    this.calls = [];
    this.items = 0;
    this.size = 0;
    this.scheduled = false;
    this.flush = this.flush.bind(this);
  }

  /** Adds a call with `items`, whose contents have `size`; `settle(error, results)` hears of it. */
  push(items, size, settle) {
    this.calls.push({ items, settle });
    this.items += items.length;
    this.size += size;
    if (this.items >= MAX_ITEMS || this.size >= MAX_SIZE) {
      this.flush();
    } else if (!this.scheduled) {
      this.scheduled = true;
      // Runs after the microtasks of this turn, so adds that follow each other by `await` gather too.
      process.nextTick(this.flush);
    }
  }

  flush() {
    this.scheduled = false;
    if (this.calls.length === 0) return;
    const calls = this.calls;
    this.calls = [];
    this.items = 0;
    this.size = 0;
    this.sendCalls(calls);
  }

  sendCalls(calls) {
    const items = calls.length === 1 ? calls[0].items : calls.flatMap((call) => call.items);
    const answered = (error, results, flags) => {
      if (error && calls.length > 1 && isRefusal(error)) {
        // Nothing was sent, because of one of them: let each call have its own answer.
        for (const call of calls) this.sendCalls([call]);
        return;
      }
      let from = 0;
      for (const { items, settle } of calls) {
        if (error) settle(error);
        else settle(null, results, flags, from);
        from += items.length;
      }
    };
    try {
      this.send(items, answered);
    } catch (error) {
      process.nextTick(answered, error);
    }
  }
}

/** Whether the core refuses arguments, which it does before it sends anything. */
function isRefusal(error) {
  return error instanceof classes.InvalidArgumentError || error instanceof classes.TooLargeError;
}

module.exports = Gather;
