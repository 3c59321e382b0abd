// An ES module in the modern manner.

import assemblage, { createMaster, createWorker, JobFailedError, setLogger, SwarmError, TimeoutError } from "assemblage";
import type { Added, Health, Job, Master, Stats, Worker } from "assemblage";

interface Sum {
  a: number;
  b: number;
}

const master: Master = createMaster("sums", { url: "redis://localhost", lease: 15_000, sentinels: ["a:1"] });
const id: string = await master.addJob({ a: 1, b: 2 }, { id: "one", result: true, resultTtl: 60_000 });
const ids: string[] = await master.addJobs([1, 2, 3], { result: true });
const added: Added = await master.add(0);
const many: Added[] = await master.addMany([{ payload: 0, id: "zero" }, { id: "nothing" }]);
const sum: number = await master.run<number>({ a: 1, b: 2 }, { timeouts: { total: 5000 }, signal: AbortSignal.timeout(100) });
const later: unknown = await master.result(id, { timeout: 100 });
const deleted: string | false = await master.deleteJob(id);
const existed: boolean[] = await master.deleteJobs(ids);
const stats: Stats = await master.stats();
const health: Health = master.health();
await master.ready();

const worker: Worker<Sum, number> = createWorker<Sum, number>("sums", { slots: 8, requeue: "front" });
worker.process(async (job, { signal }) => {
  signal.throwIfAborted();
  const fence: number = job.fence;
  return job.payload.a + job.payload.b + fence * 0;
}, { slots: 8 });
worker.on("add", (job: Job<Sum, number>) => {
  job.signal.addEventListener("abort", () => console.log(job.deleteReason));
  void job.complete(3);
  void job.fail(new Error("no"));
  void job.release();
});
// @ts-expect-error a result of another type
worker.process(async () => "text");
await worker.drain();
await worker.terminate({ grace: 1000 });
await master.close();

setLogger(({ level, target, message }) => console.log(level, target, message), { level: "debug" });
setLogger(null);
assemblage.createMaster("sums");

try {
  await master.run({});
} catch (error) {
  if (error instanceof JobFailedError) console.log(error.reason, error.code);
  else if (error instanceof TimeoutError || error instanceof SwarmError) console.log(error.retryable);
}
void [added, many, sum, later, deleted, existed, stats, health, assemblage.version];
