"use strict";
// System messages on their way: one after the other, so that they keep their order even if the connection is lost.

const { randomBytes } = require("node:crypto");
const { classes } = require("../lib/errors.js");
const { MAX_PART, split } = require("../lib/parts.js");
const { YEAR } = require("./numbers.js");
const { isTransient } = require("./transient.js");

/** A message without recipients: it is answered when it is sent, with everything that was submitted before. */
const NOBODY = { member: "nobody" };

/** The receipt if there are no destinations. */
const NO_RECEIPT = { recipients: [], dropped: 0, replies: [] };

class Sending {
  constructor(peer) {
    this.peer = peer;
    /** A counter of 32 bits. */
    this.attempts = 0;
    /** Resolves when the last message is in the inboxes. */
    this.last = Promise.resolve();
  }

  /**
   * Sends JSON `to` recipients that count, and `besides` to others that do not; resolves with `{ id, sentTo, receivedBy }` when all have received it
   * or are gone, or with undefined if this peer closes before. Either may be undefined.
   */
  async send(to, besides, text) {
    const id = randomBytes(8).toString("hex");
    const bytes = Buffer.from(`{"id":"${id}","content":${text}}`);
    const put = (this.last = this.last.then(() => this.put([to, besides], bytes)));
    try {
      const receipts = await (await put).answered;
      if (receipts === undefined) return undefined;
      const { recipients, dropped, replies } = receipts[0];
      return { id, sentTo: recipients.length + dropped, receivedBy: replies.filter(({ payload }) => payload === true).length };
    } catch (error) {
      if (error instanceof classes.ClosedError) return undefined;
      // No member can have this name.
      if (error instanceof classes.InvalidArgumentError || error instanceof classes.TooLargeError) return { id, sentTo: 0, receivedBy: 0 };
      throw error;
    }
  }

  /**
   * Puts bytes into the inboxes of all destinations; retries as long as necessary. Resolves with the pending receipts, as `answered`. Never fails.
   */
  async put(destinations, bytes) {
    const { peer } = this;
    while (!peer.closing) {
      let failure;
      this.attempts = (this.attempts + 1) >>> 0;
      const messages = this.messagesOf(bytes);
      const last = destinations.map((to) => {
        if (to === undefined) return NO_RECEIPT;
        const sends = messages.map((message, i) => {
          const isLast = i === messages.length - 1;
          // Waits until all have replied or are gone.
          return peer.inbox.send(to, message, { request: isLast ? YEAR : undefined, toSelf: to.name !== undefined });
        });
        for (const send of sends) send.catch((error) => (failure ??= error));
        return sends.at(-1);
      });
      await peer.ask(() => peer.inbox.send(NOBODY, null));
      if (failure === undefined || !isTransient(failure, false)) return { answered: Promise.all(last) };
    }
    return { answered: undefined };
  }

  /** The messages for these bytes of JSON; if there are several, only the last is JSON. */
  messagesOf(bytes) {
    if (bytes.length <= MAX_PART) return [bytes];
    const parts = split(bytes, this.attempts);
    return [...parts, Buffer.from(JSON.stringify({ attempt: this.attempts, parts: parts.length }))];
  }
}

module.exports = Sending;
