"use strict";
// Parts of one program, which meet under a port of their own.

const { randomInt } = require("node:crypto");
const path = require("node:path");
const support = require("../support.js");
const proletariat = require("../../proletariat");

/** A silent part is gone after so many milliseconds. */
const LEASE = 3000;

class Parts {
  constructor(t, options = {}) {
    this.t = t;
    this.options = { port: randomInt(2 ** 31), lease: LEASE, ...options };
  }

  client(options) {
    const client = new proletariat.Client({ ...this.options, ...options });
    support.atEnd(this.t, () => client.close());
    return client;
  }

  /** A worker with this listener of `work`, started. */
  worker(work, options) {
    const worker = new proletariat.Worker({ ...this.options, ...options });
    support.atEnd(this.t, () => worker.stop());
    if (work) worker.on("work", work);
    worker.start();
    return worker;
  }

  /** A manager with a list of its events, started. */
  manager(options) {
    const manager = new proletariat.Manager({ ...this.options, ...options });
    support.atEnd(this.t, () => manager.stop());
    manager.seen = [];
    for (const event of ["receive", "finish", "abort", "giveup", "assigntimeout", "sysmsg", "cleanup"]) {
      manager.on(event, (...args) => manager.seen.push([event, ...structuredClone(args)]));
    }
    manager.start();
    return manager;
  }

  /** A program in a process of its own, with `proletariat` and `options`. */
  program(source) {
    const head = `const proletariat = require(${JSON.stringify(path.join(__dirname, "../../proletariat"))});
const options = ${JSON.stringify(this.options)};\n`;
    return new support.Program(this.t, head + source);
  }
}

/** Resolves once the manager knows so many workers and clients. */
function knows(manager, workers, clients) {
  const count = (records) => Object.keys(records).length;
  return support.until(() => count(manager.workers) === workers && count(manager.clients) === clients, `the manager knows ${workers} and ${clients}`);
}

/** The events of a manager with this name, without it. */
function seen(manager, event) {
  return manager.seen.filter(([name]) => name === event).map(([, ...args]) => args);
}

/** Resolves once the client may push works. */
const connected = (client) => support.until(() => client._peer.connected, "the client is connected");

/** Resolves once works are assigned to the worker. */
const takes = (worker) => support.until(() => worker._slots?.pool.incarnation, "the worker takes works");

module.exports = { ...support, LEASE, Parts, connected, knows, proletariat, seen, takes };
