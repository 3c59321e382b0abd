"use strict";
// Where all processes meet: a Redis server, and in it the cluster that the option names. Spawned processes learn both from their environment.

/** Names the cluster for the processes that are spawned. */
const CLUSTER = "CLUSTR_NODE_CLUSTER";
const URL = "SWARM_REDIS_URL";

/** How long a silent process counts as there, in milliseconds. */
const LEASE = 15_000;

/** The cluster, the options of its members, and what the environment of spawned processes is told of it. */
function addressOf({ redis, cluster, publisher, subscriber, lease }) {
  const name = String(cluster ?? process.env[CLUSTER] ?? "clustr-node");
  const client = publisher ?? subscriber;
  const where = typeof redis === "string" ? { url: redis }
    : redis ? { ...redis }
    : client ? { client }
    : process.env[URL] ? { url: process.env[URL] }
    : { host: "127.0.0.1" };
  const env = { [CLUSTER]: name, ...(where.url && { [URL]: where.url }) };
  return { cluster: name, options: { lease: lease ?? LEASE, ...where }, env };
}

module.exports = addressOf;
