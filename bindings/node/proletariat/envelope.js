"use strict";
// What the job of a work carries, besides its options.

const { createHash } = require("node:crypto");

/** A key of similar works that goes as it is, in characters; longer ones, and odd ones, go as a digest. */
const PLAIN_KEY = /^[\x21-\x7e]{1,200}$/;

/** What a client sent. A job that some other program has put into the cluster is a work as it is. */
function envelopeOf(payload) {
  try {
    if (Buffer.isBuffer(payload)) return JSON.parse(payload);
  } catch {
    // Bytes of some other meaning.
  }
  return { w: payload };
}

/** The option `similar` of a work's `_key`. */
function keyOf(original) {
  const key = original?._key;
  if (key === undefined || key === null) return undefined;
  const text = typeof key === "object" ? JSON.stringify(key) : String(key);
  return PLAIN_KEY.test(text) ? text : createHash("sha256").update(text).digest("hex");
}

module.exports = { envelopeOf, keyOf };
