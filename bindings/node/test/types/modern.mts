// An ES module in the modern manner.

import assemblage, {
  createMaster, createSupervisor, createWorker, JobFailedError, NewJob, PermanentFailure, ready, RateLimited, RetryAfter, RunTimeoutError, setLogger, SwarmError, TimeoutError,
} from "assemblage";
import type { ProcessExit, ProcessInfo, Supervisor } from "assemblage";
import type { Added, Candidate, Health, Job, JobInfo, JobOutcome, JobPage, Master, MemberInfo, MemberRef, Message, Queues, Receipt, Stats, Worker } from "assemblage";

interface Sum {
  a: number;
  b: number;
}

const master: Master = createMaster("sums", { url: "redis://localhost", lease: 15_000, sentinels: ["a:1"] });
const worker: Worker<Sum, number> = createWorker<Sum, number>("sums", { slots: 8, requeue: "front" });
const id: string = await master.addJob({ a: 1, b: 2 }, { id: "one", result: true, resultTtl: 60_000 });
const ids: string[] = await master.addJobs([1, 2, 3], { result: true });
const added: Added = await master.add(0);
const many: Added[] = await master.addMany([{ payload: 0, id: "zero" }, { id: "nothing" }]);
const sum: number = await master.run<number>({ a: 1, b: 2 }, { timeouts: { total: 5000 }, signal: AbortSignal.timeout(100) });
const outcomes: JobOutcome<number>[] = await master.runMany<number>([1, new NewJob(2, { priority: 5 })], {
  keep: true, timeout: 1000, retries: 3, backoff: { type: "exponential", delay: 10, max: 100, jitter: 0.2 }, headers: { trace: "1" },
});
for (const outcome of outcomes) console.log(outcome.status === "fulfilled" ? outcome.value.toFixed() : outcome.reason.code);
for await (const { kind, fence, dueAt } of master.events({ after: "0" })) if (kind === "missed") console.log(fence + 1, dueAt?.toFixed());
for await (const { position, id: which } of master.runEach([1, 2], { task: "double", resource: "r", unique: { key: "s", until: "end", onConflict: "attach" }, limits: ["a", { name: "b", cost: 2 }] })) console.log(position + 1, which.length);
await master.addMany([new NewJob({}), { payload: 1, runAt: new Date() }, { delay: 5 }], { ephemeral: true, durability: "fsync" });
const info: JobInfo<Sum> | null = await master.job<Sum>(id);
console.log(info?.state === "failed" ? info.failedAt : info?.payload.a, info?.progress?.done);
const page: JobPage = await master.jobs("failed", { limit: 10 });
const rest: JobPage = await master.jobs("failed", { after: page.next });
const queues: Queues = await master.queues();
const members: MemberInfo[] = await master.members();
const chooser: string = queues.chooser;
await master.choose<Sum>((job, workers) => workers.find((worker) => worker.room > 1 && worker.name === `${job.payload.a}`), { within: 500, tasks: ["", "t"] });
await master.choose(async (job, [least]: Candidate[]) => (job.attempt > 1 ? null : least?.incarnation));
master.choose(() => {}, null, (error) => console.log(error?.code));
await master.stopChoosing();
// @ts-expect-error neither a worker nor none
await master.choose(() => 7);
const receipt: Receipt = await master.send("all", { n: 1 });
const { replies, missing }: Receipt<number> = await worker.send<number>({ group: "g" }, Buffer.of(1), { request: 100, toSelf: true });
for (const { from, payload } of replies) console.log(from.pid, payload?.toFixed(), missing.length + receipt.dropped);
worker.send({ pid: 1, host: "h" }, 1, { acknowledged: 5 }, (error, reported) => console.log(error?.code, reported?.recipients[0]));
master.send({ name: "n" }, 1, (error) => console.log(error));
// @ts-expect-error the recipient is missing
await master.send({ groups: "g" }, 1);
const arrived = (message: Message<string>) => {
  if (message.wantsReply) message.reply(message.payload.length);
};
master.on("message", arrived).once("member", (change, member) => console.log(change === "lost", member.role === "worker", member.incarnation));
worker.on("message", ({ from, payload, payloadBytes }) => console.log(from.host, payload, payloadBytes.length));
// @ts-expect-error there is no such change
worker.on("member", (change) => console.log(change === "died"));
const confirmed: MemberRef[] = await master.confirmations(2, "up");
await worker.confirm("up");
worker.exitOnKill().exitOnKill({ grace: 1000, onKill: async (code: number, from: MemberRef) => console.log(code, from.name) });
await worker.setData({ shard: 7 });
console.log(members[0]?.data.shard, members[0]?.dropped, confirmed.length);
const known: boolean = await master.setWorkerSlots(members[0]!.incarnation, 4);
master.pauseWorker("x", (error, there) => console.log(error, there === known, members[0]?.paused));
await master.resumeWorker("x");
console.log(worker.setSlots(3).pause().resume().paused);
const child: Added = await worker.add({ n: 1 }, { id: "child", ephemeral: true });
worker.addMany([{ payload: 1, delay: 5 }, new NewJob(2)], { task: "t" }, (error, jobs) => console.log(error, jobs?.[0]?.existed, child.id));
createWorker<Sum, number>("sums").processBatches((jobs) => jobs.map(({ payload }) => payload.a + payload.b), { size: 100, wait: 50, by: "task", slots: 200 });
createWorker<Sum, number>("sums").processBatches({ sum: async (jobs) => void (await jobs[0]!.complete(1)) }, { size: 2 });
createWorker<Sum, number>("sums").processBatches(() => {}, { size: 2, by: "group" });
// @ts-expect-error a batch has a size
worker.processBatches(() => {}, { wait: 1 });
// @ts-expect-error a worker awaits no results
await worker.run(1);
await master.pause();
await master.resume("double");
const revived: number = await master.retryFailed([id]);
const forgotten: number = await master.deleteFailed();
// @ts-expect-error there is no such state
await master.jobs("lost");
// @ts-expect-error a part that a backoff does not have
await master.add(1, { backoff: { pause: 1 } });
const later: unknown = await master.result(id, { timeout: 100 });
const deleted: string | false = await master.deleteJob(id);
const existed: boolean[] = await master.deleteJobs(ids);
const stats: Stats = await master.stats();
const health: Health = master.health();
await master.ready();

