"use strict";
// System messages on their way: one after the other, so that they keep their order whatever happens to the connection.

const { randomBytes } = require("node:crypto");
const { classes } = require("../lib/errors.js");
const { YEAR } = require("./numbers.js");
const { split } = require("./parts.js");
const { isTransient } = require("./transient.js");

/** Without recipients, so it is answered when it is sent, and with it all that was submitted before. */
const NOBODY = { member: "nobody" };

class Sending {
  constructor(peer) {
    this.peer = peer;
    /** In 32 bits. */
    this.attempts = 0;
    /** Until the last one is in the inboxes. */
    this.last = Promise.resolve();
  }

  /** Sends JSON; gives `{ id, sentTo, receivedBy }` when all have it or are gone, nothing if this peer closes before. */
  async send(to, text) {
    const id = randomBytes(8).toString("hex");
    const bytes = Buffer.from(`{"id":"${id}","content":${text}}`);
    const put = (this.last = this.last.then(() => this.put(to, bytes)));
    try {
      const receipt = await (await put).answered;
      if (receipt === undefined) return undefined;
      const { recipients, dropped, replies } = receipt;
      return { id, sentTo: recipients.length + dropped, receivedBy: replies.filter(({ payload }) => payload === true).length };
    } catch (error) {
      if (error instanceof classes.ClosedError) return undefined;
      // Nobody can be called so.
      if (error instanceof classes.InvalidArgumentError || error instanceof classes.TooLargeError) return { id, sentTo: 0, receivedBy: 0 };
      throw error;
    }
  }

  /** Puts bytes into the inboxes, however long it takes; gives the receipt to come, as `answered`. Never fails. */
  async put(to, bytes) {
    const { peer } = this;
    while (!peer.closing) {
      let failure;
      this.attempts = (this.attempts + 1) >>> 0;
      const messages = split(bytes, this.attempts);
      const sends = messages.map((message, i) => {
        const isLast = i === messages.length - 1;
        // Until all have replied or are gone.
        return peer.inbox.send(to, message, { request: isLast ? YEAR : undefined, toSelf: to.name !== undefined });
      });
      for (const send of sends) send.catch((error) => (failure ??= error));
      await peer.ask(() => peer.inbox.send(NOBODY, null));
      if (failure === undefined || !isTransient(failure, false)) return { answered: sends.at(-1) };
    }
    return { answered: undefined };
  }
}

module.exports = Sending;
