"use strict";
// Options of a queue, with their defaults, and their conversion to options of members.

const os = require("node:os");
const { clusterName } = require("./names.js");

/** The lease of a member without jobs, in milliseconds. */
const LEASE = 15_000;

/** The maximum of the core, in bytes: redis-dist-job-queue had no limit. */
const MAX_PAYLOAD = 16 * 1024 * 1024;

/** Options of `redisConfig` that members accept with the same names. */
const passed = [
  "url", "host", "port", "socket", "sentinels", "sentinelMaster", "nodes", "username", "password", "sentinelUsername", "sentinelPassword",
  "tlsCa", "tlsCert", "tlsKey", "timeout", "eviction", "failedMax", "failedTtl",
];

/** Forms of an address that exclude a default host and port. */
const elsewhere = ["url", "path", "socket", "sentinels", "nodes"];

/** The properties of a queue that follow from its options, which are not changed. */
function settingsOf(options) {
  options = options ?? {};
  const namespace = options.namespace ?? "redis-dist-job-queue.";
  const queueId = options.queueId ?? "default";
  const given = { ...options.redisConfig };
  const server = elsewhere.some((name) => given[name]) ? {} : { host: "127.0.0.1", port: 6379 };
  return {
    namespace,
    queueId,
    cluster: clusterName(`${namespace}${queueId}`),
    redisConfig: { ...server, db: 0, ...given },
    childProcessCount: Number(options.childProcessCount ?? 0) || 0,
    workerCount: options.workerCount ?? os.cpus().length,
    flushStaleTimeout: options.flushStaleTimeout ?? 30_000,
    handleSignals: options.handleSignals ?? true,
  };
}

/** Options of a member of the queue's cluster, and further options. */
function memberOptions({ redisConfig }, more) {
  // The queue, or its child, leaves on a signal, and not the member.
  const options = { lease: LEASE, maxPayload: MAX_PAYLOAD, handleSignals: false, ...nodeRedis(redisConfig) };
  for (const name of passed) if (redisConfig[name] !== undefined) options[name] = redisConfig[name];
  return { ...options, ...more };
}

/** Options with other names in node_redis. Its other options are ignored, because there is no such client. */
function nodeRedis({ path, user, auth_pass: authPass, tls, db, url }) {
  const options = {};
  if (path) options.socket = path;
  if (user) options.username = user;
  if (authPass) options.password = authPass;
  // An object contains certificates; members need their files.
  if (tls) options.tls = true;
  // Members use the option `db` modulo 16, but not a database in a url. Host and port are set after it.
  if (db !== undefined && db !== null && !url) options.url = `redis://localhost/${Number(db)}`;
  return options;
}

module.exports = { memberOptions, settingsOf };
