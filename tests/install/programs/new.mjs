import { createMaster, createWorker } from "assemblage";

const name = `install-${process.pid}`;
const worker = createWorker(name, process.env.SWARM_REDIS_URL).process((job) => job.payload.n * 2);
const master = createMaster(name, process.env.SWARM_REDIS_URL);
console.log(await master.run({ n: 21 }));
await worker.terminate();
await master.obliterate();
await master.close();
