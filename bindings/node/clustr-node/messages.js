"use strict";
// What processes send to each other. Large ones go in parts.

const { classes } = require("../lib/errors.js");
const { MAX_PART, MAX_WHOLE, Parts, split } = require("../lib/parts.js");
const { isObject, pidOf } = require("../lib/shapes.js");

class Messages {
  constructor(member) {
    this.member = member;
    this.parts = new Parts();
    /** In 32 bits. */
    this.attempts = 0;
  }

  /** Sends one; gives the receipt of the core. What follows keeps its place behind it, however large it is. */
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

  /** Reads what has arrived, as `{ channel, meta, data }`; undefined for a part, and for what no process of the cluster sends. */
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
      // Bytes of some other meaning.
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

/** The answer of a master that was asked who is there; undefined if it is none. */
function infoOf(answer) {
  const message = checked({ ...(isObject(answer) ? answer : {}), channel: "" });
  if (message === undefined || !isObject(message.data)) return undefined;
  const lists = Object.values(message.data);
  if (!lists.every((pids) => Array.isArray(pids) && pids.every((pid) => pidOf(pid) !== undefined))) return undefined;
  return { meta: message.meta, data: message.data };
}

module.exports = { Messages, infoOf };
