import { PermanentFailure, RetryAfter, createMaster, createWorker } from "assemblage";

const url = "redis://localhost:6379";
const [master, worker] = [createMaster("around", url), createWorker("around", url)];
const [known, busy, resize] = [(payload) => payload !== "nobody", () => true, (payload) => "resized " + payload];
// BLOCK
console.log(await master.run("a", { task: "resize" }));
for (const [payload, retries] of [["nobody", 5], ["b", 0]]) {
  await master.run(payload, { task: "mail", retries }).catch((error) => console.log(error.message));
}
await worker.terminate();
await master.close();
