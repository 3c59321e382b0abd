"use strict";
// Converts inspections of jobs and members to JavaScript names.

/** Converts the names of an object's own fields to camel case, some to other names; nested values are unchanged. */
function camel(object, names = {}) {
  const entries = Object.entries(object);
  return Object.fromEntries(entries.map(([name, value]) => [names[name] ?? name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase()), value]));
}

/** A job; a payload and a result of bytes are Buffers. `parse`: the option of the member, which does not read a payload that cannot be decoded. */
function jobOf({ payload_base64: base64, result_base64: resultBase64, ...info }, parse) {
  const job = camel(info);
  setContent(job, "payload", base64, info.payload_encoded ? undefined : parse);
  if (resultBase64 !== undefined || "result" in job) setContent(job, "result", resultBase64, parse);
  job.log ??= [];
  job.failedAttempts = (job.failedAttempts ?? []).map((attempt) => camel(attempt));
  return job;
}

/** Sets a payload or result from its bytes, and parses it if the option `parse` is set. */
function setContent(object, name, base64, parse) {
  if (base64 !== undefined) object[name] = Buffer.from(base64, "base64");
  if (parse !== undefined) object[name] = parse(base64 === undefined ? JSON.stringify(object[name]) : object[name]);
}

/** A page of jobs. */
function pageOf({ jobs, next }, parse) {
  return { jobs: jobs.map((job) => jobOf(job, parse)), next };
}

/** A member. */
function memberOf(info) {
  return camel(info, { lease_left_ms: "leaseLeft" });
}

/** A limit. */
function limitOf(info) {
  return camel(info, { next_in_ms: "nextIn" });
}

/** A transition of a job. */
function eventOf(event) {
  return camel(event);
}

/** Queues, with their limits. */
function queuesOf(info) {
  return { ...info, limits: info.limits.map(limitOf) };
}

/** A schedule, or null. */
function scheduleOf(info) {
  return info && camel(info);
}

/** A page of schedules. */
function schedulesOf({ schedules, next }) {
  return { schedules: schedules.map(scheduleOf), next };
}

/** The counts of a task in a minute or an hour. */
function rowOf({ wait, run, ...row }) {
  return { ...camel(row, { start_ms: "start" }), wait: histogramOf(wait), run: histogramOf(run) };
}

function histogramOf(histogram) {
  return camel(histogram, { p50_ms: "p50", p95_ms: "p95", p99_ms: "p99" });
}

/** A flow, or null. */
function flowOf(info) {
  return info && camel(info);
}

/** How the jobs ended that another one waited for, by id; results of bytes are Buffers. */
function inputsOf(inputs, parse) {
  return Object.fromEntries(Object.entries(inputs).map(([id, input]) => [id, inputOf(input, parse)]));
}

function inputOf({ result_base64: base64, ...input }, parse) {
  const read = base64 === undefined ? input : { ...input, result: Buffer.from(base64, "base64") };
  if (parse !== undefined && "result" in read) read.result = parse(base64 === undefined ? JSON.stringify(read.result) : read.result);
  return read;
}

module.exports = { eventOf, flowOf, inputsOf, jobOf, limitOf, memberOf, pageOf, queuesOf, rowOf, scheduleOf, schedulesOf };
