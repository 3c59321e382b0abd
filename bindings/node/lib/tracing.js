"use strict";
// Spans of OpenTelemetry for adds and attempts. Its API is loaded only in programs that have registered an SDK or a part of it; others have no spans.

const { invalid, shown } = require("./check.js");
const { failureOf } = require("./failures.js");
const native = require("./native.js");
const { NewJob, isNewJob } = require("./new_job.js");
const { attempt, isError, textOf } = require("./text.js");
const { Finish } = require("./wire.js");

/** Where every copy of the API has what is registered. */
const REGISTERED = Symbol.for("opentelemetry.js.api.1");

/** W3C Trace Context: version, trace, span and flags, all hexadecimal. */
const TRACEPARENT = /^([\da-f]{2})-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})(-.*)?$/;

/** Reasons to stop that mean that the attempt did not do its work. */
const FAULTS = Object.freeze(["timed_out", "lease_lost"]);

let loaded;

/** The API; null if the program does not use it. */
function apiOf() {
  if (globalThis[REGISTERED] === undefined) return null;
  if (loaded === undefined) {
    try {
      loaded = require("@opentelemetry/api");
    } catch {
      // It is installed where this package does not find it.
      loaded = null;
    }
  }
  return loaded;
}

/** Checks the option `trace`: how the span of an attempt refers to the one that added the job. */
function traceOf(value) {
  if (value === undefined || value === null) return "link";
  if (value === "link" || value === "parent") return value;
  throw invalid(`the option trace is ${shown(value)}, it must be "link" or "parent"`);
}

/** Whether a span is active. */
function inSpan() {
  const api = apiOf();
  if (api === null) return false;
  const context = api.trace.getSpanContext(api.context.active());
  return context !== undefined && api.isSpanContextValid(context);
}

/**
 * Calls `add(options, jobs, end)`, in an active span with the context of a new one in the headers of `options` and `jobs`; `jobs` are payloads or
 * `NewJob`. `end(error, id)` ends the span; what `add` throws ends it, too.
 */
function adding(cluster, options, jobs, add, isBatch = true) {
  if (!inSpan() || hasContext(options)) return add(options, jobs, nothing);
  const api = apiOf();
  const task = taskOf(options, jobs);
  const attributes = attributesOf(cluster, task, "add", "send");
  if (isBatch) attributes["messaging.batch.message_count"] = jobs.length;
  const span = tracer(api).startSpan(nameOf("add", task), { kind: api.SpanKind.PRODUCER, attributes });
  const fields = fieldsOf(span.spanContext());
  const end = (error, id) => {
    if (error) fail(api, span, error);
    if (id !== undefined) span.setAttribute("messaging.message.id", id);
    span.end();
  };
  try {
    return add(withHeaders(options ?? {}, fields), jobs.map((job) => jobWithHeaders(job, fields)), end);
  } catch (error) {
    end(error);
    throw error;
  }
}

function nothing() {}

/** The headers of W3C Trace Context. */
function fieldsOf({ traceId, spanId, traceFlags, traceState }) {
  const fields = { traceparent: `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, "0")}` };
  const state = traceState?.serialize();
  return state ? { ...fields, tracestate: state } : fields;
}

/** The span in the headers of a job; undefined if there is none. */
function causeOf(api, { traceparent, tracestate }) {
  const found = TRACEPARENT.exec(traceparent);
  if (found === null) return undefined;
  const [, format, traceId, spanId, flags, more] = found;
  if (format === "ff" || (format === "00" && more !== undefined)) return undefined;
  const traceState = tracestate === undefined ? undefined : api.createTraceState(tracestate);
  const context = { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true, traceState };
  return api.isSpanContextValid(context) ? context : undefined;
}

/** Whether the program has set the header itself. */
function hasContext(options) {
  return (options?.headers?.traceparent ?? undefined) !== undefined;
}

function withHeaders(options, fields) {
  // Of any other type, options and headers are refused as without a span.
  if (typeof options !== "object" || Array.isArray(options)) return options;
  const { headers } = options;
  return headers === undefined || headers === null || typeof headers === "object" ? { ...options, headers: { ...headers, ...fields } } : options;
}

/** The job; a copy if its own headers would replace those of the call. */
function jobWithHeaders(job, fields) {
  if (!isNewJob(job) || (job.options?.headers ?? undefined) === undefined || hasContext(job.options)) return job;
  return new NewJob(job.payload, withHeaders(job.options, fields));
}

