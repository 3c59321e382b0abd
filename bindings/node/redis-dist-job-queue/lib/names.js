"use strict";
// Converts names from users, which may be any text, to names that the core accepts: 1 to 256 bytes without control characters, and for a cluster
// without braces and outer blanks. Different texts have different names.

const { createHash } = require("node:crypto");

const MAX_BYTES = 256;

/** The prefix of a digest that replaces an unusable name. */
const DIGEST = "sha256:";

/** The cluster of a queue. */
function clusterName(text) {
  const name = text.replace(/[%{}\s\p{Cc}]/gu, (character) => Buffer.from(character).toString("hex").replace(/../g, "%$&"));
  // The line above never produces a lone %.
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
