// Idle workers with default options, each of a cluster of its own: `idle.mjs URL PREFIX COUNT`. Writes a line when all are registered, and
// ends with its input.

import assemblage from "../../../bindings/node/index.js";

const [url, prefix, count] = process.argv.slice(2);
const workers = Array.from({ length: Number(count) }, (_, number) => assemblage.createWorker(`${prefix}-${number}`, { url }));
for (const worker of workers) worker.on("add", (job) => job.complete());
await Promise.all(workers.map((worker) => worker.ready()));
console.log("ready");
process.stdin.on("end", () => process.exit(0)).resume();
