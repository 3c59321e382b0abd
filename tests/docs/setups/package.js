import { createMaster, createWorker } from "assemblage";

const url = "redis://localhost:6379";
const [master, worker] = [createMaster("around", url), createWorker("around", url)];
const [image, report, images] = [{}, {}, ["a", "b"]];
worker.process({ resize: () => "resized", "": (job) => job.payload });
// BLOCK
await worker.terminate();
await master.close();
