"use strict";
// The formats of batches between JavaScript and the native addon; the other half is in src/batch.rs and src/outgoing.rs.

const { types } = require("node:util");
const { invalid, shown } = require("./check.js");
const { textOf } = require("./text.js");

/** The first number of an outgoing row. */
const Code = Object.freeze({
  ADD_JSON: 1,
  ADD_BYTES: 2,
  ADD_JSON_MORE: 3,
  ADD_BYTES_MORE: 4,
  DELETE: 5,
  READY: 6,
  CLOSE: 7,
  ERROR: 8,
  DONE: 9,
  FAILED: 10,
  ADDED: 11,
  FLAGS: 12,
  JSON: 13,
  BYTES: 14,
  JOB_FAILED: 15,
  MESSAGE_JSON: 16,
  MESSAGE_BYTES: 17,
  MEMBER: 18,
  RECEIPT: 19,
  KILL: 20,
  COMPLETED: 21,
  ATTEMPT_FAILED: 22,
  EXISTED: 23,
  PROCESS: 30,
  PROCESS_LINE: 31,
});

/** Numbers per outgoing row: code, key (fence or token) and two lengths or values. */
const COLUMNS = 4;

/** How a job is finished, in an incoming row. */
const Finish = Object.freeze({
  COMPLETE: 0,
  COMPLETE_JSON: 1,
  COMPLETE_BYTES: 2,
  FAIL: 3,
  RELEASE: 4,
  STOPPED: 5,
  RETRY: 6,
  FAIL_PERMANENTLY: 7,
  RATE_LIMITED: 8,
});

/** Numbers per row of finishes: fence, kind, token (0: no answer requested). */
const FINISH_COLUMNS = 3;

/** Finishes with a line of text; for bytes the line is their length. */
const WITH_LINE = Object.freeze([Finish.COMPLETE_JSON, Finish.COMPLETE_BYTES, Finish.FAIL, Finish.RETRY, Finish.FAIL_PERMANENTLY, Finish.RATE_LIMITED]);

const NO_BYTES = Buffer.alloc(0);

/** A copy of the bytes of `value`; undefined if it is no bytes. */
function bytesOf(value, what) {
  try {
    if (ArrayBuffer.isView(value)) return Buffer.from(Buffer.from(value.buffer, value.byteOffset, value.byteLength));
    if (types.isAnyArrayBuffer(value)) return Buffer.from(Buffer.from(value));
  } catch (cause) {
    throw invalid(`the bytes of the ${what} cannot be read: ${textOf(cause)}`, cause);
  }
  return undefined;
}

/** `value` as JSON text, which has no line breaks. */
function jsonOf(value, what) {
  let text;
  try {
    text = JSON.stringify(value);
  } catch (cause) {
    throw invalid(`the ${what} cannot be written as JSON: ${textOf(cause)}`, cause);
  }
  if (typeof text !== "string") throw invalid(`the ${what} cannot be written as JSON: it is a ${typeof value}`);
  return text;
}

/** Bytes unchanged, any other value as JSON text, or as what the option `serialize` makes of it: JSON text or bytes. */
function contentOf(value, what, serialize) {
  return bytesOf(value, what) ?? (serialize === undefined ? jsonOf(value, what) : serialized(value, what, serialize));
}

function serialized(value, what, serialize) {
  let content;
  try {
    content = serialize(value);
  } catch (cause) {
    throw invalid(`the ${what} cannot be written: serialize failed: ${textOf(cause)}`, cause);
  }
  if (typeof content !== "string") {
    const bytes = bytesOf(content, what);
    if (bytes === undefined) throw invalid(`serialize returned ${shown(content)} for the ${what}, it must return JSON text or bytes`);
    return bytes;
  }
  try {
    const read = JSON.parse(content);
    // A line of the native side has no line breaks.
    return /[\n\r]/.test(content) ? JSON.stringify(read) : content;
  } catch (cause) {
    throw invalid(`serialize returned text that is not JSON for the ${what}; return bytes for other formats`, cause);
  }
}

/** Parses a value of a program in any language, which may not be valid JSON. */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Lines and bytes of a batch to the native side. */
class Outgoing {
  constructor() {
    this.clear();
  }

  clear() {
    this.lines = [];
    this.bytes = null;
    this.size = 0;
  }

  line(text) {
    this.lines.push(text);
    this.size += text.length;
  }

  blob(bytes) {
    (this.bytes ??= []).push(bytes);
    this.size += bytes.length;
  }

  get text() {
    return this.lines.join("\n");
  }

  get allBytes() {
    return this.bytes === null ? NO_BYTES : Buffer.concat(this.bytes);
  }
}

/** Reads the contents of a batch from the native side, in the order of its rows. */
class Incoming {
  constructor(batch) {
    this.ids = batch.ids.split("\n");
    this.nextId = 0;
    this.allText = batch.text;
    this.nextText = 0;
    this.allBytes = batch.blob;
    this.nextByte = 0;
    this.requests = batch.requests;
    this.nextRequest = 0;
  }

  id() {
    return this.ids[this.nextId++];
  }

  text(length) {
    const start = this.nextText;
    return this.allText.slice(start, (this.nextText = start + length));
  }

  bytes(length) {
    const start = this.nextByte;
    this.nextByte = start + length;
    if (length === 0) return Buffer.alloc(0);
    // A copy, so that a job that is active for long does not keep its whole batch in memory.
    return length === this.allBytes.length ? this.allBytes : Buffer.from(this.allBytes.subarray(start, this.nextByte));
  }

  request() {
    return this.requests[this.nextRequest++];
  }

  /** Of each added job: 0 it is new, 1 it existed, 2 it existed and was replaced. */
  marks(count) {
    return Array.from(this.text(count), Number);
  }

  flags(count) {
    return Array.from(this.text(count), (flag) => flag === "1");
  }
}

module.exports = { Code, COLUMNS, Finish, FINISH_COLUMNS, WITH_LINE, Incoming, Outgoing, contentOf, jsonOf, parsed };
