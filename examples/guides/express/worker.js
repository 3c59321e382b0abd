// Runs the jobs of the web service: node worker.js
import { setTimeout as pause } from "node:timers/promises";
import { createWorker, PermanentFailure } from "assemblage";

const url = process.env.REDIS_URL ?? "redis://localhost:6379";
const grace = Number(process.env.GRACE ?? 20_000);
const worker = createWorker("shop", { url, slots: 20, handleSignals: false });

worker.process({
  invoice: async ({ payload, attempt }, { signal }) => {
    if (payload.prices.length === 0) throw new PermanentFailure("the order is empty");       // no retry would help
    await pause(payload.pause ?? 200, undefined, { signal });      // stands for slow work, such as the call of another service
    return { customer: payload.customer, total: payload.prices.reduce((sum, price) => sum + price, 0), attempt };
  },
});

for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, stop);

// Active jobs have `grace` to finish; what has not finished by then runs on another worker.
async function stop() {
  await Promise.race([worker.drain(), pause(grace, undefined, { ref: false })]);
  await worker.terminate();
}
