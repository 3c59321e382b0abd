import proletariat, { Client, Manager, Worker } from "assemblage/proletariat";
import type { Result, WorkOptions } from "assemblage/proletariat";

const options: WorkOptions = { runTimeout: 1000, assigntimeout: 500, keepState: true };
const client = new Client({ redis: { url: "redis://localhost", db: 2 }, lease: 5000, MAXRETRIES: 3, HOLDSIMILARWORK: true });
client.work<string>([1], options, (err, results) => console.log(results satisfies Result<string>[]));
const worker = new Worker<{ n: number }>({ allowFunctions: true, SACRED_GUARANTEES: false, redis: "redis://localhost" });
worker.on("work", (w, handler) => handler(null, w.args.n + 1));
worker.on("error", (error) => console.log(error.message));
await client.close();
await worker.stop();
await new Manager().stop();
const manager = new proletariat.Manager({ HOLDSIMILARWORK: true });
manager.workSelectWorker = (work, workers) => (work.priority > 0 ? manager.workers[Object.keys(workers)[0]!] : null);
manager.workSelectWorker = null;
// @ts-expect-error an id is no record
manager.workSelectWorker = (work, workers) => Object.keys(workers)[0];
