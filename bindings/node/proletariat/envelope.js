"use strict";
// The payload of the job of a work.

const { createHash } = require("node:crypto");
const { isObject, textOf } = require("../lib/shapes.js");
const { limitOf } = require("./numbers.js");

/** A `_key` that is used unchanged; longer keys and keys with other characters are replaced by a digest. */
const PLAIN_KEY = /^[\x21-\x7e]{1,200}$/;

/** The data from the client: `{ client, rid, args, isFunction, timeout, knownTo }`. The payload of a job of another program is the work itself. */
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
    // Bytes of another program.
    return undefined;
  }
}

/** The unique key for a work's `_key`. */
function keyOf(original) {
  const key = original?._key;
  if (key === undefined || key === null) return undefined;
  let text;
  try {
    text = typeof key === "object" ? JSON.stringify(key) : String(key);
  } catch {
    // The work itself cannot be converted either; that is reported as its error.
    return undefined;
  }
  return PLAIN_KEY.test(text) ? text : createHash("sha256").update(text).digest("hex");
}

module.exports = { envelopeOf, keyOf };
