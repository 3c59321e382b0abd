"use strict";
// Jobs to add: their payloads and options, and their format for the core.

const { types } = require("node:util");
const { randomUUID } = require("node:crypto");
const { invalid, listOf, nameOf, namesOf, shown } = require("./check.js");
const { jobLimits } = require("./limit.js");
const { append } = require("./options.js");
const { attempt } = require("./text.js");
const { Outgoing, contentOf } = require("./wire.js");

/** Marks the class below in every copy of this package. */
const NEW_JOB = Symbol.for("libswarm.NewJob");

/** A job with its own options, accepted wherever payloads are. */
class NewJob {
  constructor(payload, options) {
    this.payload = payload;
    this.options = options;
  }

  get [NEW_JOB]() {
    return true;
  }
}

/** Whether a payload is a job with options. Reading a payload may throw. */
function isNewJob(payload) {
  return typeof payload === "object" && payload !== null && attempt(() => payload[NEW_JOB] === true) === true;
}

/** A job with an id, and with further jobs that it waits for. */
function named(job, after = []) {
  const { payload, options } = isNewJob(job) ? job : { payload: job };
  checkObject(options ?? {});
  const own = { ...options, id: options?.id ?? randomUUID() };
  if (after.length > 0) own.after = [...(options?.after ?? []), ...after];
  return new NewJob(payload, own);
}

/** Jobs of which each waits for the one before, for `addFlow`: payloads or `NewJob`. Those without an id get one. */
function chain(jobs) {
  const chained = [];
  for (const job of listOf(jobs, "jobs")) chained.push(named(job, chained.length > 0 ? [chained.at(-1).options.id] : []));
  return chained;
}

/** `jobs`, and a last one that waits for all of them, for `addFlow`: payloads or `NewJob`. Those without an id get one. */
function fanIn(jobs, last) {
  const before = listOf(jobs, "jobs").map((job) => named(job));
  return [...before, named(last, before.map((job) => job.options.id))];
}

/** Options that are passed to the core unchanged. */
const passed = ["id", "result", "resultTtl", "priority", "delay", "runAt", "retries", "resource", "group", "weight", "debounce", "maxWait", "task", "ephemeral", "durability", "onFailure", "keepCompleted"];

/** Options with parts, and the names of these parts in the core. */
const parts = {
  timeouts: { assign: "assign_timeout", run: "run_timeout", total: "total_timeout" },
  unique: { key: "unique", until: "unique_until", onConflict: "on_conflict" },
  backoff: { type: "backoff", delay: "backoff_delay", max: "backoff_max", jitter: "backoff_jitter" },
};

const known = new Set([...passed, ...Object.keys(parts), "headers", "limits", "after"]);

/** The options of a job as the flat list of names and values for the core, which checks the bounds. */
function settingsOf(options) {
  checkObject(options);
  for (const name of Object.keys(options)) {
    if (!known.has(name)) throw invalid(`unknown job option \`${name}\`; the README and types of assemblage list the options`);
  }
  const settings = [];
  const { delay, runAt, backoff, timeouts, unique, headers, limits, after } = options;
  if ((delay ?? undefined) !== undefined && (runAt ?? undefined) !== undefined) {
    throw invalid("`delay` and `runAt` exclude each other; set one of them");
  }
  append(settings, types.isDate(runAt) ? { ...options, runAt: runAt.getTime() } : options, passed);
  if (timeouts !== undefined && timeouts !== null) appendParts(settings, "timeouts", timeouts);
  if (unique !== undefined && unique !== null) {
    // An object without a key is refused as an empty key.
    settings.push("unique", "");
    appendParts(settings, "unique", typeof unique === "string" ? { key: unique } : unique);
  }
  // A number is a fixed pause.
  if (backoff !== undefined && backoff !== null) appendParts(settings, "backoff", typeof backoff === "number" ? { delay: backoff } : backoff);
  if (limits !== undefined && limits !== null) settings.push("limits", jobLimits(limits));
  if (after !== undefined && after !== null) for (const id of namesOf(after, "id in after", "after")) settings.push("after", id);
  if (headers !== undefined && headers !== null && typeof headers !== "object") throw invalid(`headers is ${shown(headers)}, it must be an object`);
  for (const [name, value] of Object.entries(headers ?? {})) {
    if (name === "" || name.includes("=")) throw invalid(`the header \`${name}\` has a name that is empty or contains =`);
    settings.push("header", `${nameOf(name, "name of the header")}=${nameOf(value, `header ${name}`)}`);
  }
  return settings;
}

function checkObject(options) {
  if (typeof options !== "object" || Array.isArray(options)) throw invalid(`the options of a job are ${shown(options)}, they must be an object`);
}

function appendParts(settings, option, values) {
  if (typeof values !== "object" || Array.isArray(values)) throw invalid(`${option} is ${shown(values)}, it must be an object`);
  for (const [name, value] of Object.entries(values)) {
    if (!Object.hasOwn(parts[option], name)) throw invalid(`${option} has the unknown part \`${name}\``);
    if (value !== undefined && value !== null) settings.push(parts[option][name], nameOf(value, `${option}.${name}`));
  }
}

/** The line of the batch that sets options; undefined if none is set. */
function optionsLine(options) {
  const settings = options === undefined || options === null ? undefined : settingsOf(options);
  return settings?.length ? `#${JSON.stringify(settings)}` : undefined;
}

/**
 * A packed job: its payload as JSON text, or `{ content, options, alone }` if the payload is bytes or options are set. An undefined payload
 * becomes `{}`. `line` is that of the options.
 */
function packed(payload, options, serialize, line = optionsLine(options)) {
  if (isNewJob(payload)) {
    checkObject(payload.options ?? {});
    options = { ...options, ...payload.options };
    payload = payload.payload;
    line = optionsLine(options);
  }
  if (payload === undefined) payload = {};
  const content = contentOf(payload, "payload", serialize);
  return line === undefined && typeof content === "string" ? content : { content, options: line, alone: isAlone(options) };
}

/** Packs jobs that share options, which are read once. */
function packer(options, serialize) {
  const line = optionsLine(options);
  return (payload) => packed(payload, options, serialize, line);
}

/** Whether it is sent by itself: adding it waits for more than the memory of Redis, or fails if another job is unknown. */
function isAlone(options) {
  return (options?.durability ?? "memory") !== "memory" || (options?.after ?? undefined) !== undefined;
}

function sizeOf(job) {
  return typeof job === "string" ? job.length : job.content.length;
}

/** Packed jobs in the format of the native side. */
function batchOf(jobs) {
  const batch = new Outgoing();
  for (const job of jobs) {
    if (typeof job === "string") {
      batch.line(job);
      continue;
    }
    if (job.options !== undefined) batch.line(job.options);
    if (typeof job.content === "string") {
      batch.line(job.content);
    } else {
      batch.line(`@${job.content.length}`);
      batch.blob(job.content);
    }
  }
  return { lines: batch.text, bytes: batch.allBytes };
}

/** Whether the job at a position existed. `marks`: see `Incoming`; null if all are new. */
function isOld(marks, position) {
  return marks !== null && marks[position] > 0;
}

/** A job that was added, as programs get it. */
function addedOf(ids, marks, position) {
  return { id: ids[position], existed: isOld(marks, position), replaced: marks?.[position] === 2 };
}

module.exports = { NewJob, addedOf, chain, fanIn, isNewJob, isOld, appendParts, batchOf, packed, packer, sizeOf };
