"use strict";
// systemMessage of clients and workers.

const { call } = require("../lib/callbacks.js");
const { MAX_MESSAGE } = require("./address.js");
const { disconnected, tooLarge } = require("./errors.js");

/** What is around a message, in bytes, at most. */
const ENVELOPE = 256;

/** Sends `msg` by way of `peer`. `cb(err, answer)` is called when every recipient has it, or is gone. */
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

/** The message as it is now, because the program may change it before it is sent. */
function textOf(msg) {
  const text = JSON.stringify(msg) ?? "null";
  const size = Buffer.byteLength(text) + ENVELOPE;
  if (size > MAX_MESSAGE) throw tooLarge("message", size, MAX_MESSAGE);
  return text;
}

module.exports = systemMessage;