worker.process(async (job, { signal }) => {
  signal.throwIfAborted();
  const fence: number = job.fence;
  return job.payload.a + job.payload.b + fence * 0;
}, { slots: 8 });
worker.on("add", (job: Job<Sum, number>) => {
  job.signal.addEventListener("abort", () => console.log(job.deleteReason));
  void job.complete(3);
  void job.fail(new Error("no"));
  void job.release();
});
createWorker("sums", { slots: 9, prioritySlots: { 1: 3 }, strictSlots: true, prefetch: 2, tasks: ["a", ""], rebalance: true, failedMax: 5, failedTtl: 1000, completedMax: 5 })
  .process({
    add: (job) => job.payload.a + job.payload.b,
    mail: async (job) => {
      job.progress({ done: 0.5 });
      job.checkpoint({ page: job.lastCheckpoint?.page ?? 1 });
      job.log(`attempt ${job.attempt}`);
      if (job.attempt + job.retriesLeft > 3) throw new RetryAfter(1000, "busy");
      if (job.crashes > 1) throw new RateLimited(1000, "api");
      throw new PermanentFailure(`${job.task} ${job.headers.trace} ${job.resource} ${job.priority}`, { cause: 1 });
    },
  })
  .on("add", (job) => {
    void job.retry(new Error("later"), 100);
    job.failPermanently("never", (error) => console.log(error?.code));
  });
worker.on("completed", (job, result) => console.log(job.id, result.toFixed()))
  .on("failed", (job, error) => console.log(job.attempt, error.stack))
  .once("retrying", (job, error, delay) => console.log(JSON.stringify(job), error.message, delay.toFixed()));
createWorker("sums", new URL("redis://localhost")).process(() => 1, { slots: Infinity });
createWorker("sums", { url: new URL("redis://localhost"), handleSignals: false });
createMaster("sums", "redis://localhost").run(1, { id: "one", onExisted: () => {} }, (error, result, existed) => console.log(error, result, existed satisfies boolean));
// @ts-expect-error many jobs are iterable
await master.addJobs(5);
// @ts-expect-error a result of another type
worker.process(async () => "text");
const gone: boolean = await worker.deleteJob(id);
await worker.drain();
await worker.terminate({ grace: 1000 });
await master.close();

const supervisor: Supervisor = createSupervisor({ grace: 100, backoff: { type: "fixed", delay: 5 }, maxRespawns: 0, lines: true }).handleSignals();
const [first = 0]: number[] = await supervisor.spawn("sh", ["-c", 1], { env: { A: "b", B: undefined }, cpus: [0], count: 2, ready: "explicit" });
supervisor.spawn("true", { cpus: "0,2-3" }, (error, ids) => console.log(error?.code, ids?.length));
supervisor.on("exited", ({ reason, code, signal, respawn }: ProcessExit) => console.log(reason === "code" ? code?.toFixed() : signal, respawn))
  .on("line", ({ line, stream }) => console.log(stream === "stderr", line.toString("latin1")))
  .once("reloadFailed", ({ id: at, error }) => console.log(at, error.retryable))
  .once("stopped", () => {});
// @ts-expect-error there is no such event
supervisor.on("crashed", () => {});
// @ts-expect-error no shell reads commands
await supervisor.spawn("true", [], { shell: true });
await supervisor.kill(first);
supervisor.reload((error) => console.log(error?.code));
const states: ProcessInfo["state"][] = supervisor.list().map(({ state }) => state);
await supervisor.stop();
const wanted: boolean = ready();
void [states, wanted];

setLogger(({ level, target, message }) => console.log(level, target, message), { level: "debug" });
setLogger(null);
assemblage.createMaster("sums");

try {
  await master.run({});
} catch (error) {
  if (error instanceof JobFailedError) console.log(error.reason, error.code);
  else if (error instanceof RunTimeoutError) console.log(error.reason);
  else if (error instanceof TimeoutError || error instanceof SwarmError) console.log(error.retryable);
}
void [rest, queues, chooser, members, revived, forgotten, added, many, sum, later, deleted, gone, existed, stats, health, assemblage.version];
