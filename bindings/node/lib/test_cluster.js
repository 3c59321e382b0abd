"use strict";
// Clusters for tests.

const { settled } = require("./callbacks.js");
const Channel = require("./channel.js");
const { millisecondsOf } = require("./check.js");
const { errorOf } = require("./errors.js");
const Master = require("./master.js");
const native = require("./native.js");
const { memberOptions } = require("./options.js");
const Worker = require("./worker.js");

/** How long a worker may take to stop at the end of a test, in milliseconds. */
const GRACE = 1000;
/** The default limit of `settled`, in milliseconds. */
const LIMIT = 5000;
/** The longest time by which the clock moves at once, in milliseconds: 10 years. */
const LONGEST = 10 * 365 * 86_400_000;

/** Options that have the address of Redis. */
const addresses = ["url", "host", "port", "socket", "sentinels", "nodes", "client"];

/** The URL of the Redis for the tests of this process: SWARM_REDIS_URL, or a private server that the first call starts. */
function privateRedis() {
  const url = native.privateRedis();
  if (typeof url === "string") return url;
  throw errorOf(url.number, url.message);
}

/** Members of one cluster, and its clock. */
class TestCluster extends Channel {
  constructor(config) {
    super();
    this.type = "cluster";
    const { cluster: name, ...options } = config ?? {};
    this.name = name ?? native.testClusterName();
    this._config = addresses.some((option) => (options[option] ?? undefined) !== undefined) ? options : { ...options, url: privateRedis() };
    this._members = [];
    this._closing = false;
    const { settings } = memberOptions(this.name, this._config);
    this._open((wake) => native.openTestCluster(this.name, settings, wake));
    this._native.keepAlive(false);
  }

  /** The URL of its Redis. */
  get url() {
    return this._config.url;
  }

  /** A new master of the cluster, which is registered. It is closed with the cluster. */
  async master(config) {
    if (this._closing) throw this._closedError();
    const master = new Master(this.name, { ...this._config, ...config });
    this._members.push(master);
    await master.ready();
    return master;
  }

  /** A new worker of the cluster, which is registered and runs these handlers, as `process` does. It is terminated with the cluster. */
  async worker(handlers, config) {
    if (this._closing) throw this._closedError();
    const worker = new Worker(this.name, { handleSignals: false, ...this._config, ...config });
    this._members.push(worker);
    if (handlers !== undefined && handlers !== null) worker.process(handlers);
    await worker.ready();
    return worker;
  }

  /** Waits until nothing is left to do now; `timeout` in milliseconds. */
  settled(options) {
    return settled(undefined, (settle) => this._native_("settled", settle, millisecondsOf(options?.timeout ?? LIMIT, "timeout", 0, LONGEST)));
  }

  /** Moves the cluster's clock ahead by milliseconds, as if this time had passed. */
  advance(by) {
    return settled(undefined, (settle) => this._native_("advance", settle, millisecondsOf(by, "the time to advance by", 1, LONGEST)));
  }

  /** Closes the members that it made, and removes the cluster from Redis. */
  async close() {
    if (this._closing) return;
    this._closing = true;
    try {
      for (const member of this._members.reverse()) {
        if (member instanceof Master) await member.close();
        else if (!member._closing) await member.terminate({ grace: GRACE });
      }
      await this._ask(undefined, "obliterate");
    } finally {
      this._release();
    }
  }

  /** Pending calls keep the event loop alive. */
  _expect(settle) {
    const token = super._expect(settle);
    this._native.keepAlive(true);
    return token;
  }

  _answered() {
    if (this._calls.size === 0) this._native?.keepAlive(false);
  }
}

if (Symbol.asyncDispose !== undefined) TestCluster.prototype[Symbol.asyncDispose] = TestCluster.prototype.close;

/** A new cluster with a random name, on the server of `privateRedis` unless the options have an address. */
function cluster(config) {
  return new TestCluster(config);
}

module.exports = { TestCluster, cluster, privateRedis };
