"use strict";
// What the job of a work carries, besides its options.

const { createHash } = require("node:crypto");
const { isObject, textOf } = require("../lib/shapes.js");
const { limitOf } = require("./numbers.js");

/** A key of similar works that goes as it is, in characters; longer ones, and odd ones, go as a digest. */
const PLAIN_KEY = /^[\x21-\x7e]{1,200}$/;

/**
 * What a client sent: `{ client, rid, args, isFunction, timeout, knownTo }`. A job that some other program has put into the cluster is a
 * work as it is.
 */
function envelopeOf(payload) {
  const { c, r, w, f, t, m } = sentBy(payload) ?? { w: payload };
  const isFunction = f === 1 && typeof w === "string";
  return { client: textOf(c), rid: textOf(r), args: w, isFunction, timeout: typeof t === "number" ? limitOf(t) : undefined, knownTo: textOf(m) };
}

function sentBy(payload) {
  try {
    const read = Buffer.isBuffer(payload) ? JSON.parse(payload) : undefined;
    return isObject(read) && Object.hasOwn(read, "w") ? read : undefined;
  } catch {
    // Bytes of some other meaning.
    return undefined;
  }
}

/** The option `similar` of a work's `_key`. */
function keyOf(original) {
  const key = original?._key;
  if (key === undefined || key === null) return undefined;
  let text;
  try {
    text = typeof key === "object" ? JSON.stringify(key) : String(key);
  } catch {
    // The work itself cannot be written either, which is said of it then.
    return undefined;
  }
  return PLAIN_KEY.test(text) ? text : createHash("sha256").update(text).digest("hex");
}

module.exports = { envelopeOf, keyOf };
