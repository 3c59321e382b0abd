import { createMaster, createWorker } from "assemblage";

const url = "redis://localhost:6379";
const worker = createWorker("docs", url);
// BLOCK
const master = createMaster("docs", url);
const taken = new Promise((resolve) => worker.once("add", (job) => job.once("delete", resolve) && setImmediate(() => job.deleteJob())));
await master.addJob({ user: 7 });
await taken;
await worker.terminate();
await master.close();
