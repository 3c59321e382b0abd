"use strict";
// Options as users give them, as the list of names and values that the core takes. Names and units are converted here;
// bounds and meanings are the core's.

const readClient = require("./client.js");

/** Every option that is passed on, by its name in JavaScript. */
const passed = [
  "url", "host", "port", "socket", "sentinels", "sentinelMaster", "nodes", "username", "password", "sentinelUsername",
  "sentinelPassword", "tls", "tlsCa", "tlsCert", "tlsKey", "tlsVerify", "lease", "timeout", "maxPayload", "maxPendingBytes", "eviction", "name", "group",
  "slots", "sacred", "prefetch", "rebalance", "window", "stopGrace", "maxDeaths", "rejoin", "failedMax",
  "failedMaxBytes", "failedTtl",
];

/** Options that are read here. */
const own = new Set(["client", "prefix", "db", "expireDelay", "requeue", "tasks", "prioritySlots"]);

/** The lease of assemblage 0.1, kept for programs that set none. */
const DEFAULT_EXPIRE_DELAY = 60000;

/** The core's shortest lease. assemblage 0.1 took any `expireDelay`, so shorter ones are raised instead of refused. */
const MIN_EXPIRE_DELAY = 1000;

/** The key prefix of an empty cluster id, where assemblage 0.1 had none; the core wants a name. */
const EMPTY_PREFIX = "assemblage";

const snakeCase = (name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** `value` as the core reads it, or undefined if the option was left out. */
function textOf(name, value) {
  if (value === undefined || value === null) return undefined;
  if (name === "slots" && value === Infinity) return undefined;
  return Array.isArray(value) ? value.join(",") : String(value);
}

/** Appends the options of `object` to `settings`, their names converted. */
function append(settings, object, names) {
  for (const name of names) {
    const text = textOf(name, object[name]);
    if (text !== undefined) settings.push(snakeCase(name), text);
  }
}

/** What `createMaster(clusterId, config)` and `createWorker(clusterId, config)` mean. */
function memberOptions(clusterId, config) {
  config = config ?? {};
  const cluster = String(clusterId || "").trim();
  const prefix = String(config.prefix || cluster).trim();
  const expireDelay = Number(config.expireDelay) || DEFAULT_EXPIRE_DELAY;
  const address = config.client ? readClient(config.client) : {};
  const db = config.db === undefined || config.db === null ? undefined : Math.abs(Number(config.db) || 0) % 16;

  const settings = ["lease", String(Math.max(expireDelay, MIN_EXPIRE_DELAY)), "prefix", prefix || EMPTY_PREFIX];
  append(settings, address, Object.keys(address));
  append(settings, config, config.client ? passed.filter((name) => name !== "host" && name !== "port") : passed);
  if (db !== undefined) settings.push("db", String(db));
  if (config.prioritySlots) settings.push("priority_slots", slotsOf(config.prioritySlots));

  const unknown = Object.keys(config).filter((name) => !own.has(name) && !passed.includes(name));
  return { cluster, prefix: prefix ? `${prefix}.` : "", db: db ?? address.db ?? 0, expireDelay, settings, tasks: tasksOf(config.tasks), unknown };
}

/** Guaranteed slots by priority, as an object or a Map, in the core's form. */
function slotsOf(slots) {
  const pairs = slots instanceof Map ? [...slots] : Object.entries(slots);
  return pairs.map(([priority, count]) => `${priority}:${count}`).join(",");
}

/** The option `tasks`: names in an array, or a single one. */
function tasksOf(tasks) {
  return tasks === undefined || tasks === null ? [] : Array.from(typeof tasks === "string" ? [tasks] : tasks, String);
}

module.exports = { append, memberOptions, tasksOf };
