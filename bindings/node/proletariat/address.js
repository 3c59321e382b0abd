"use strict";
// The Redis server and the cluster in which all parts meet; the manager's port names the cluster.

/** The default port of a manager. */
const PORT = 1917;

/** The limit of bytes of a message or work: the maximum of the core. */
const MAX_MESSAGE = 16 * 1024 * 1024;

/**
 * How long a part may be silent until it counts as gone, in milliseconds. proletariat noticed the end of a process at once by its connection; here
 * only processes of the same machine do.
 */
const LEASE = 5000;

/**
 * The cluster, the options of its members, and whether the part leaves on a signal. The option `redis` takes precedence over the environment, which
 * takes precedence over `host`.
 */
function addressOf(opts) {
  const { redis, host, port, lease } = opts;
  const fromEnvironment = process.env.SWARM_REDIS_URL;
  const where = typeof redis === "string" ? { url: redis }
    : redis ? { ...redis }
    : fromEnvironment ? { url: fromEnvironment }
    : { host: host || "127.0.0.1" };
  // The part leaves, with all its members.
  const options = { lease: lease ?? LEASE, maxPayload: MAX_MESSAGE, ...where, handleSignals: false };
  return { cluster: `proletariat:${port || PORT}`, options, handleSignals: (opts.handleSignals ?? where.handleSignals) !== false };
}

module.exports = { MAX_MESSAGE, addressOf };
