// Makes and terminates worker_threads that use assemblage, `COUNT` in all, a few at a time: some at once, some when their
// members are registered. Prints the open descriptors and the resident memory in MiB, in the middle and at the end.

import { readdirSync } from "node:fs";
import { Worker as Thread, isMainThread, parentPort, workerData } from "node:worker_threads";
import assemblage from "../../../bindings/node/index.js";

const AT_ONCE = 4;

async function inThread() {
  const master = assemblage.createMaster("threads", { url: workerData });
  const worker = assemblage.createWorker("threads", { url: workerData });
  worker.on("add", (job) => job.complete());
  parentPort.postMessage("made");
  await Promise.all([master.ready(), worker.ready()]);
  master.addJob({ n: 1 });
  parentPort.postMessage("ready");
}

function used() {
  globalThis.gc();
  const descriptors = readdirSync("/proc/self/fd").length;
  return { descriptors, memory: Math.round(process.memoryUsage().rss / 2 ** 20) };
}

async function inMain(url, count) {
  let started = 0;
  const middle = Math.floor(count / 2);
  const seen = [];
  async function one() {
    while (started < count) {
      started += 1;
      if (started === middle) seen.push(used());
      const until = started % 2 === 0 ? "made" : "ready";
      const thread = new Thread(new URL(import.meta.url), { workerData: url });
      await new Promise((resolve, reject) => {
        thread.on("message", (message) => message === until && resolve());
        thread.on("error", reject);
      });
      await thread.terminate();
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, one));
  seen.push(used());
  console.log(JSON.stringify(seen));
}

if (isMainThread) await inMain(process.argv[2], Number(process.argv[3]));
else await inThread();
