import { createMaster, createWorker } from "assemblage";

const url = "redis://localhost:6379";
const [master, worker] = [createMaster("docs", url), createWorker("docs", url)];
worker.process({
  cut: () => {},
  encode: (job) => job.payload,
  join: async (job) => `${Object.keys(await job.inputs()).length} parts`,
});
// BLOCK
await worker.terminate();
await master.close();
