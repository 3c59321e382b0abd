"use strict";
// What is too large for one message of the core: it goes as parts, and then what says how many they were.

/** Largest message of the core, in bytes. */
const MAX_PART = 64 * 1024;

/** Begins each part: the number of the attempt to send them, so that those of two attempts do not mix. In bytes. */
const HEAD = 4;

/** Largest message that is put together, in bytes. */
const MAX_WHOLE = 16 * 1024 * 1024;

/** Parts kept of all senders together, in bytes: more than any honest senders have under way. */
const MAX_KEPT = 4 * MAX_WHOLE;

/** Senders that are remembered. */
const MAX_SENDERS = 1000;

/** Parts are dropped when no more came between two looks, so far apart, in milliseconds: their sender is gone. */
const LOOK = 30_000;

/** Bytes as parts; what says how many they are is to follow them: `{ attempt, parts }`. */
function split(bytes, attempt) {
  const head = Buffer.alloc(HEAD);
  head.writeUInt32BE(attempt);
  const parts = [];
  for (let at = 0; at < bytes.length; at += MAX_PART - HEAD) {
    parts.push(Buffer.concat([head, bytes.subarray(at, at + MAX_PART - HEAD)]));
  }
  return parts;
}

/** Parts that have come, by sender. */
class Parts {
  constructor() {
    /** What has come of the last attempt of each, in order and once; the most recent last. */
    this.senders = new Map();
    this.size = 0;
    this.timer = undefined;
  }

  /** Keeps a part. What is none is ignored. */
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
    // Without it they are not all there.
    if (kept.size + part.length <= MAX_WHOLE) {
      kept.list.push(part);
      kept.size += part.length;
      this.size += part.length;
    }
    while (this.size > MAX_KEPT || this.senders.size > MAX_SENDERS) this.drop(this.senders.keys().next().value);
    this.timer ??= setInterval(() => this.look(), LOOK).unref();
  }

  /** Takes out the bytes of a sender's parts; undefined if some are missing. */
  take(sender, { attempt, parts }) {
    const kept = this.senders.get(sender);
    this.drop(sender);
    return kept !== undefined && kept.attempt === attempt && kept.list.length === parts ? Buffer.concat(kept.list) : undefined;
  }

  drop(sender) {
    this.size -= this.senders.get(sender)?.size ?? 0;
    this.senders.delete(sender);
  }

  /** Keeps nothing of senders that are gone. */
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
