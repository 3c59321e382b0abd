import { createMaster, createWorker } from "assemblage";

const url = "redis://localhost:6379";
const [master, worker] = [createMaster("around", url), createWorker("around", { url, group: "resizers", name: "one" })];
const [reload, load] = [() => console.log("reloads"), () => 0.5];
// BLOCK
await worker.terminate();
await master.close();
