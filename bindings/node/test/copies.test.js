"use strict";
// Two copies of the package in one process take each other's objects for what they are.

const assert = require("node:assert/strict");
const { cpSync, mkdtempSync, readdirSync, rmSync } = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { after, test } = require("node:test");
const proletariat = require("./proletariat/support.js");
const queues = require("./redis-dist-job-queue/support.js");
const { Program, atEnd, called, until, url } = require("./support.js");

const root = path.join(__dirname, "..");
const copy = mkdtempSync(path.join(os.tmpdir(), "assemblage-copy-"));
for (const name of ["index.js", "lib", "proletariat", "redis-dist-job-queue", "clustr-node", ...readdirSync(root).filter((each) => each.endsWith(".node"))]) {
  cpSync(path.join(root, name), path.join(copy, name), { recursive: true });
}
after(() => rmSync(copy, { recursive: true }));
const other = require(copy);

test("redis-dist-job-queue: params that are a NewJob of another copy stay params", async (t) => {
  const { NewJob } = require("..");
  const queue = queues.queueOf(t, { tasks: ["echo"] });
  const folder = queues.folderOf(t);
  queue.start();
  for (const [n, Class] of [NewJob, other.NewJob].entries()) {
    const params = Object.assign(new Class("payload", { priority: 3 }), { n, file: folder.path("out") });
    await queues.submit(queue, "echo", { params });
  }
  await until(() => queue.reported.jobSuccess.length === 2, "both are performed");
  for (const { params } of queue.reported.jobSuccess) assert.deepEqual([params.payload, params.options], ["payload", { priority: 3 }]);
});

test("redis-dist-job-queue: errors of another copy are errors, and those of a queue are known to it", async (t) => {
  const queue = new (require(path.join(copy, "redis-dist-job-queue")))({ redisConfig: queues.redisConfig() });
  await called((done) => queue.shutdown(done));
  const [error] = await called((done) => queue.submitJob("x", {}, done));
  for (const { ClosedError, SwarmError } of [require(".."), other]) assert.ok(error instanceof ClosedError && error instanceof SwarmError);
  assert.ok(!(error instanceof require("..").TooLargeError));
});

test("proletariat: parts of two copies work together, and pass on each other's errors", async (t) => {
  const parts = new proletariat.Parts(t);
  const { Client } = require(path.join(copy, "proletariat"));
  const client = new Client({ ...parts.options, redis: url });
  atEnd(t, () => client.close());
  const failure = new other.TooLargeError("of the other copy");
  parts.worker((w, handler) => (w.args === "fails" ? handler(failure) : handler(null, w.args)));
  assert.deepEqual(await called((cb) => client.work("x", cb)), [null, "x"]);
  const [error] = await called((cb) => client.work("fails", cb));
  assert.deepEqual([error.message, error.code], ["of the other copy", "SWARM_TOO_LARGE"]);
});

test("parts of two copies leave together at a signal", async (t) => {
  const parts = new proletariat.Parts(t, { lease: 120_000 });
  const it = new Program(t, `
    for (const folder of ${JSON.stringify([root, copy])}) {
      const { Worker } = require(folder + "/proletariat");
      const worker = new Worker({ ...${JSON.stringify(parts.options)}, slots: 1 });
      worker.on("work", () => say("work"));
      worker.start();
    }
    say("listeners", process.listenerCount("SIGTERM"));`);
  assert.deepEqual(await it.prints("listeners"), [1]);
  const client = parts.client();
  client.work(["a", "b"], () => {});
  await it.prints("work", 2);
  client._peer._neighbours.close();
  it.child.kill("SIGTERM");
  assert.equal(await it.end(), "SIGTERM");
  await until(async () => (await client._peer.master.stats()).waiting === 2, "both have left");
  assert.equal((await client._peer.master.stats()).crashes, 0);
});
