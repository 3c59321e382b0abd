"use strict";
// Splits data that is too large for one message of the core into parts, followed by a message with their number.

/** The largest message of the core, in bytes. */
const MAX_PART = 64 * 1024;

/** The bytes at the start of each part: the number of the attempt to send them, so that the parts of two attempts are not mixed. */
const HEAD = 4;

/** The largest data that is reassembled, in bytes. */
const MAX_WHOLE = 16 * 1024 * 1024;

/** The limit of bytes of parts kept of all senders together: more than correct senders have under way. */
const MAX_KEPT = 4 * MAX_WHOLE;

/** The limit of senders that are remembered. */
const MAX_SENDERS = 1000;

/** The interval in milliseconds after which parts are dropped if no more have arrived: their sender is gone. */
const LOOK = 30_000;

/** Splits bytes into parts. The message that follows them is `{ attempt, parts }`. */
function split(bytes, attempt) {
  const head = Buffer.alloc(HEAD);
  head.writeUInt32BE(attempt);
  const parts = [];
  for (let at = 0; at < bytes.length; at += MAX_PART - HEAD) {
    parts.push(Buffer.concat([head, bytes.subarray(at, at + MAX_PART - HEAD)]));
  }
  return parts;
}

/** Parts that have arrived, by sender. */
class Parts {
  constructor() {
    /** The parts of the last attempt of each sender, in order and without duplicates; the most recent sender is last. */
    this.senders = new Map();
    this.size = 0;
    this.timer = undefined;
  }

  /** Keeps a part. Other messages are ignored. */
  add(sender, message) {
    if (!Buffer.isBuffer(message) || message.length < HEAD) return;
    const attempt = message.readUInt32BE(0);
    let kept = this.senders.get(sender);
    if (kept?.attempt !== attempt) {
      this.drop(sender);
      kept = { attempt, list: [], size: 0, looks: 0 };
    }
    this.senders.delete(sender);
    this.senders.set(sender, kept);
    kept.looks = 0;
    const part = message.subarray(HEAD);
    // If it is dropped, the data is incomplete and is not delivered.
    if (kept.size + part.length <= MAX_WHOLE) {
      kept.list.push(part);
      kept.size += part.length;
      this.size += part.length;
    }
    while (this.size > MAX_KEPT || this.senders.size > MAX_SENDERS) this.drop(this.senders.keys().next().value);
    this.timer ??= setInterval(() => this.look(), LOOK).unref();
  }

  /** Removes and returns the bytes of a sender's parts; undefined if some are missing. */
  take(sender, { attempt, parts }) {
    const kept = this.senders.get(sender);
    this.drop(sender);
    return kept !== undefined && kept.attempt === attempt && kept.list.length === parts ? Buffer.concat(kept.list) : undefined;
  }

  drop(sender) {
    this.size -= this.senders.get(sender)?.size ?? 0;
    this.senders.delete(sender);
  }

  /** Drops the parts of senders that are gone. */
  look() {
    for (const [sender, kept] of [...this.senders]) if (++kept.looks > 1) this.drop(sender);
    if (this.senders.size === 0) this.close();
  }

  close() {
    clearInterval(this.timer);
    this.timer = undefined;
  }
}

module.exports = { MAX_PART, MAX_WHOLE, Parts, split };
