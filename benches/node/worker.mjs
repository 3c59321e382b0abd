// A handler that does nothing; its return completes the job.

import { createWorker } from "../../bindings/node/index.mjs";
import native from "../../bindings/node/lib/native.js";
import { SLOTS, monotonic, say } from "./payload.mjs";

export default async function work(url, cluster, nextCommand) {
  say("ready");
  const command = await nextCommand();
  if (!command) return;
  const count = command.numbers[0];
  const samples = [];
  let handled = 0;
  let allHandled;
  const all = new Promise((resolve) => (allHandled = resolve));
  const noop = () => {
    if (++handled === count) allHandled();
  };
  const measure = (job) => {
    samples.push(monotonic() - job.payload.n);
    noop();
  };
  const trace = (job) => {
    samples.push(job.payload.n, job.fence, ...native.stages(), monotonic());
    noop();
  };
  const handlers = { dispatch: measure, stages: trace };
  if (command.name === "stages") native.measureStages();
  const begun = monotonic();
  const worker = createWorker(cluster, { url, slots: SLOTS });
  worker.process(handlers[command.name] ?? noop);
  await worker.ready();
  say("started");
  // `idle` wants no job at all: that wait ends with the process.
  await all;
  if (command.name in handlers) {
    say("done", ...samples);
  } else {
    while ((await worker.stats()).active > 0);
    say("done", monotonic() - begun);
  }
  await nextCommand();
  await worker.terminate();
}
