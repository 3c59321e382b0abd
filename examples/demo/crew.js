"use strict";
// The workers of one cluster: starts their processes and keeps the record of what they say on stdout, a line per event:
//
//   ready                           registered with the cluster
//   holding                         was asked to hold, and does so from now on
//   start <job> <fence> <crashes>    was given the job; so many workers died while they ran it
//   done <job> <fence>              the cluster accepted the end of the job
//   refused <job> <fence> <why>     it did not
//   stop <job> <fence>              was asked to stop the work of the job
//
// On stdin they take the command `hold`: keep the jobs that come, until they are deleted. When stdin ends they leave the cluster.

const { spawn } = require("node:child_process");
const { EventEmitter } = require("node:events");
const path = require("node:path");
const { createInterface } = require("node:readline");

const COMMANDS = {
  c: () => [process.env.DEMO_WORKER_C],
  python: () => [process.env.DEMO_PYTHON, path.join(__dirname, "worker.py")],
  node: () => [process.execPath, path.join(__dirname, "worker.js")],
};

/** One worker process. */
class Hand {
  constructor(name, child) {
    this.name = name;
    this.child = child;
    this.ready = false;
    this.holding = false;
    this.killed = false;
    this.left = false;
    this.dismissed = false;
    /** The jobs it was given and has not ended, by their ids. */
    this.inHand = new Map();
    /** How many ends of jobs the cluster accepted from it. */
    this.accepted = 0;
  }

  hold() {
    this.child.stdin.write("hold\n");
  }
}

class Crew extends EventEmitter {
  /** `slots` is how many jobs a worker holds at most, 0 for any number; `lease` is in milliseconds. */
  constructor(cluster, { slots, lease }) {
    super();
    this.arguments = [cluster, String(slots), String(lease)];
    this.hands = [];
    /** Every execution of every job, by job: `{ hand, fence, crashes, at }`. */
    this.runs = new Map();
    /** How many ends the cluster accepted, by job. */
    this.ends = new Map();
    /** What the cluster refused, as the workers put it. */
    this.refused = [];
    this.ending = new AbortController();
  }

  /** Aborts when the demo cannot go on; its reason says why. */
  get signal() {
    return this.ending.signal;
  }

  /** Starts a worker; `until` tells when it is ready. */
  start(language, name = language) {
    const [command, ...first] = COMMANDS[language]();
    // Detached: an interrupt from the terminal is for the demo, which then ends its workers.
    const child = spawn(command, [...first, ...this.arguments], { stdio: ["pipe", "pipe", "inherit"], detached: true });
    const hand = new Hand(name, child);
    this.hands.push(hand);
    child.stdin.on("error", () => {});
    child.on("error", (error) => this.fail(new Error(`${name} cannot be started: ${error.message}`)));
    createInterface({ input: child.stdout }).on("line", (line) => this.received(hand, line));
    hand.ended = new Promise((resolve) => {
      child.on("close", (code, signal) => {
        hand.left = true;
        resolve();
        if (!hand.killed && !(hand.dismissed && code === 0)) this.fail(new Error(`${name} ended with ${signal ?? `status ${code}`}`));
        this.emit("news");
      });
    });
    return hand;
  }

  received(hand, line) {
    const [event, job, fence, detail] = line.split(" ");
    if (event === "ready" || event === "holding") {
      hand[event] = true;
    } else if (event === "start") {
      const run = { hand, fence: Number(fence), crashes: Number(detail), at: performance.now() };
      hand.inHand.set(job, run);
      if (!this.runs.has(job)) this.runs.set(job, []);
      this.runs.get(job).push(run);
    } else if (event === "done") {
      hand.inHand.delete(job);
      hand.accepted += 1;
      this.ends.set(job, (this.ends.get(job) ?? 0) + 1);
    } else if (event === "refused") {
      hand.inHand.delete(job);
      this.refused.push(line);
    } else if (event === "stop") {
      hand.inHand.delete(job);
    }
    this.emit("news");
  }

  /** The executions that began after their worker before them had died. */
  recovered() {
    return [...this.runs.values()].flatMap((runs) => runs.filter((run) => run.crashes > 0));
  }

  /** Whether every execution of every job had a larger fence than the one before. */
  fencesGrow() {
    return [...this.runs.values()].every((runs) => runs.every((run, i) => i === 0 || run.fence > runs[i - 1].fence));
  }

  /** Waits until `condition` holds; it is looked at again after every event. */
  until(condition, what, seconds = 30) {
    return new Promise((resolve, reject) => {
      const look = () => {
        if (this.signal.aborted) settle(reject, this.signal.reason);
        else if (condition()) settle(resolve);
      };
      const late = () => settle(reject, new Error(`waited ${seconds} s for ${what}`));
      const timer = setTimeout(late, seconds * 1000);
      const settle = (how, value) => {
        clearTimeout(timer);
        this.off("news", look);
        how(value);
      };
      this.on("news", look);
      look();
    });
  }

  /** The demo cannot go on. */
  fail(error) {
    this.ending.abort(error);
    this.emit("news");
  }

  /** kill -9: the worker has no chance to say a word. Gives the time of it. */
  kill(hand) {
    hand.killed = true;
    const at = performance.now();
    hand.child.kill("SIGKILL");
    return at;
  }

  /** Lets all workers leave the cluster, and waits until they have. */
  async dismiss() {
    const leaving = this.hands.filter((hand) => !hand.killed);
    for (const hand of leaving) {
      hand.dismissed = true;
      hand.child.stdin.end();
    }
    for (const hand of leaving) await this.until(() => hand.left, `${hand.name} to leave`);
  }

  /** Ends whatever still runs. */
  async clear() {
    for (const hand of this.hands) this.kill(hand);
    await Promise.all(this.hands.map((hand) => hand.ended));
  }
}

module.exports = Crew;
