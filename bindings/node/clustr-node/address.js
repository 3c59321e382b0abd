"use strict";
// The Redis server and the cluster in which all processes meet. Spawned processes receive both through their environment.

const readClient = require("../lib/client.js");
const { classes } = require("../lib/errors.js");

/** The environment variable with the cluster for spawned processes. */
const CLUSTER = "CLUSTR_NODE_CLUSTER";
const URL = "SWARM_REDIS_URL";

/** The environment variable with an address that is no url, as JSON. */
const ADDRESS = "CLUSTR_NODE_REDIS";

/** How long a process may be silent until it counts as gone, in milliseconds. */
const LEASE = 15_000;

/** The cluster, the options of its members, the environment of spawned processes, and whether the process leaves on a signal. */
function addressOf({ redis, cluster, publisher, subscriber, lease, handleSignals }) {
  const name = String(cluster ?? process.env[CLUSTER] ?? "clustr-node");
  const given = typeof redis === "string" ? { url: redis }
    : redis ? { ...redis }
    : addressOfClient(publisher, "publisher") ?? addressOfClient(subscriber, "subscriber");
  const where = given ?? inherited() ?? { host: "127.0.0.1" };
  const env = { [CLUSTER]: name, ...(given && { [ADDRESS]: addressText(given) }), ...(where.url && { [URL]: where.url }) };
  return { cluster: name, options: { lease: lease ?? LEASE, ...where, handleSignals: false }, env, handleSignals: (handleSignals ?? where.handleSignals) !== false };
}

/** The address of a client. An error names the option under which the program passed the client. */
function addressOfClient(client, option) {
  if (client === undefined || client === null) return undefined;
  readClient(client, option);
  return { client };
}

/** The address with which this process was spawned, or that of its environment. */
function inherited() {
  const { [ADDRESS]: text, [URL]: url } = process.env;
  if (text) {
    try {
      return JSON.parse(text);
    } catch {
      // Without its cause, which quotes the text and so perhaps a password.
      throw new classes.InvalidArgumentError(`the environment variable ${ADDRESS} is no JSON of options`);
    }
  }
  return url ? { url } : undefined;
}

/** An address in the format for spawned processes. */
function addressText(given) {
  const { client, ...options } = given;
  return JSON.stringify({ ...(client && readClient(client)), ...options });
}

module.exports = addressOf;
