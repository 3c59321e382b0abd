"use strict";
// Converts options of users to the list of names and values for the core. Names and units are converted here; the core checks the bounds.

const { functionOf, invalid, nameOf, namesOf, shown } = require("./check.js");
const readClient = require("./client.js");

/** Options that are passed to the core, by their names in JavaScript. */
const passed = [
  "url", "host", "port", "socket", "sentinels", "sentinelMaster", "nodes", "username", "password", "credentialsFile", "credentialsInterval", "sentinelUsername",
  "sentinelPassword", "tls", "tlsCa", "tlsCert", "tlsKey", "tlsVerify", "lease", "timeout", "maxPayload", "maxPendingBytes", "eviction", "name", "group",
  "codecKeys", "codecRequired", "compressFrom",
  "slots", "strictSlots", "prefetch", "rebalance", "window", "stopGrace", "maxCrashes", "rejoin", "failedMax",
  "failedMaxBytes", "failedTtl", "completedMax", "completedMaxBytes", "completedTtl", "events", "eventsMax",
];

/** Options that are converted here. */
const own = new Set(["client", "credentials", "prefix", "db", "expireDelay", "requeue", "tasks", "prioritySlots", "handleSignals", "serialize", "parse", "trace"]);

/** Options that may be arrays. */
const lists = new Set(["sentinels", "nodes", "cpus"]);

/** Options that are true or false. For other options, a boolean is refused as a likely mistake. */
const booleans = new Set(["tls", "tlsVerify", "codecRequired", "strictSlots", "rebalance", "rejoin", "result", "ephemeral", "forward", "lines", "respawn"]);

const secrets = new Set(["url", "password", "sentinelPassword", "codecKeys"]);

/** The default lease of assemblage 0.1. */
const DEFAULT_EXPIRE_DELAY = 60000;

/** The core's shortest lease. assemblage 0.1 accepted any `expireDelay`, so shorter ones are raised and not refused. */
const MIN_EXPIRE_DELAY = 1000;

/** The key prefix for an empty cluster id, for which assemblage 0.1 had none; the core requires a name. */
const EMPTY_PREFIX = "assemblage";

const snakeCase = (name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** `value` in the format of the core; undefined if the option is not set. */
function textOf(name, value) {
  if (value === undefined || value === null) return undefined;
  if (name === "slots" && value === Infinity) return undefined;
  if (Array.isArray(value) && lists.has(name)) return value.map((each) => nameOf(each, `option ${name}`)).join(",");
  if (name === "url" && value instanceof URL) return value.href;
  if (typeof value === "boolean" && booleans.has(name)) return String(value);
  return secrets.has(name) ? secretOf(name, value) : nameOf(value, `option ${name}`);
}

/** The value of a secret option. It is never shown in errors. */
function secretOf(name, value) {
  if (typeof value !== "string" || !value.isWellFormed()) throw invalid(`the option ${name} must be a string without halves of surrogate pairs`);
  return value;
}

/** Appends the options of `object` to `settings`, with converted names. */
function append(settings, object, names) {
  for (const name of names) {
    const text = textOf(name, object[name]);
    if (text !== undefined) settings.push(snakeCase(name), text);
  }
}

/** Converts the arguments of `createMaster(clusterId, config)` and `createWorker(clusterId, config)`. */
function memberOptions(clusterId, given) {
  const config = configOf(given);
  const { handleSignals } = config;
  if (handleSignals !== undefined && handleSignals !== null && typeof handleSignals !== "boolean") {
    throw invalid(`handleSignals is ${shown(handleSignals)}, it must be true or false`);
  }
  const [serialize, parse] = ["serialize", "parse"].map((name) => config[name] ?? undefined).map(functionOrNothing);
  const cluster = nameOf(clusterId || "", "id of the cluster").trim();
  const prefix = nameOf(config.prefix || cluster, "option prefix").trim();
  const expireDelay = Number(config.expireDelay) || DEFAULT_EXPIRE_DELAY;
  const address = config.client ? readClient(config.client) : {};
  const db = config.db === undefined || config.db === null ? undefined : Math.abs(Number(config.db) || 0) % 16;

  const settings = ["lease", String(Math.max(expireDelay, MIN_EXPIRE_DELAY)), "prefix", prefix || EMPTY_PREFIX];
  append(settings, address, Object.keys(address));
  append(settings, config, config.client ? passed.filter((name) => name !== "host" && name !== "port") : passed);
  if (db !== undefined) settings.push("db", String(db));
  if (config.prioritySlots) settings.push("priority_slots", slotsOf(config.prioritySlots));

  return { cluster, config, prefix: prefix ? `${prefix}.` : "", db: db ?? address.db ?? 0, expireDelay, settings, tasks: tasksOf(config.tasks), serialize, parse };
}

function functionOrNothing(value, at) {
  return value === undefined ? undefined : functionOf(value, `the option ${at === 0 ? "serialize" : "parse"}`);
}

/** Options as an object; a text or a URL is the address of Redis. */
function configOf(config) {
  if (config === undefined || config === null) return {};
  if (typeof config === "string" || config instanceof URL) return { url: config };
  if (typeof config !== "object" || Array.isArray(config)) throw invalid(`the options are ${shown(config)}, they must be an object or a URL`);
  for (const name of Object.keys(config)) {
    if (!own.has(name) && !passed.includes(name)) throw invalid(`unknown option \`${name}\`${like(name)}; the README of assemblage lists the options`);
  }
  return config;
}

/** The most similar known option, for an error. */
function like(name) {
  const plain = (text) => text.replace(/[-_]/g, "").toLowerCase();
  const meant = [...own, ...passed].find((known) => plain(known) === plain(name));
  return meant === undefined ? "" : `, did you mean \`${meant}\``;
}

/** Guaranteed slots by priority, an object or a Map, in the format of the core. */
function slotsOf(slots) {
  if (typeof slots !== "object" || Array.isArray(slots)) throw invalid(`prioritySlots is ${shown(slots)}, it must be an object or a Map`);
  const pairs = slots instanceof Map ? [...slots] : Object.entries(slots);
  return pairs.map(([priority, count]) => `${nameOf(priority, "priority")}:${nameOf(count, "number of slots")}`).join(",");
}

/** The option `tasks`: an array of names, or a single one. */
function tasksOf(tasks) {
  return tasks === undefined || tasks === null ? [] : namesOf(tasks, "task", "tasks");
}

module.exports = { append, memberOptions, tasksOf };
