"use strict";
// Where all parts meet: a Redis server, and in it the cluster that the manager's port names.

/** The port of a manager unless one is given. */
const PORT = 1917;

/** Largest message or work, in bytes: the most that the core takes. */
const MAX_MESSAGE = 16 * 1024 * 1024;

/**
 * How long a silent part is still counted as there, in milliseconds, and given works: one whose process ended was known at once by its connection,
 * and is here only by those of its machine.
 */
const LEASE = 5000;

/**
 * The cluster, the options of its members, and whether the part leaves at a signal. An address given as `redis` goes first, then the environment, then
 * `host`.
 */
function addressOf(opts) {
  const { redis, host, port, lease } = opts;
  const fromEnvironment = process.env.SWARM_REDIS_URL;
  const where = typeof redis === "string" ? { url: redis }
    : redis ? { ...redis }
    : fromEnvironment ? { url: fromEnvironment }
    : { host: host || "127.0.0.1" };
  // It is the part that leaves, with all its members.
  const options = { lease: lease ?? LEASE, maxPayload: MAX_MESSAGE, ...where, handleSignals: false };
  return { cluster: `proletariat:${port || PORT}`, options, handleSignals: (opts.handleSignals ?? where.handleSignals) !== false };
}

module.exports = { MAX_MESSAGE, addressOf };
