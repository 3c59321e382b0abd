import { PermanentFailure, RetryAfter, createMaster, createWorker } from "assemblage";

const url = "redis://localhost:6379";
const worker = createWorker("docs", url);
// BLOCK
const master = createMaster("docs", url);
console.log(await master.run({ n: 2 }), await master.run("a.jpg", { task: "resize" }), await master.run("anna", { task: "mail", retries: 1 }));
await master.run("nobody", { task: "mail", retries: 5 }).catch((error) => console.log(error.code, error.message));
await worker.terminate();
await master.close();
