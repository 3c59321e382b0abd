"use strict";
// A master's choice of the workers of waiting jobs: who is asked, and what becomes of the answers.

const { rethrow } = require("./callbacks.js");
const { classes, isRefusal } = require("./errors.js");
const { jobOf } = require("./infos.js");

class Chooser {
  constructor(master) {
    this.master = master;
    /** Who is asked now, and the token of the call that is waited for; null if nobody is. */
    this.current = null;
    /** Whether such a call is under way; it does not keep the process alive. */
    this.waits = false;
    this.stops = 0;
    this.turn = Promise.resolve();
  }

  /** Asks `choose` from now on. If Redis does not answer, no function is asked; with bad arguments, the previous one still is. */
  start(choose, within, tasks) {
    const { stops } = this;
    return this.inTurn(async () => {
      // What is to be chosen in another way is nothing for the one before.
      let asked = this.halt()?.choose;
      try {
        await this.call("startChoosing", within, tasks);
        asked = choose;
      } catch (error) {
        if (!isRefusal(error)) {
          asked = undefined;
          await this.call("stopChoosing").catch(() => {});
        }
        throw error;
      } finally {
        if (asked !== undefined && stops === this.stops) this.ask(asked);
      }
    });
  }

  stop() {
    this.end();
    return this.inTurn(() => this.call("stopChoosing"));
  }

  /** Nobody is asked any more, also not by a start that is under way. */
  end() {
    this.stops += 1;
    this.halt();
  }

  /** One after the other, because the native side runs calls concurrently. */
  inTurn(begin) {
    const done = this.turn.then(begin);
    this.turn = done.catch(() => {});
    return done;
  }

  call(method, ...args) {
    return new Promise((resolve, reject) => {
      this.master._native_(method, (error) => (error ? reject(error) : resolve()), ...args);
    });
  }

  /** Nobody is asked, until the next start; gives who was. */
  halt() {
    const { current, master } = this;
    this.current = null;
    if (current !== null && master._calls.has(current.token)) {
      this.waits = false;
      master._forget(current.token);
      master._native?.cancel(current.token);
    }
    return current;
  }

  async ask(choose) {
    const asked = { choose, token: 0 };
    this.current = asked;
    try {
      while (this.current === asked) {
        await this.wait(asked, "choices");
        await this.chooseEach(asked);
        if (this.current !== asked) return;
        await this.wait(asked, "assign").catch((error) => {
          // What is still to be chosen is shown again.
          if (!error.retryable) throw error;
        });
      }
    } catch (error) {
      if (this.current !== asked) return;
      this.current = null;
      if (error instanceof classes.ClosedError) return;
      this.inTurn(() => this.current === null && this.call("stopChoosing")).catch(() => {});
      this.master._complain(error);
    }
  }

  /** An answer to the one who is asked; it never comes when that is over. */
  wait(asked, method) {
    return new Promise((resolve, reject) => {
      this.waits = true;
      const settle = (error, value) => {
        this.waits = false;
        if (error) reject(error);
        else resolve(value);
      };
      try {
        asked.token = this.master._native_(method, settle);
      } catch (error) {
        settle(error);
      }
    });
  }

  /** Asks for each job that some worker has room for, until somebody else is asked. */
  async chooseEach(asked) {
    while (this.current === asked) {
      const question = this.master._native.nextChoice();
      if (question === null) return;
      const { job, workers } = JSON.parse(question);
      let shown, chosen;
      try {
        shown = jobOf(job, this.master._parse);
        const answer = asked.choose.call(undefined, shown, workers);
        chosen = incarnationOf(typeof answer?.then === "function" ? await answer : answer);
      } catch (error) {
        rethrow(error);
        continue;
      }
      // If it is none of the workers, the job waits.
      if (chosen !== null && this.current === asked) this.master._native.choose(chosen);
    }
  }
}

/** What `choose` answered: the incarnation of a worker, or null. */
function incarnationOf(answer) {
  const incarnation = answer?.incarnation ?? answer ?? null;
  if (incarnation === null || typeof incarnation === "string") return incarnation;
  throw new classes.InvalidArgumentError("choose answers one of the workers, its incarnation, or null");
}

module.exports = Chooser;
