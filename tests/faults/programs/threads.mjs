// Makes and terminates worker_threads that use assemblage, `COUNT` in all, a few at a time: some at once, some when their
// members are registered. Prints the open descriptors and the resident memory in MiB, half way and at the end.

import { readdirSync, readlinkSync } from "node:fs";
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

const descriptors = () => readdirSync("/proc/self/fd");

function sockets() {
  let count = 0;
  for (const descriptor of descriptors()) {
    try {
      if (readlinkSync(`/proc/self/fd/${descriptor}`).startsWith("socket:")) count += 1;
    } catch {
      // The directory's own, closed again.
    }
  }
  return count;
}

/** What is used once the members of ended threads have left. */
async function used(before) {
  const deadline = Date.now() + 20_000;
  while (sockets() > before && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 20));
  globalThis.gc();
  return { descriptors: descriptors().length, memory: Math.round(process.memoryUsage().rss / 2 ** 20) };
}

async function one(url, number) {
  const until = number % 2 === 0 ? "made" : "ready";
  const thread = new Thread(new URL(import.meta.url), { workerData: url });
  await new Promise((resolve, reject) => {
    thread.on("message", (message) => message === until && resolve());
    thread.on("error", reject);
  });
  await thread.terminate();
}

async function inMain(url, count) {
  const before = sockets();
  const seen = [];
  for (let half = 0; half < 2; half += 1) {
    let started = 0;
    const several = async () => {
      while (started < count / 2) await one(url, (started += 1));
    };
    await Promise.all(Array.from({ length: AT_ONCE }, several));
    seen.push(await used(before));
  }
  console.log(JSON.stringify(seen));
}

if (isMainThread) await inMain(process.argv[2], Number(process.argv[3]));
else await inThread();
