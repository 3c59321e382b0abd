"use strict";
// System messages as they arrive: put together if they came in parts, and told once; their senders hear whether that was possible.

const { emit } = require("../lib/callbacks.js");
const { Parts } = require("./parts.js");

/** Senders that are remembered, so that what they send again is not told again. */
const SENDERS = 1000;

/** Parts are dropped when no more came between two looks, so far apart, in milliseconds: their sender is gone. */
const LOOK = 30_000;

class Hearing {
  constructor(peer) {
    this.peer = peer;
    /** By id, those that were heard last behind the others. */
    this.senders = new Map();
    this.timer = undefined;
  }

  /** Takes a message of the core. */
  take(message) {
    const sender = this.senderOf(message.from.name);
    if (message.wantsReply) return this.end(message, sender);
    sender.parts.add(message.payload);
    sender.looks = 0;
    this.timer ??= setInterval(() => this.look(), LOOK);
  }

  /** The last of the messages of the core for one. */
  end(message, sender) {
    let whole;
    try {
      whole = sender.parts.take(JSON.parse(message.payload));
    } catch {
      // What some other program means by it is not known here.
    }
    // One is sent again when its sender cannot know whether it was sent.
    if (whole !== undefined && whole.id !== sender.last) {
      sender.last = whole.id;
      emit(this.peer, "message", whole.content, message.from.name);
    }
    message.reply(whole !== undefined);
  }

  senderOf(id) {
    const sender = this.senders.get(id) ?? { last: undefined, parts: new Parts(), looks: 0 };
    this.senders.delete(id);
    this.senders.set(id, sender);
    if (this.senders.size > SENDERS) this.senders.delete(this.senders.keys().next().value);
    return sender;
  }

  /** Keeps nothing of senders that are gone. */
  look() {
    const begun = [...this.senders.values()].filter(({ parts }) => parts.size > 0);
    for (const sender of begun) if (++sender.looks > 1) sender.parts.clear();
    if (begun.length === 0) this.close();
  }

  close() {
    clearInterval(this.timer);
    this.timer = undefined;
  }
}

module.exports = Hearing;
