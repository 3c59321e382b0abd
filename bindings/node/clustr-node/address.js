"use strict";
// Where all processes meet: a Redis server, and in it the cluster that the option names. Spawned processes learn both from their environment.

const readClient = require("../lib/client.js");
const { classes } = require("../lib/errors.js");

/** Names the cluster for the processes that are spawned. */
const CLUSTER = "CLUSTR_NODE_CLUSTER";
const URL = "SWARM_REDIS_URL";

/** The same for an address that is no url, as JSON. */
const ADDRESS = "CLUSTR_NODE_REDIS";

/** How long a silent process counts as there, in milliseconds. */
const LEASE = 15_000;

/** The cluster, the options of its members, what the environment of spawned processes has of it, and whether the part leaves at a signal. */
function addressOf({ redis, cluster, publisher, subscriber, lease, handleSignals }) {
  const name = String(cluster ?? process.env[CLUSTER] ?? "clustr-node");
  const given = typeof redis === "string" ? { url: redis }
    : redis ? { ...redis }
    : addressOfClient(publisher, "publisher") ?? addressOfClient(subscriber, "subscriber");
  const where = given ?? inherited() ?? { host: "127.0.0.1" };
  const env = { [CLUSTER]: name, ...(given && { [ADDRESS]: addressText(given) }), ...(where.url && { [URL]: where.url }) };
  return { cluster: name, options: { lease: lease ?? LEASE, ...where, handleSignals: false }, env, handleSignals: (handleSignals ?? where.handleSignals) !== false };
}

/** Where a client is connected to. It is named as the program gave it, should its address not be found. */
function addressOfClient(client, option) {
  if (client === undefined || client === null) return undefined;
  readClient(client, option);
  return { client };
}

/** The address that this process was spawned with, or that its environment has. */
function inherited() {
  const { [ADDRESS]: text, [URL]: url } = process.env;
  if (text) {
    try {
      return JSON.parse(text);
    } catch {
      // Without its cause, which has a part of the text, and so perhaps of a password.
      throw new classes.InvalidArgumentError(`the environment variable ${ADDRESS} is no JSON of options`);
    }
  }
  return url ? { url } : undefined;
}

/** An address as it travels to spawned processes. */
function addressText(given) {
  const { client, ...options } = given;
  return JSON.stringify({ ...(client && readClient(client)), ...options });
}

module.exports = addressOf;
