"use strict";
// systemMessage of clients and workers.

const { call } = require("../lib/callbacks.js");
const { disconnected } = require("./errors.js");

/** Sends `msg` by way of `peer`. `cb(err, answer)` hears when everybody to whom it was sent has it, or is gone. */
function systemMessage(peer, msg, opts, cb) {
  if (typeof opts === "function") [opts, cb] = [undefined, opts];
  const answer = typeof cb === "function" ? (...args) => call(cb, ...args) : () => {};
  if (peer === undefined || peer.closing) return void process.nextTick(answer, disconnected());
  const content = msg === undefined ? null : JSON.parse(JSON.stringify(msg) ?? "null");
  peer.tell(opts?.to, content).then(
    ({ id, sentTo, receivedBy }) => {
      if (peer.closing && receivedBy < Math.max(sentTo, 1)) answer(disconnected());
      else answer(null, { command: "answer", to: "sysmsg", id, done: true, sentTo, receivedBy });
    },
    answer,
  );
}

module.exports = systemMessage;
