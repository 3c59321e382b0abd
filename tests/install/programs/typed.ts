import { createMaster, createWorker, type Job } from "assemblage";

const name: string = `install-${process.pid}`;
const address: string | undefined = process.env.SWARM_REDIS_URL;
const worker = createWorker(name, address).process((job: Job) => (job.payload as { n: number }).n * 2);
const master = createMaster(name, address);

async function main(): Promise<void> {
  console.log(await master.run({ n: 21 }));
  await worker.terminate();
  await master.obliterate();
  await master.close();
}

void main();
