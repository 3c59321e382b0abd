"use strict";
// Spans of OpenTelemetry, with its SDK.

const test = require("node:test");
const assert = require("node:assert/strict");
const { SpanKind, SpanStatusCode, context, trace } = require("@opentelemetry/api");
const { AsyncLocalStorageContextManager } = require("@opentelemetry/context-async-hooks");
const { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } = require("@opentelemetry/sdk-trace-base");
const { version } = require("../package.json");
const { NewJob, PermanentFailure, RateLimited } = require("..");
const { Cluster, Program, until } = require("./support.js");

const exporter = new InMemorySpanExporter();
const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });

test.before(() => {
  trace.setGlobalTracerProvider(provider);
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
});

test.beforeEach(() => exporter.reset());

/** Waits for so many spans with a name. */
async function spans(name, count = 1) {
  const found = () => exporter.getFinishedSpans().filter((span) => span.name === name);
  await until(() => found().length >= count, `${count} spans ${name}`);
  assert.equal(found().length, count);
  return found();
}

/** Calls a function in the span of a request, which the program makes current. */
function request(run) {
  return trace.getTracer("program").startActiveSpan("request", async (span) => {
    try {
      return await run(span.spanContext());
    } finally {
      span.end();
    }
  });
}

const idsOf = ({ traceId, spanId }) => `${traceId}-${spanId}`;
const ids = (span) => idsOf(span.spanContext());
const links = (span) => span.links.map((link) => idsOf(link.context));
const outcomes = (list) => list.map(({ attributes, status }) => [attributes["swarm.outcome"], status.code]);

/** The span in the headers of a job. */
async function header(master, id) {
  const { traceparent } = (await master.job(id)).headers;
  return traceparent?.slice(3, -3);
}

test("an attempt has a link to the add", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const current = [];
  const { id, outer } = await request(async (outer) => ({ outer, ...(await master.add({ n: 1 }, { task: "mail" })) }));
  const [added] = await spans("add mail");
  assert.equal(await header(master, id), ids(added));
  cluster.worker().process({
    async mail() {
      await new Promise(setImmediate);
      current.push(ids(trace.getActiveSpan()));
    },
  });
  const [processed] = await spans("process mail");
  assert.deepEqual([added.kind, processed.kind], [SpanKind.PRODUCER, SpanKind.CONSUMER]);
  assert.equal(added.parentSpanContext.spanId, outer.spanId);
  assert.equal(processed.parentSpanContext, undefined);
  assert.deepEqual([links(processed), current], [[ids(added)], [ids(processed)]]);
  assert.deepEqual([added.instrumentationScope.name, added.instrumentationScope.version], ["assemblage", version]);
  const common = { "messaging.system": "libswarm", "messaging.destination.name": "mail", "messaging.message.id": id, "swarm.cluster": cluster.name };
  assert.deepEqual(added.attributes, { ...common, "messaging.operation.name": "add", "messaging.operation.type": "send" });
  const { "swarm.fence": fence, ...rest } = processed.attributes;
  assert.equal(typeof fence, "number");
  assert.deepEqual(rest, { ...common, "messaging.operation.name": "process", "messaging.operation.type": "process", "swarm.attempt": 1, "swarm.outcome": "completed" });
  assert.equal(processed.status.code, SpanStatusCode.UNSET);
});

test("with parent an attempt is a child", async (t) => {
  const cluster = new Cluster(t);
  const worker = cluster.worker({ trace: "parent" });
  await request(() => cluster.master().add("first"));
  worker.process((job) => (job.payload === "first" ? worker.add("second", { task: "other" }) : undefined));
  const [[added], [processed], [nested]] = await Promise.all([spans("add"), spans("process"), spans("add other")]);
  assert.deepEqual([idsOf(processed.parentSpanContext), links(processed)], [ids(added), []]);
  assert.equal(idsOf(nested.parentSpanContext), ids(processed));
});

test("another mode is refused", (t) => {
  const cluster = new Cluster(t);
  for (const value of ["none", 1, true]) assert.throws(() => cluster.worker({ trace: value }), { code: "SWARM_INVALID_ARGUMENT", message: /option trace is .*"link" or "parent"/ });
});

test("retries have a span each", async (t) => {
  const cluster = new Cluster(t);
  await request(() => cluster.master().addJob({}, { task: "flaky", retries: 5, backoff: 1 }));
  cluster.worker().process({
    flaky(job) {
      throw job.attempt < 3 ? new RangeError("not yet") : new PermanentFailure("never");
    },
  });
  const attempts = await spans("process flaky", 3);
  assert.deepEqual(attempts.map((span) => span.attributes["swarm.attempt"]), [1, 2, 3]);
  assert.deepEqual(outcomes(attempts), ["retrying", "retrying", "failed"].map((outcome) => [outcome, SpanStatusCode.ERROR]));
  assert.deepEqual(attempts.map((span) => span.attributes["error.type"]), ["RangeError", "RangeError", "PermanentFailure"]);
  const [added] = await spans("add flaky");
  for (const span of attempts) assert.deepEqual(links(span), [ids(added)]);
  assert.equal(attempts[0].status.message, "not yet");
  assert.deepEqual(attempts[0].events.map(({ name }) => name), ["exception"]);
});

