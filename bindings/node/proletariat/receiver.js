"use strict";
// System messages as they arrive: put together if they came in parts, and emitted once; their senders get whether that was possible.

const { emit } = require("../lib/callbacks.js");
const { Parts } = require("../lib/parts.js");
const { isObject } = require("../lib/shapes.js");

/** Senders that are remembered, so that what they send again is not emitted again. */
const SENDERS = 1000;

class Receiver {
  constructor(peer) {
    this.peer = peer;
    /** What each sent last, by its id; the most recent last. */
    this.lasts = new Map();
    this.parts = new Parts();
  }

  /** Takes a message of the core. */
  take(message) {
    if (message.wantsReply) this.end(message);
    else this.parts.add(message.from.name, message.payload);
  }

  /** The last of the messages of the core for one. */
  end(message) {
    const { name } = message.from;
    const whole = this.wholeOf(name, message.payload);
    // One is sent again when its sender cannot know whether it was sent.
    if (whole !== undefined && whole.id !== this.lasts.get(name)) {
      this.remember(name, whole.id);
      emit(this.peer, "message", whole.content, name);
    }
    message.reply(whole !== undefined);
  }

  /** `{ id, content }`; undefined if parts are missing, or it is what some other program means by it. */
  wholeOf(name, payload) {
    try {
      let whole = JSON.parse(payload);
      if (isObject(whole) && whole.parts !== undefined) {
        const bytes = this.parts.take(name, whole);
        whole = bytes && JSON.parse(bytes);
      }
      return isObject(whole) && typeof whole.id === "string" ? { id: whole.id, content: whole.content } : undefined;
    } catch {
      return undefined;
    }
  }

  remember(name, id) {
    this.lasts.delete(name);
    this.lasts.set(name, id);
    if (this.lasts.size > SENDERS) this.lasts.delete(this.lasts.keys().next().value);
  }

  close() {
    this.parts.close();
  }
}

module.exports = Receiver;
