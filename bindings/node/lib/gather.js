"use strict";
// Gathers the calls made in one turn of the event loop, so that they are passed to the native side together.

const { isRefusal } = require("./errors.js");

/** The number of items at which a batch is sent at once, the same as in the core, so that Redis works while more are gathered. */
const MAX_ITEMS = 1000;

/** As `MAX_ITEMS`, for the size of their contents, in characters and bytes. */
const MAX_SIZE = 1 << 20;

/**
 * Calls of one kind. `send(items, settle)` sends the items of one or many calls; each call is answered by `settle(error, results, flags, from)`,
 * where its own results begin at `from`. With `most` 1, each call is sent by itself.
 */
class Gather {
  constructor(send, most = MAX_ITEMS) {
    this.send = send;
    this.most = most;
    this.items = [];
    this.calls = [];
    this.size = 0;
    this.scheduled = false;
    this.flush = this.flush.bind(this);
  }

  /** Adds a call with one item, whose contents have `size`. */
  one(item, size, settle) {
    this.items.push(item);
    this.called(1, size, settle);
  }

  /** Adds a call with many items. */
  many(items, size, settle) {
    for (const item of items) this.items.push(item);
    this.called(items.length, size, settle);
  }

  called(count, size, settle) {
    this.calls.push({ count, settle });
    this.size += size;
    if (this.items.length >= this.most || this.size >= MAX_SIZE) {
      this.flush();
    } else if (!this.scheduled) {
      this.scheduled = true;
      // Runs after the microtasks of this turn, so that adds that follow each other by `await` are gathered, too.
      process.nextTick(this.flush);
    }
  }

  flush() {
    this.scheduled = false;
    if (this.calls.length === 0) return;
    const { items, calls } = this;
    this.items = [];
    this.calls = [];
    this.size = 0;
    this.sendCalls(items, calls);
  }

  sendCalls(items, calls) {
    const answered = (error, results, flags, unsent = false) => {
      const alone = error && calls.length > 1 && (unsent || isRefusal(error));
      let from = 0;
      for (const call of calls) {
        // Nothing was sent because one item is invalid: sends each call by itself, so that each has its own answer.
        if (alone) this.sendCalls(items.slice(from, from + call.count), [call]);
        else if (error) call.settle(error);
        else call.settle(null, results, flags, from);
        from += call.count;
      }
    };
    try {
      this.send(items, answered);
    } catch (error) {
      process.nextTick(answered, error, undefined, undefined, true);
    }
  }
}

module.exports = Gather;