/** The task that all have in common; empty if there is none. */
function taskOf(options, jobs) {
  const tasks = new Set(jobs.map((job) => (isNewJob(job) ? job.options?.task : undefined) ?? options?.task ?? ""));
  const [task] = tasks;
  return tasks.size === 1 && typeof task === "string" ? task : "";
}

/** The handler, or the handler of batches, which runs in a span. */
function traced(worker, handle) {
  return function handler(work, ...more) {
    const api = apiOf();
    if (api === null) return handle.call(this, work, ...more);
    const jobs = Array.isArray(work) ? work : [work];
    // An SDK that throws does not concern the job.
    const begun = attempt(() => start(api, worker, jobs, Array.isArray(work)));
    if (begun === undefined) return handle.call(this, work, ...more);
    const { span, context } = begun;
    const ended = (threw, error) => {
      attempt(() => note(api, span, worker, jobs, threw, error));
      attempt(() => span.end());
    };
    let outcome;
    try {
      outcome = api.context.with(context, () => handle.call(this, work, ...more));
      if (typeof outcome?.then !== "function") {
        ended(false);
        return outcome;
      }
    } catch (error) {
      ended(true, error);
      throw error;
    }
    // Some thenables begin their work anew each time `then` is called.
    const promise = outcome instanceof Promise ? outcome : Promise.resolve(outcome);
    promise.then(() => ended(false), (error) => ended(true, error));
    return promise;
  };
}

function start(api, worker, jobs, isBatch) {
  const [job] = jobs;
  const attributes = attributesOf(worker._cluster, job.task, "process", "process");
  if (isBatch) attributes["messaging.batch.message_count"] = jobs.length;
  else Object.assign(attributes, { "messaging.message.id": job.id, "swarm.attempt": job.attempt, "swarm.fence": job.fence });
  const causes = new Map();
  for (const { headers } of jobs) {
    const cause = headers.traceparent === undefined ? undefined : causeOf(api, headers);
    // One for each span that has added jobs, not for each of its jobs.
    if (cause !== undefined) causes.set(headers.traceparent, cause);
  }
  // Not the context in which the handler was added, whose span is not the cause of the job.
  let parent = api.ROOT_CONTEXT;
  let links = [...causes.values()].map((context) => ({ context }));
  if (worker._trace === "parent" && !isBatch && links.length > 0) {
    parent = api.trace.setSpanContext(parent, links[0].context);
    links = [];
  }
  const span = tracer(api).startSpan(nameOf("process", job.task), { kind: api.SpanKind.CONSUMER, attributes, links }, parent);
  return { span, context: api.trace.setSpan(parent, span) };
}

/** Adds the outcome to the span of an attempt. */
function note(api, span, worker, jobs, threw, error) {
  const stopped = jobs.every((job) => job.cancelled) ? jobs[0].deleteReason : undefined;
  if (stopped !== undefined) {
    span.setAttribute("swarm.outcome", stopped);
    if (FAULTS.includes(stopped)) {
      span.setAttribute("error.type", stopped);
      span.setStatus({ code: api.SpanStatusCode.ERROR, message: stopped });
    }
    return;
  }
  if (!threw) {
    // If the handler has finished the jobs itself, their outcome is not known here.
    if (jobs.some((job) => worker._active.has(job.fence))) span.setAttribute("swarm.outcome", "completed");
    return;
  }
  const { kind } = failureOf(error);
  if (kind === Finish.RATE_LIMITED) {
    span.setAttribute("swarm.outcome", "rate_limited");
    return;
  }
  const isRetried = kind !== Finish.FAIL_PERMANENTLY && jobs.some((job) => job.retriesLeft > 0);
  span.setAttribute("swarm.outcome", isRetried ? "retrying" : "failed");
  fail(api, span, error);
}

function fail(api, span, error) {
  const isReal = attempt(() => isError(error)) === true;
  span.setAttribute("error.type", (isReal && attempt(() => String(error.name))) || typeof error);
  span.recordException(isReal ? error : textOf(error));
  span.setStatus({ code: api.SpanStatusCode.ERROR, message: (isReal && attempt(() => String(error.message))) || textOf(error) });
}

function tracer(api) {
  return api.trace.getTracer("assemblage", native.version());
}

function nameOf(operation, task) {
  return task === "" ? operation : `${operation} ${task}`;
}

function attributesOf(cluster, task, name, type) {
  const attributes = { "messaging.system": "libswarm", "messaging.operation.name": name, "messaging.operation.type": type, "swarm.cluster": cluster };
  return task === "" ? attributes : { ...attributes, "messaging.destination.name": task };
}

module.exports = { adding, inSpan, traceOf, traced };
