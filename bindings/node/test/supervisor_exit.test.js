"use strict";
// How supervisors and the programs they are in end: by signals, by themselves, by force. No orphan processes.

const assert = require("node:assert/strict");
const { readFileSync } = require("node:fs");
const { test } = require("node:test");
const { Program, until } = require("./support.js");

function runs(pid) {
  try {
    return !/^\d+ \(.*\) [ZX]/s.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch {
    return false;
  }
}

const HEAD = `
  const supervisor = assemblage.createSupervisor({ grace: 300, forward: false, lines: true, backoff: 10 });
  for (const name of ["ready", "signal", "reloaded", "stopped"]) supervisor.on(name, (about) => say(name, about?.pid ?? about ?? null));
  supervisor.on("line", ({ line }) => say("line", Number(line)));
  process.on("exit", (code) => say("exit", code));
`;
/** A process with a child, whose number it writes. */
const FAMILY = `supervisor.spawn("/bin/sh", ["-c", "sleep 1000 & echo $!; wait"]);`;

const program = (t, source) => new Program(t, HEAD + source);

async function family(it) {
  const [pid] = await it.prints("ready");
  const [child] = await it.prints("line");
  assert.ok(runs(pid) && runs(child));
  return [pid, child];
}

test("a supervisor keeps its process alive from the first spawn until it has stopped", async (t) => {
  const idle = program(t, "");
  assert.equal(await idle.end(), 0);
  assert.deepEqual(idle.printed, [["exit", 0]]);
  const refused = program(t, `supervisor.spawn("", (error) => say(error.code));`);
  assert.equal(await refused.end(), 0);
  assert.deepEqual(refused.printed, [["SWARM_INVALID_ARGUMENT"], ["exit", 0]]);
  const it = program(t, `supervisor.on("exited", () => say("exited")); process.stdin.once("data", () => { process.stdin.destroy(); supervisor.stop(); });
    supervisor.spawn("/bin/sh", ["-c", "exit 0"]);`);
  await it.prints("exited");
  it.child.stdin.write("go\n");
  assert.equal(await it.end(), 0);
  assert.deepEqual(it.printed.slice(-2), [["stopped", null], ["exit", 0]]);
  assert.equal(it.errors, "");
});

test("SIGHUP reloads, SIGTERM stops, and the program ends by itself", async (t) => {
  const it = program(t, `supervisor.handleSignals().handleSignals(); ${FAMILY}`);
  const old = await family(it);
  it.child.kill("SIGHUP");
  assert.deepEqual(await it.prints("signal"), ["SIGHUP"]);
  await it.prints("reloaded");
  const [pid] = await it.prints("ready", 2);
  assert.deepEqual(old.filter(runs), []);
  it.child.kill("SIGTERM");
  assert.equal(await it.end(), 0);
  assert.deepEqual(it.printed.slice(-3), [["signal", "SIGTERM"], ["stopped", null], ["exit", 0]]);
  assert.ok(!runs(pid));
  assert.equal(it.errors, "");
});

test("after a stop by a signal another does not end the program", async (t) => {
  const it = program(t, `supervisor.handleSignals(); ${FAMILY}
    supervisor.once("stopped", () => setInterval(() => {}, 1000));
    process.on("SIGINT", () => { say("own"); process.exit(5); });`);
  await family(it);
  it.child.kill("SIGTERM");
  await it.prints("stopped");
  it.child.kill("SIGTERM");
  it.child.kill("SIGINT");
  assert.equal(await it.end(), 5);
  assert.deepEqual(it.printed.slice(-3), [["stopped", null], ["own"], ["exit", 5]]);
});

test("no process outlives its supervisor's process, however that ends", async (t) => {
  for (const [end, how] of [
    ["process.exit(3)", 3], ["process.kill(process.pid, 'SIGKILL')", "SIGKILL"], ["process.abort()", "SIGABRT"],
    ["process.nextTick(() => { throw new Error('of the program') })", 1],
  ]) {
    const it = program(t, `process.stdin.once("data", () => { ${end} }); ${FAMILY}`);
    const pids = await family(it);
    it.child.stdin.write("go\n");
    assert.equal(await it.end(), how);
    await until(() => !pids.some(runs), `${pids} end after ${end}`);
  }
});

test("the processes of a thread are stopped with it", async (t) => {
  const it = new Program(t, `
    const { Worker: Thread } = require("node:worker_threads");
    const source = \`
      const { parentPort, workerData } = require("node:worker_threads");
      const supervisor = require(workerData).createSupervisor({ forward: false, lines: true });
      supervisor.on("ready", ({ pid }) => parentPort.postMessage(["ready", pid]));
      supervisor.on("line", ({ line }) => parentPort.postMessage(["line", Number(line)]));
      ${FAMILY}\`;
    const thread = new Thread(source, { eval: true, workerData: ${JSON.stringify(require.resolve(".."))} });
    thread.on("message", (what) => say(...what));
    process.stdin.once("data", () => thread.terminate().then(() => say("terminated")));
  `);
  const pids = await family(it);
  it.child.stdin.write("go\n");
  await it.prints("terminated");
  await until(() => !pids.some(runs), "they end while the program goes on");
  assert.equal(it.child.exitCode, null);
});

test("supervisors come and go without a trace", async (t) => {
  const it = new Program(t, `
    const { readdirSync } = require("node:fs");
    const count = (what) => readdirSync("/proc/self/" + what).length;
    (async () => {
      const round = async () => {
        const supervisor = assemblage.createSupervisor({ forward: true });
        await supervisor.spawn("/bin/sh", ["-c", "exit 1"], { count: 3 });
        await new Promise((resolve) => supervisor.once("exited", resolve));
        await supervisor.stop();
      };
      const keep = assemblage.createSupervisor();
      for (let n = 0; n < 3; n++) await round();
      const before = [count("fd"), count("task")];
      for (let n = 0; n < 20; n++) await round();
      say("grown", count("fd") - before[0], count("task") - before[1]);
      await keep.stop();
    })();
  `);
  assert.equal(await it.end(), 0, it.errors);
  const [, fds, threads] = it.printed.find(([word]) => word === "grown");
  assert.ok(fds <= 2 && threads <= 2, `${fds} descriptors, ${threads} threads`);
});
