"use strict";
// A process of the cluster.

const { call } = require("../lib/callbacks.js");
const { infoOf } = require("./messages.js");
const Part = require("./part.js");

/** How long the master has to say who is there, in milliseconds. */
const INFO_LIMIT = 10_000;

/** Pause before a registration that nobody has received is sent again, in milliseconds. */
const RETRY = 100;

/** Exit code of what ends by SIGTERM. */
const TERMINATED = 15;

class Worker extends Part {
  constructor(config) {
    if (!config?.group) throw new Error("group name is missing");
    super("worker", config, String(config.group));
    this.masterPid = this._options["cluster-master-pid"];
    const own = Object.entries(this._options).filter(([name]) => !name.startsWith("cluster-"));
    this.config = { ...this.config, ...Object.fromEntries(own) };
    this._exitOnKill();
    // Its supervisor's way to end it; alone it ends at once, as any program.
    if (process.env.SWARM_SUPERVISOR_PID === String(process.ppid)) process.on("SIGTERM", () => this._killed(TERMINATED));
  }

  static create(config) {
    return new Worker(config);
  }

  /** Registers with the master, after the option `reloadDelay`. */
  emitReady() {
    setTimeout(() => {
      // Again when the lease was lost, as the master has forgotten this worker then.
      this._member.on("ready", () => this._register());
      if (this._member.incarnation !== "") this._register();
    }, this._reloadDelay);
  }

  /** Once this worker receives, so that nothing is lost that the master's listeners send it; until the master knows it. */
  async _register() {
    if (this.masterPid === undefined) return;
    for (;;) {
      try {
        await this._member.ready();
        const sent = await this._toMaster("registration", null, { acknowledged: INFO_LIMIT });
        if (sent.replies.length > 0) return;
      } catch (error) {
        this._complain(error);
      }
      if (this._ending !== null) return;
      await new Promise((resolve) => setTimeout(resolve, RETRY));
    }
  }

  /** Asks the master who is registered: `callback({ meta, data })`, data being lists of pids by group. */
  emitClusterInfo(callback) {
    this._toMaster("clusterInfo", null, { request: INFO_LIMIT })
      .then(({ replies }) => {
        const info = replies.map(({ payload }) => infoOf(payload)).find((each) => each !== undefined);
        if (info === undefined) throw new Error("the master does not say who is there");
        call(callback, info);
      })
      .catch((error) => this._complain(error));
  }

  async _toMaster(channel, data, options) {
    if (this.masterPid === undefined) return { replies: [] };
    return this._send({ pid: this.masterPid }, channel, data, options);
  }
}

module.exports = Worker;
