import testing, { TestJob, cluster, privateRedis, type TestCluster, type TestFinish } from "assemblage/testing";
import type { Job, Master, Worker } from "assemblage";

const swarm: TestCluster = cluster({ lease: 5000 });
const master: Master = await swarm.master();
const worker: Worker<number, number> = await swarm.worker((job: Job<number, number>) => job.payload * 2, { slots: 2 });
await swarm.worker({ mail: (job) => job.payload }, {});
await swarm.advance(60_000);
await swarm.settled({ timeout: 100 });
await swarm.close();
const url: string = privateRedis() + testing.privateRedis();
const test = new TestJob({ user: 7 }, { attempt: 2, headers: { trace: "t" }, lastCheckpoint: 5, inputs: { a: { state: "completed", result: 3 } } });
const user: number = test.job.payload.user;
const finish: TestFinish | undefined = test.finish;
test.cancel();
// @ts-expect-error there is no such option
new TestJob(1, { attempts: 2 });
console.log(master, worker, url, user, finish, test.progress, test.checkpoints, test.log);
