"use strict";
// A process of the cluster.

const { call } = require("../lib/callbacks.js");
const { infoOf } = require("./messages.js");
const Part = require("./part.js");

/** How long to wait for the reply of the master with the registered processes, in milliseconds. */
const INFO_LIMIT = 10_000;

/** The pause before a registration without recipients is repeated, in milliseconds. */
const RETRY = 100;

/** The exit code after SIGTERM. */
const TERMINATED = 15;

class Worker extends Part {
  constructor(config) {
    if (!config?.group) throw new Error("group name is missing");
    super("worker", config, String(config.group));
    this.masterPid = this._options["cluster-master-pid"];
    const own = Object.entries(this._options).filter(([name]) => !name.startsWith("cluster-"));
    this.config = { ...this.config, ...Object.fromEntries(own) };
    this._exitOnKill();
    // Its supervisor stops it by SIGTERM, for which `onKill` is called; without a supervisor it exits at once, as any program.
    if (process.env.SWARM_SUPERVISOR_PID === String(process.ppid)) process.on("SIGTERM", () => this._killed(TERMINATED));
  }

  static create(config) {
    return new Worker(config);
  }

  /** Registers with the master, after the option `reloadDelay`. */
  emitReady() {
    setTimeout(() => {
      // Repeated after a lost lease, because the master has removed this worker then.
      this._member.on("ready", () => this._register());
      if (this._member.incarnation !== "") this._register();
    }, this._reloadDelay);
  }

  /** Registers once this worker is subscribed, so that no message of the master's listeners is lost; repeats it until the master has received it. */
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

  /** Requests the registered processes from the master: `callback({ meta, data })`, where data has lists of pids by group. */
  emitClusterInfo(callback) {
    this._toMaster("clusterInfo", null, { request: INFO_LIMIT })
      .then(({ replies }) => {
        const info = replies.map(({ payload }) => infoOf(payload)).find((each) => each !== undefined);
        if (info === undefined) throw new Error("the master did not return the registered processes");
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
