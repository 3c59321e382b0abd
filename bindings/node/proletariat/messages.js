"use strict";
// The method `systemMessage` of clients and workers.

const { call } = require("../lib/callbacks.js");
const { MAX_MESSAGE } = require("./address.js");
const { disconnected, tooLarge } = require("./errors.js");

/** The limit of bytes around a message. */
const ENVELOPE = 256;

/** Sends `msg` through `peer`. `cb(err, answer)` is called when every recipient has received it, or is gone. */
function systemMessage(peer, msg, opts, cb) {
  if (typeof opts === "function") [opts, cb] = [undefined, opts];
  const answer = typeof cb === "function" ? (...args) => call(cb, ...args) : () => {};
  if (peer === undefined || peer.closing) return void process.nextTick(answer, disconnected());
  let text;
  try {
    text = textOf(msg);
  } catch (error) {
    return void process.nextTick(answer, error);
  }
  peer.sendMessage(opts?.to, text).then((sent) => {
    if (sent === undefined) answer(disconnected());
    else answer(null, { command: "answer", to: "sysmsg", done: true, ...sent });
  }, answer);
}

/** The message in its current state, because the program may change it before it is sent. */
function textOf(msg) {
  const text = JSON.stringify(msg) ?? "null";
  const size = Buffer.byteLength(text) + ENVELOPE;
  if (size > MAX_MESSAGE) throw tooLarge("message", size, MAX_MESSAGE);
  return text;
}

module.exports = systemMessage;
