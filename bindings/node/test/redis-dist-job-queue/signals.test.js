"use strict";
// Processes that end by a signal leave the queue: jobs that are not over soon are performed by others, and no crash is counted.

const assert = require("node:assert/strict");
const { spawn } = require("node:child_process");
const { test } = require("node:test");
const { Program, atEnd } = require("../support.js");
const { fixture, folderOf, masterOf, queueOf, redisConfig, submit, until } = require("./support.js");

const module_ = JSON.stringify(require.resolve("../../redis-dist-job-queue"));
const params = (folder, n) => ({ n, file: folder.path("begun"), until: folder.path("go") });

/** A task's own timeout is 30 s; its process leaves within 5 s. */
const BOUND = 20_000;

function sourceOf(queue, options, source = "") {
  const all = { queueId: queue.queueId, redisConfig: redisConfig(), workerCount: 2, ...options };
  return `
    const queue = new (require(${module_}))(${JSON.stringify(all)});
    queue.registerTask(${JSON.stringify(fixture("hold30"))});
    for (const event of ["jobSuccess", "jobFail", "error", "childRestart"]) queue.on(event, (value) => say(event, value?.params ?? value?.message));
    queue.start();
    ${source}`;
}

/** Whether there is such a process. */
function lives(pid) {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** A queue, and its job that a process of `source` has begun. */
async function begun(t, make) {
  const queue = queueOf(t, { tasks: ["hold30"] });
  const folder = folderOf(t);
  const it = make(queue);
  await submit(queue, "hold30", { params: params(folder, 1) });
  const [[, pid]] = await until(() => folder.lines("begun").length && folder.lines("begun"), "begun");
  return { queue, folder, it, pid, master: masterOf(t, queue) };
}

/** The queue of this process performs the job that the other has requeued, and no crash is counted. */
async function movesOn({ queue, folder, master }, since) {
  queue.start();
  await until(() => folder.lines("begun").some(([, pid]) => pid === process.pid), "the job is performed here");
  assert.ok(performance.now() - since < BOUND, `after ${performance.now() - since} ms`);
  folder.make("go");
  await until(() => queue.reported.jobSuccess.length === 1, "it succeeds");
  const { crashes, failed, failures } = await master.stats();
  assert.deepEqual([crashes, failed, failures, queue.reported.jobFail], [0, 0, 0, []]);
}

for (const signal of ["SIGINT", "SIGTERM"]) {
  test(`a process that ends by ${signal} requeues jobs that do not finish soon`, async (t) => {
    const all = await begun(t, (queue) => new Program(t, sourceOf(queue)));
    const since = performance.now();
    all.it.child.kill(signal);
    assert.equal(await all.it.end(), signal);
    assert.deepEqual([all.it.printed, all.it.errors], [[], ""]);
    await movesOn(all, since);
  });

  test(`a job that is over soon after ${signal} is reported, and not performed again`, async (t) => {
    const { folder, it, master } = await begun(t, (queue) => new Program(t, sourceOf(queue)));
    it.child.kill(signal);
    folder.make("go");
    assert.equal(await it.end(), signal);
    assert.deepEqual(it.printed.map(([event]) => event), ["jobSuccess"]);
    const { completed, waiting, active } = await master.stats();
    assert.deepEqual([completed, waiting, active], [1, 0, 0]);
  });

  test(`a program with a handler of its own for ${signal} is left alone, and waits for its jobs`, async (t) => {
    const own = `process.on("${signal}", () => { say("own"); queue.shutdown(() => process.exit(7)); });`;
    const { folder, it, master } = await begun(t, (queue) => new Program(t, sourceOf(queue, {}, own)));
    it.child.kill(signal);
    await it.prints("own");
    assert.equal((await master.stats()).active, 1);
    folder.make("go");
    assert.equal(await it.end(), 7);
    assert.deepEqual(it.printed.map(([event]) => event), ["own", "jobSuccess"]);
  });

  test(`a child that ends by ${signal} requeues jobs that do not finish soon, and is replaced`, async (t) => {
    const all = await begun(t, (queue) => new Program(t, sourceOf(queue, { childProcessCount: 1 })));
    const since = performance.now();
    process.kill(all.pid, signal);
    await all.it.prints("childRestart");
    assert.ok(!lives(all.pid));
    await until(() => all.folder.lines("begun").length === 2, "its follower performs the job");
    assert.ok(performance.now() - since < BOUND);
    all.folder.make("go");
    await all.it.prints("jobSuccess");
    const { crashes, failures } = await all.master.stats();
    assert.deepEqual([crashes, failures, all.it.printed.filter(([event]) => event === "jobFail")], [0, 0, []]);
  });

  test(`${signal} to the whole process group, as from a terminal, ends parent and children, and the job moves`, async (t) => {
    let group;
    const all = await begun(t, (queue) => {
      group = spawn(process.execPath, ["-e", `const say = () => {}; ${sourceOf(queue, { childProcessCount: 1 })}`], { detached: true, stdio: ["ignore", "ignore", "pipe"] });
      atEnd(t, () => lives(-group.pid) && process.kill(-group.pid, "SIGKILL"));
      group.errors = "";
      group.stderr.on("data", (text) => (group.errors += text));
      group.ended = new Promise((resolve) => group.once("close", (code, by) => resolve(by ?? code)));
      return group;
    });
    const since = performance.now();
    process.kill(-group.pid, signal);
    assert.equal(await group.ended, signal);
    await until(() => !lives(all.pid), "the child is gone");
    assert.equal(group.errors, "");
    await movesOn(all, since);
  });

  test(`after ${signal} to the whole group children finish their jobs if their parent shuts the queue down`, async (t) => {
    const own = `process.on("${signal}", () => { say("own"); queue.shutdown(() => say("shut")); });`;
    const { folder, it, pid, master } = await begun(t, (queue) => new Program(t, sourceOf(queue, { childProcessCount: 1 }, own)));
    process.kill(pid, signal);
    it.child.kill(signal);
    await it.prints("own");
    const since = performance.now();
    // Longer than children wait whose parent does not shut the queue down.
    await until(() => performance.now() - since > 6000, "the grace is over");
    assert.equal((await master.stats()).active, 1);
    folder.make("go");
    assert.equal(await it.end(), 0);
    assert.deepEqual(it.printed.map(([event]) => event), ["own", "jobSuccess", "shut"]);
    assert.equal(folder.lines("begun").length, 1);
  });
}

test("a job that hangs in the children of a parent that was killed is no crash", async (t) => {
  const all = await begun(t, (queue) => new Program(t, sourceOf(queue, { childProcessCount: 1 })));
  const since = performance.now();
  all.it.child.kill("SIGKILL");
  await until(() => !lives(all.pid), "the child is gone");
  await movesOn(all, since);
});

test("with handleSignals: false a signal ends the process as it is", async (t) => {
  const queue = queueOf(t);
  const it = new Program(t, sourceOf(queue, { handleSignals: false }, `say("listeners", process.listenerCount("SIGINT"));`));
  assert.deepEqual(await it.prints("listeners"), [0]);
  it.child.kill("SIGINT");
  assert.equal(await it.end(), "SIGINT");

});
