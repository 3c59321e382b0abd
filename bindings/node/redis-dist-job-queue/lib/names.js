"use strict";
// Names as users give them, any text, as names that the core takes: 1 to 256 bytes without control characters, and for a
// cluster without braces and outer blanks. Different texts stay different.

const { createHash } = require("node:crypto");

const MAX_BYTES = 256;

/** Marks the digest of a name that cannot be used as it is. */
const DIGEST = "sha256:";

/** The cluster of a queue. */
function clusterName(text) {
  const name = text.replace(/[%{}\s\p{Cc}]/gu, (character) => Buffer.from(character).toString("hex").replace(/../g, "%$&"));
  // A lone % cannot come from the line above.
  return shortened(name || "%");
}

/** A task or a resource. */
function jobName(text) {
  return /\p{Cc}/u.test(text) ? digest(text) : shortened(text);
}

function shortened(name) {
  return Buffer.byteLength(name) > MAX_BYTES || name.startsWith(DIGEST) ? digest(name) : name;
}

function digest(name) {
  return DIGEST + createHash("sha256").update(name).digest("hex");
}

module.exports = { clusterName, jobName };
