"use strict";
// Messages between processes. Large ones are sent in parts.

const { classes } = require("../lib/errors.js");
const { MAX_PART, MAX_WHOLE, Parts, split } = require("../lib/parts.js");
const { isObject, pidOf } = require("../lib/shapes.js");

class Messages {
  constructor(member) {
    this.member = member;
    this.parts = new Parts();
    /** A counter of 32 bits. */
    this.attempts = 0;
  }

  /** Sends a message; returns the receipt of the core. Later messages keep their order behind it, whatever its size. */
  async send(to, message, options) {
    const bytes = Buffer.from(JSON.stringify(message));
    if (bytes.length <= MAX_PART) return this.member.send(to, message, options);
    if (bytes.length > MAX_WHOLE) {
      throw new classes.TooLargeError(`the message has ${bytes.length} bytes, the limit is ${MAX_WHOLE}`);
    }
    const attempt = (this.attempts = (this.attempts + 1) >>> 0);
    const { toSelf } = options ?? {};
    const parts = split(bytes, attempt);
    const sends = parts.map((part) => this.member.send(to, part, { toSelf }));
    sends.push(this.member.send(to, { channel: "parts", attempt, parts: parts.length }, options));
    return (await Promise.all(sends)).at(-1);
  }

  /** Parses a received message, as `{ channel, meta, data }`; undefined for a part, and for messages of other programs. */
  read({ payload, from }) {
    const { incarnation } = from;
    if (Buffer.isBuffer(payload)) {
      this.parts.add(incarnation, payload);
      return undefined;
    }
    if (!isObject(payload)) return undefined;
    if (payload.channel !== "parts") return checked(payload);
    try {
      const whole = this.parts.take(incarnation, payload);
      return whole && checked(JSON.parse(whole));
    } catch {
      // Bytes of another program.
      return undefined;
    }
  }
}

function checked(message) {
  if (!isObject(message) || !isObject(message.meta) || typeof message.channel !== "string") return undefined;
  const { channel, meta, data } = message;
  const pid = pidOf(meta.pid);
  if (pid === undefined || typeof meta.group !== "string" || meta.group === "") return undefined;
  return { channel, meta: { pid, group: meta.group }, data };
}

/** The reply of a master with the registered processes; undefined if it is not valid. */
function infoOf(answer) {
  const message = checked({ ...(isObject(answer) ? answer : {}), channel: "" });
  if (message === undefined || !isObject(message.data)) return undefined;
  const lists = Object.values(message.data);
  if (!lists.every((pids) => Array.isArray(pids) && pids.every((pid) => pidOf(pid) !== undefined))) return undefined;
  return { meta: message.meta, data: message.data };
}

module.exports = { Messages, infoOf };