test("other outcomes", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  let limited = 0;
  const worker = cluster.worker().process(async (job, { signal }) => {
    if (job.payload === "limited") {
      if (++limited === 1) throw new RateLimited(10);
    } else if (job.payload === "own") {
      job.fail("as it likes");
    } else {
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    }
  });
  const { UNSET, ERROR } = SpanStatusCode;
  await master.addJob("limited");
  assert.deepEqual(outcomes(await spans("process", 2)), [["rate_limited", UNSET], ["completed", UNSET]]);
  exporter.reset();
  await master.addJob("own");
  assert.deepEqual(outcomes(await spans("process")), [[undefined, UNSET]]);
  exporter.reset();
  await master.addJob("slow", { timeouts: { run: 50 } });
  assert.deepEqual(outcomes(await spans("process")), [["timed_out", ERROR]]);
  exporter.reset();
  const id = await master.addJob("deleted");
  await until(() => worker.jobs[id], "an active job");
  await master.deleteJob(id);
  assert.deepEqual(outcomes(await spans("process")), [["deleted", UNSET]]);
});

test("without an active span nothing is written", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  assert.deepEqual((await master.job(await master.addJob({}))).headers, {});
  // The span that is active when a handler is added is not the cause of its jobs.
  await request(() => cluster.worker().process(() => {}));
  const [processed] = await spans("process");
  assert.deepEqual([processed.parentSpanContext, links(processed)], [undefined, []]);
  assert.deepEqual(exporter.getFinishedSpans().map(({ name }) => name).sort(), ["process", "request"]);
});

test("a context of the program is kept", async (t) => {
  const master = new Cluster(t).master();
  const own = { traceparent: `00-${"1".padStart(32, "0")}-${"2".padStart(16, "0")}-01` };
  const [single, mixed, many] = await request(async () => [
    await master.addJob({}, { headers: own }),
    await master.addJob({}, { headers: { tenant: "a" } }),
    await master.addJobs([new NewJob(1, { headers: own }), new NewJob(2, { headers: { tenant: "b" } }), "plain"]),
  ]);
  for (const id of [single, many[0]]) assert.deepEqual((await master.job(id)).headers, own);
  assert.deepEqual(Object.keys((await master.job(mixed)).headers).sort(), ["tenant", "traceparent"]);
  const [one, batch] = await spans("add", 2);
  assert.equal(await header(master, mixed), ids(one));
  for (const id of many.slice(1)) assert.equal(await header(master, id), ids(batch));
  assert.equal(batch.attributes["messaging.batch.message_count"], 3);
});

test("every call that adds", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  const worker = cluster.worker().process((job) => job.headers.traceparent?.slice(3, -3));
  await worker.ready();
  const results = await request(async () => [
    await master.run("a"),
    ...(await master.runMany(["b"])).map(({ value }) => value),
    await master.result((await master.addFlow([new NewJob("c", { result: true })])).jobs[0].id),
    await master.result((await worker.addMany([{ payload: "d", result: true }]))[0].id),
    (await master.runEach(["e"]).next()).value.value,
  ]);
  assert.deepEqual((await spans("add", 5)).map(ids), results);
});

test("a batch has one span", async (t) => {
  const cluster = new Cluster(t);
  const master = cluster.master();
  await request(() => Promise.all([master.addJobs([1, 2]), master.addJob(3)]));
  cluster.worker().processBatches(() => Promise.reject(new RangeError("all of them")), { size: 3, wait: 5000 });
  const [processed] = await spans("process");
  assert.deepEqual(links(processed).sort(), (await spans("add", 2)).map(ids).sort());
  assert.equal(processed.attributes["messaging.batch.message_count"], 3);
  assert.deepEqual(outcomes([processed]), [["failed", SpanStatusCode.ERROR]]);
});

test("a refused add has an error", async (t) => {
  const master = new Cluster(t).master();
  for (const options of [{ priority: "high" }, { task: [] }, { headers: 5 }, { unknown: 1 }, 5]) {
    exporter.reset();
    await request(() => assert.rejects(master.add({}, options), { code: "SWARM_INVALID_ARGUMENT" }));
    const [added] = await spans("add");
    assert.deepEqual([added.status.code, added.attributes["error.type"]], [SpanStatusCode.ERROR, "InvalidArgumentError"]);
  }
});

test("a program that does not use it does not load it", async (t) => {
  const program = new Program(t, `
    const [master, worker] = [assemblage.createMaster(args[0], url), assemblage.createWorker(args[0], url)];
    worker.process((job) => job.payload);
    master.run(7).then(async (result) => {
      say("done", result, Object.keys(require.cache).filter((file) => file.includes("opentelemetry")));
      await worker.terminate();
      await master.close();
    });
  `, { args: [new Cluster(t).name] });
  assert.deepEqual(await program.prints("done"), [7, []]);
  assert.equal(await program.end(), 0);
});
