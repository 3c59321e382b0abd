import { NewJob, createMaster, createWorker } from "assemblage";

const url = "redis://localhost:6379";
const [master, worker] = [createMaster("docs", url), createWorker("docs", url)];
worker.process({ resize: (job) => `small ${job.payload}`, "": (job) => job.payload });
// BLOCK
await worker.terminate();
await master.close();
