import { createMaster, createWorker } from "assemblage";

const url = "redis://localhost:6379";
const [master, worker] = [createMaster("docs", url), createWorker("docs", { url, name: "one" })];
worker.on("add", () => {});
// BLOCK
await worker.terminate();
await master.close();
