"use strict";
// What is too large for one message of the core: it goes as parts, and then what says how many they were.

const { MAX_MESSAGE } = require("./address.js");

/** Largest message of the core, in bytes. */
const MAX_PART = 64 * 1024;

/** Begins each part: the number of the attempt to send them, so that those of two attempts do not mix. In bytes. */
const HEAD = 4;

/** What to send for these bytes, which are JSON; only the last is JSON then, too. */
function split(bytes, attempt) {
  if (bytes.length <= MAX_PART) return [bytes];
  const head = Buffer.alloc(HEAD);
  head.writeUInt32BE(attempt);
  const messages = [];
  for (let at = 0; at < bytes.length; at += MAX_PART - HEAD) {
    messages.push(Buffer.concat([head, bytes.subarray(at, at + MAX_PART - HEAD)]));
  }
  messages.push(Buffer.from(JSON.stringify({ attempt, parts: messages.length })));
  return messages;
}

/** Those that have come from one sender, of its last attempt. They come in order, and once. */
class Parts {
  constructor() {
    this.clear();
  }

  clear(attempt) {
    this.attempt = attempt;
    this.list = [];
    this.size = 0;
  }

  add(message) {
    if (!Buffer.isBuffer(message) || message.length < HEAD) return;
    const attempt = message.readUInt32BE(0);
    if (attempt !== this.attempt) this.clear(attempt);
    const part = message.subarray(HEAD);
    // Without it they are not all there.
    if (this.size + part.length > MAX_MESSAGE) return;
    this.list.push(part);
    this.size += part.length;
  }

  /** Takes out the bytes for which `last` stands; undefined if some are missing. */
  take(last) {
    if (last.parts === undefined) return last;
    const all = last.attempt === this.attempt && last.parts === this.list.length;
    const whole = all ? JSON.parse(Buffer.concat(this.list)) : undefined;
    this.clear();
    return whole;
  }
}

module.exports = { Parts, split };
