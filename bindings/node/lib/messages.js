"use strict";
// Messages between members: their options, and received messages.

const { invalid, millisecondsOf, nameOf, optionsOf, wholeOf } = require("./check.js");
const { classes, errorOf } = require("./errors.js");
const { Code, contentOf, parsed } = require("./wire.js");

/** The events to which a member subscribes when it has the first listener of them. */
const SUBSCRIBABLE = Object.freeze(["message", "kill", "member"]);

/** The limit of process ids, and of counts of members. */
const MAX_NUMBER = 2 ** 32 - 1;

/** The longest wait, in milliseconds. */
const MAX_LIMIT = 365 * 86_400_000;

/** What a sender waits for. */
const Wants = Object.freeze({ NOTHING: 0, ACKNOWLEDGED: 1, REQUEST: 2 });

/** A received message. */
class Message {
  /** The payload as it was sent: JSON text, or a Buffer. */
  #content;
  /** The native half; collected with this object. */
  #request;
  #serialize;

  constructor(content, from, request, { _serialize: serialize, _parse: parse }) {
    this.#content = content;
    this.#serialize = serialize;
    /** The payload: a value parsed from JSON, or a Buffer if it was sent as bytes; or what the option `parse` makes of it. */
    this.payload = undefined;
    if (parse === undefined) this.payload = typeof content === "string" ? parsed(content) : content;
    else readLater(this, parse, content);
    /** The sender: `{ incarnation, name, group, host, pid }`. */
    this.from = from;
    this.#request = request;
  }

  /** The payload's bytes as they were sent, JSON or not. */
  get payloadBytes() {
    return Buffer.from(this.#content);
  }

  /** Whether the sender waits for a reply. */
  get wantsReply() {
    return this.#request !== undefined;
  }

  /** Queues a reply; only the first reply counts. Returns false if the member is closed, which may happen before its last messages are emitted. */
  reply(payload) {
    if (this.#request === undefined) throw invalid("the sender of this message does not wait for a reply");
    const failure = this.#request.reply(messageOf(payload, "reply", this.#serialize));
    if (!failure) return true;
    const error = errorOf(failure.number, failure.message);
    if (error instanceof classes.ClosedError) return false;
    throw error;
  }
}

/** A message to send, in the format of the native side. */
function sending(to, payload, options, serialize) {
  const { acknowledged, request, toSelf = false } = optionsOf(options, ["acknowledged", "request", "toSelf"], "send");
  const limits = { acknowledged: limitOf("acknowledged", acknowledged), request: limitOf("request", request) };
  if (limits.acknowledged !== undefined && limits.request !== undefined) {
    throw invalid("a message has one limit, acknowledged or request; a reply acknowledges, too");
  }
  const wants = limits.request !== undefined ? Wants.REQUEST : limits.acknowledged !== undefined ? Wants.ACKNOWLEDGED : Wants.NOTHING;
  return [recipientsOf(to), messageOf(payload, "message", serialize), wants, limits.request ?? limits.acknowledged ?? 0, Boolean(toSelf)];
}

/** The recipients: a kind and its names. */
function recipientsOf(to) {
  if (to === "all") return ["all"];
  const object = typeof to === "object" && to !== null;
  const [kind, ...more] = object ? ["group", "name", "member", "pid"].filter((each) => to[each] !== undefined && to[each] !== null) : [];
  const unknown = object && Object.keys(to).find((each) => !["group", "name", "member", "pid", "host"].includes(each));
  if (kind === undefined || more.length > 0 || unknown) {
    throw invalid('a message is for "all", { group }, { name }, { pid, host } or { member }, one of them');
  }
  return kind === "pid" ? [kind, String(wholeOf(to.pid, "pid", 0, MAX_NUMBER)), nameOf(to.host ?? "", "host")] : [kind, nameOf(to[kind], kind)];
}

function limitOf(name, limit) {
  return limit === undefined || limit === null ? undefined : millisecondsOf(limit, name, 1, MAX_LIMIT);
}

/** `undefined` is sent as `null`. */
function messageOf(payload, what, serialize) {
  return contentOf(payload === undefined ? null : payload, what, serialize);
}

/** The number of members to wait for. */
function countOf(count) {
  return wholeOf(count, "count", 0, MAX_NUMBER);
}

/** Reads a received message from a batch. */
function readMessage(code, wantsReply, length, more, incoming, member) {
  const content = code === Code.MESSAGE_JSON ? incoming.text(length) : incoming.bytes(length);
  return new Message(content, JSON.parse(incoming.text(more)), wantsReply === 1 ? incoming.request() : undefined, member);
}

/** Reads the payload at its first use, so that an error of `parse` reaches who uses it. */
function readLater(message, parse, content) {
  const set = (value) => Object.defineProperty(message, "payload", { value, writable: true, enumerable: true, configurable: true });
  Object.defineProperty(message, "payload", {
    get: () => {
      const value = parse(content);
      set(value);
      return value;
    },
    set,
    enumerable: true,
    configurable: true,
  });
}

/** Reads a receipt from a batch; `read` reads the payload of a reply. */
function readReceipt(length, incoming, read) {
  const { recipients, dropped, replies, missing } = JSON.parse(incoming.text(length));
  const replyOf = ([from, shape]) => {
    if (shape === null) return { from, payload: undefined };
    const [size, isText] = shape;
    return { from, payload: read(isText ? incoming.text(size) : incoming.bytes(size)) };
  };
  return { recipients, dropped, replies: replies.map(replyOf), missing };
}

module.exports = { SUBSCRIBABLE, countOf, readMessage, readReceipt, recipientsOf, sending };
