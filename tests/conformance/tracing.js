"use strict";
// A program with OpenTelemetry: adds a job, or runs the jobs of a task, and prints the spans as lines of JSON when its stdin ends.

const path = require("node:path");
const { createRequire } = require("node:module");
const library = createRequire(path.join(__dirname, "../../bindings/node/package.json"));
const { context, trace } = library("@opentelemetry/api");
const { AsyncLocalStorageContextManager } = library("@opentelemetry/context-async-hooks");
const { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } = library("@opentelemetry/sdk-trace-base");
const { createMaster, createWorker } = library("./index.js");

const [cluster, url, action] = process.argv.slice(2);
const exporter = new InMemorySpanExporter();
trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }));
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());

const idsOf = ({ traceId, spanId }) => [traceId, spanId];

async function main() {
  let member;
  if (action === "add") {
    member = createMaster(cluster, url);
    await trace.getTracer("program").startActiveSpan("request", (span) => member.addJob("from node", { task: "python" }).finally(() => span.end()));
  } else {
    member = createWorker(cluster, { url, trace: action });
    member.process({ node: () => {} });
  }
  process.stdin.resume().on("end", async () => {
    await (member.terminate?.() ?? member.close());
    for (const span of exporter.getFinishedSpans()) {
      const parent = span.parentSpanContext && idsOf(span.parentSpanContext);
      console.log(JSON.stringify({ name: span.name, span: idsOf(span.spanContext()), parent, links: span.links.map((link) => idsOf(link.context)) }));
    }
  });
}

main();
