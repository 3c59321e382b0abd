"use strict";
// Received system messages: reassembled from parts, and emitted once. The senders are notified whether that was possible.

const { emit } = require("../lib/callbacks.js");
const { Parts } = require("../lib/parts.js");
const { isObject } = require("../lib/shapes.js");

/** The limit of senders that are remembered, so that a repeated message is not emitted again. */
const SENDERS = 1000;

class Receiver {
  constructor(peer) {
    this.peer = peer;
    /** The last message of each sender, by its id; the most recent sender is last. */
    this.lasts = new Map();
    this.parts = new Parts();
  }

  /** Processes a message of the core. */
  take(message) {
    if (message.wantsReply) this.end(message);
    else this.parts.add(message.from.name, message.payload);
  }

  /** The last of the core's messages for one system message. */
  end(message) {
    const { name } = message.from;
    const whole = this.wholeOf(name, message.payload);
    // A sender repeats a message when it cannot determine whether the message was sent.
    if (whole !== undefined && whole.id !== this.lasts.get(name)) {
      this.remember(name, whole.id);
      emit(this.peer, "message", whole.content, name);
    }
    message.reply(whole !== undefined);
  }

  /** `{ id, content }`; undefined if parts are missing, or if it is a message of another program. */
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
