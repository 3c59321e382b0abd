"use strict";
// Reads to which server a node_redis, redis or ioredis client is connected. The client itself is never used, changed or closed.

const { classes } = require("./errors.js");

/** The options of the core for the same server, user and database. `option` is the name of the option that has the client, for errors. */
function readClient(client, option = "client") {
  const found = reader(client)?.(client);
  if (found) return found;
  throw new classes.InvalidArgumentError(
    `the address of the client passed as \`${option}\` cannot be found: clients of node_redis, redis (not its clusters, pools and Sentinels) and ioredis are read; `
    + "otherwise set url, or host and port, instead",
  );
}

/** Returns the function that reads a client of this kind. No address is guessed: a wrong one would lead to another server. */
function reader(client) {
  if (client === null || (typeof client !== "object" && typeof client !== "function")) return undefined;
  const { options } = client;
  if (Array.isArray(client.startupNodes)) return ioredisCluster;
  if (isObject(options) && ("lazyConnect" in options || "sentinels" in options)) return options.sentinels?.length ? ioredisSentinel : ioredis;
  if ("selected_db" in client || client.connection_options || client.connectionOption) return nodeRedis;
  // A client that was created without options has none, and uses the default server.
  if ("isOpen" in client && "isReady" in client && (options === undefined || isObject(options)) && !isSentinel(client)) return redis;
  return undefined;
}

function isObject(value) {
  return typeof value === "object" && value !== null;
}

/** A client of redis 5 with Sentinels does not expose its options. */
function isSentinel(client) {
  return typeof client.getMasterNode === "function" || typeof client.getSentinelNode === "function";
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

/** ioredis with Sentinels. */
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
  const { username, password, tls: secure } = options?.redisOptions ?? {};
  return { nodes: startupNodes.map(nodeOf), ...credentials(username, password ?? options?.password), ...tls(secure) };
}

/** A node in the formats of ioredis: an object, a port, `host:port` or a url. */
function nodeOf(node) {
  if (isObject(node)) return `${node.host ?? "127.0.0.1"}:${node.port ?? 6379}`;
  if (typeof node === "number" || /^\d+$/.test(node)) return `127.0.0.1:${node}`;
  const text = String(node);
  if (!text.includes("://")) return text.includes(":") ? text : `${text}:6379`;
  const { hostname, port } = new URL(text);
  return `${hostname || "127.0.0.1"}:${port || 6379}`;
}

/** node_redis up to version 3. Returns nothing for a client of a stream whose peer is not known. */
function nodeRedis(client) {
  const used = client.connection_options ?? client.connectionOption ?? {};
  const options = client.options ?? {};
  const stream = client.stream ?? {};
  const [, host, port] = /^(.*):(\d+)$/.exec(client.address ?? "") ?? [];
  // Up to 0.11 the path of a socket is the port.
  const path = used.path ?? options.path ?? (isPath(client.port) ? client.port : undefined);
  const where = path ? { socket: path } : {
    host: used.host ?? client.host ?? host ?? stream.remoteAddress,
    port: used.port ?? client.port ?? port ?? stream.remotePort,
  };
  if (!path && (where.host === undefined || where.port === undefined)) return undefined;
  return {
    ...where,
    db: client.selected_db ?? options.db ?? undefined,
    ...credentials(options.user, client.auth_pass ?? options.auth_pass ?? options.password),
    ...tls(options.tls),
  };
}

function isPath(port) {
  return typeof port === "string" && port.includes("/");
}

/** redis from version 4. */
function redis(client) {
  const options = client.options ?? {};
  const { host, port, path, tls: secure } = options.socket ?? {};
  return {
    // Most versions have parsed it into the other options, which then take precedence.
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

/** TLS objects of clients contain certificates; libswarm needs their files, so that the user must set these options. */
function tls(secure) {
  return secure ? { tls: true } : {};
}

module.exports = readClient;
