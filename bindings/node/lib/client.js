"use strict";
// Reads where a node_redis, redis or ioredis client is connected to. The client itself is never used, changed or closed.

const { classes } = require("./errors.js");

/** The options of the core that lead to the same server, as the same user, with the same database. */
function readClient(client) {
  const options = client.options ?? {};
  const read = client.isCluster && Array.isArray(client.startupNodes) ? ioredisCluster
    : "lazyConnect" in options || "sentinels" in options ? (options.sentinels?.length ? ioredisSentinel : ioredis)
    : client.connection_options || client.connectionOption ? nodeRedis
    : client.options ? redis
    : undefined;
  const found = read?.(client);
  if (!found) {
    throw new classes.InvalidArgumentError(
      "the option client is no client of node_redis, redis or ioredis; give url, or host and port, instead",
    );
  }
  return found;
}

/** ioredis with one server. */
function ioredis({ options }) {
  return {
    ...(options.path ? { socket: options.path } : { host: options.host, port: options.port }),
    db: options.db,
    ...credentials(options.username, options.password),
    ...tls(options.tls),
  };
}

/** ioredis that asks Sentinels. */
function ioredisSentinel({ options }) {
  return {
    sentinels: options.sentinels.map(({ host = "localhost", port = 26379 }) => `${host}:${port}`),
    sentinelMaster: options.name,
    db: options.db,
    ...credentials(options.username, options.password),
    sentinelUsername: options.sentinelUsername,
    sentinelPassword: options.sentinelPassword,
    ...tls(options.tls),
  };
}

/** ioredis with a Redis Cluster. */
function ioredisCluster({ startupNodes, options }) {
  const nodes = startupNodes.map((node) => (typeof node === "object" ? `${node.host}:${node.port ?? 6379}` : String(node)));
  const { username, password, tls: secure } = options?.redisOptions ?? {};
  return { nodes, ...credentials(username, password), ...tls(secure) };
}

/** node_redis up to version 3. */
function nodeRedis(client) {
  const used = client.connection_options ?? client.connectionOption ?? {};
  const options = client.options ?? {};
  const [, host, port] = /^(.*):(\d+)$/.exec(client.address ?? "") ?? [];
  const path = used.path ?? options.path;
  return {
    ...(path ? { socket: path } : { host: used.host ?? client.host ?? host, port: used.port ?? client.port ?? port }),
    db: client.selected_db ?? options.db,
    ...credentials(options.user, client.auth_pass ?? options.auth_pass ?? options.password),
    ...tls(options.tls),
  };
}

/** redis from version 4. */
function redis(client) {
  const { options } = client;
  const { host, port, path, tls: secure } = options.socket ?? {};
  return {
    // Already parsed into the rest by most versions, which then have the last word.
    url: /^(rediss?|unix):\/\//.test(options.url ?? "") ? options.url : undefined,
    ...(path ? { socket: path } : { host, port }),
    db: typeof client.selectedDatabase === "number" ? client.selectedDatabase : options.database,
    ...credentials(options.username, options.password),
    ...tls(secure),
  };
}

function credentials(username, password) {
  return { username: username ?? undefined, password: password ?? undefined };
}

/** TLS objects of clients hold the contents of certificates; libswarm takes their files, so these stay with the user. */
function tls(secure) {
  return secure ? { tls: true } : {};
}

module.exports = readClient;
