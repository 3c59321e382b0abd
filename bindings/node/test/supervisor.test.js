"use strict";
// Supervisors of real processes, in this process.

const assert = require("node:assert/strict");
const { readFileSync } = require("node:fs");
const path = require("node:path");
const { test } = require("node:test");
const { Worker: Thread } = require("node:worker_threads");
const { assemblage, atEnd, called, next, until } = require("./support.js");

const root = path.join(__dirname, "..");
/** A program of Node that can report when it is ready. */
const node = (source) => ["-e", `const { ready } = require(${JSON.stringify(root)}); ${source}`];
const sh = (script) => ["-c", script];
const EVENTS = ["started", "ready", "exited", "gaveUp", "line", "dropped", "reloaded", "reloadFailed", "signal", "stopped"];

/** A supervisor that ends with the test, and all it has reported. */
function supervise(t, options) {
  const supervisor = assemblage.createSupervisor({ grace: 300, backoff: { delay: 10, max: 40 }, forward: false, lines: true, ...options });
  atEnd(t, () => supervisor.stop());
  const reported = [];
  for (const name of EVENTS) supervisor.on(name, (about) => reported.push([name, about]));
  const of = (name) => reported.filter(([which]) => which === name).map(([, about]) => about);
  const received = (name, nth = 1) => until(() => of(name)[nth - 1] ?? of(name).length >= nth, `${name} ${nth}: ${JSON.stringify(reported)}`);
  return { supervisor, reported, of, received };
}

function runs(pid) {
  try {
    return !/^\d+ \(.*\) [ZX]/s.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch {
    return false;
  }
}

test("a process that fails is respawned until it is given up, and a reload starts it again", async (t) => {
  const { supervisor, reported, of, received } = supervise(t, { maxRespawns: 2, backoff: { type: "fixed", delay: 15, jitter: 0 } });
  assert.deepEqual(await supervisor.spawn("/bin/sh", sh("exit 7"), { name: "seven" }), [1]);
  assert.deepEqual(await received("gaveUp"), { id: 1, name: "seven" });
  assert.deepEqual(reported.map(([name]) => name), [
    "started", "ready", "exited", "started", "ready", "exited", "started", "ready", "exited", "gaveUp",
  ]);
  const [{ pid, ...first }, , last] = of("exited");
  assert.equal(pid, of("started")[0].pid);
  assert.deepEqual(first, { id: 1, name: "seven", reason: "code", code: 7, signal: null, message: "exited with code 7", respawn: 15 });
  assert.equal(last.respawn, null);
  const [{ startedAt, ...info }] = supervisor.list();
  assert.deepEqual(info, { id: 1, name: "seven", pid: null, state: "gave_up", restarts: 2 });
  assert.ok(Math.abs(Date.now() - startedAt) < 20_000);
  await supervisor.reload();
  await received("reloaded");
  assert.ok(of("started").length >= 4);
});

test("code 0 and respawn: false end a process for good, a signal has its name, a command may not be there", async (t) => {
  const { supervisor, of } = supervise(t);
  const end = async (...spawn) => {
    const [id] = await supervisor.spawn(...spawn);
    const { pid, name, ...exit } = await until(() => of("exited").find((exited) => exited.id === id), "the exit");
    await until(() => supervisor.list().every((info) => info.id !== id), "it is listed no more");
    return exit;
  };
  const exit = { code: null, signal: null, respawn: null };
  assert.deepEqual(await end("/bin/sh", sh("exit 0")), { ...exit, id: 1, reason: "code", code: 0, message: "exited with code 0" });
  assert.deepEqual(await end("/bin/sh", sh("kill -9 $$"), { respawn: false }), {
    ...exit, id: 2, reason: "signal", signal: "SIGKILL", message: "was ended by signal 9",
  });
  const { message, ...missing } = await end("/nowhere/at/all", { respawn: false });
  assert.deepEqual(missing, { ...exit, id: 3, reason: "not_started" });
  assert.match(message, /could not be started: .*No such file/);
  assert.equal(of("started").length, 2);
});

test("arguments, environment, working directory, CPUs and names reach the process; lines come back as bytes", async (t) => {
  const { supervisor, of, received } = supervise(t);
  const script = 'printf "%s|" "$@" "$GREETING" "$NUMBER" "${GONE-unset}" "$PWD" "$SWARM_PROCESS_NAME" "$SWARM_SUPERVISOR_PID"; echo; printf "\\377\\000x" >&2';
  await supervisor.spawn("/bin/sh", [...sh(script), "sh", "ä b", "", 5], {
    env: { GREETING: "a=b\nc", NUMBER: 7, GONE: undefined }, cwd: "/", cpus: [0], name: "ä",
  });
  await received("exited");
  const lines = of("line");
  const out = lines.filter(({ stream }) => stream === "stdout").map(({ line }) => String(line)).join("\n");
  assert.equal(out, `ä b||5|a=b\nc|7|unset|/|ä|${process.pid}|`);
  const [{ line, pid, name }] = lines.filter(({ stream }) => stream === "stderr");
  assert.deepEqual([line, pid, name], [Buffer.from([255, 0, 120]), of("started")[0].pid, "ä"]);
});

test("a flood of lines comes whole and in order, or what is missing is counted", async (t) => {
  const { supervisor, of, received } = supervise(t);
  await supervisor.spawn("/bin/sh", sh("i=0; while [ $i -lt 20000 ]; do echo $i; i=$((i+1)); done"));
  await received("exited");
  const dropped = of("dropped").reduce((sum, { lines }) => sum + lines, 0);
  const numbers = of("line").map(({ line }) => Number(line));
  assert.equal(numbers.length + dropped, 20_000);
  assert.ok(numbers.every((number, i) => i === 0 || number > numbers[i - 1]));
});

test("several of a program have ids of their own; kill ends one with its group, for good", async (t) => {
  const { supervisor, of, received } = supervise(t);
  assert.deepEqual(await supervisor.spawn("/bin/sh", sh("sleep 1000 & echo $!; wait"), { count: 3 }), [1, 2, 3]);
  await received("line", 3);
  const { pid } = supervisor.list()[1];
  const child = Number(of("line").find((line) => line.pid === pid).line);
  assert.ok(runs(child));
  await supervisor.kill(2);
  assert.deepEqual([runs(pid), runs(child)], [false, false]);
  assert.deepEqual(supervisor.list().map(({ id, state }) => [id, state]), [[1, "ready"], [3, "ready"]]);
  await assert.rejects(supervisor.kill(2), assemblage.NotFoundError);
  const [error] = await called((callback) => supervisor.kill(NaN, callback));
  assert.equal(error.code, "SWARM_NOT_FOUND");
});

test("a program of Node reports that it is ready; one that does not is stopped", async (t) => {
  const { supervisor, of, received } = supervise(t);
  const report = "console.log(JSON.stringify([ready(), ready(), process.env.SWARM_READY_FD ?? null])); setInterval(() => {}, 1000)";
  await supervisor.spawn(process.execPath, node(report), { ready: "explicit" });
  await received("ready");
  await received("line");
  assert.equal(String(of("line")[0].line), "[true,false,null]");
  await supervisor.spawn("/bin/sh", sh("sleep 1000"), { ready: "explicit", readyTimeout: 50, respawn: false });
  const { reason } = await received("exited");
  assert.equal(reason, "not_ready");
  assert.equal(of("ready").length, 1);
});

test("ready() without a supervisor is false; a descriptor that is none is refused, and so is a thread", async () => {
  assert.equal(assemblage.ready(), false);
  for (const value of ["", "x", "1", "-5", "999999", "99999999999999999999"]) {
    process.env.SWARM_READY_FD = value;
    assert.throws(() => assemblage.ready(), assemblage.InvalidArgumentError, value);
    assert.equal(process.env.SWARM_READY_FD, undefined);
  }
  const source = `
    const { parentPort, workerData } = require("node:worker_threads");
    const { createSupervisor, ready } = require(workerData);
    const tries = [ready, () => { process.env.SWARM_READY_FD = "5"; ready(); }, () => createSupervisor().handleSignals()];
    parentPort.postMessage(tries.map((attempt) => { try { return attempt() } catch (error) { return error.code } }));`;
  const [printed] = await next(new Thread(source, { eval: true, workerData: root }), "message");
  assert.deepEqual(printed, [false, "SWARM_INVALID_ARGUMENT", "SWARM_INVALID_ARGUMENT"]);
});

test("a reload replaces processes one after another", async (t) => {
  const { supervisor, reported, of, received } = supervise(t);
  await supervisor.spawn("/bin/sh", sh("echo >/dev/fd/$SWARM_READY_FD; sleep 1000"), { ready: "explicit", count: 2 });
  await received("ready", 2);
  const old = supervisor.list().map(({ pid }) => pid);
  reported.length = 0;
  await supervisor.reload();
  assert.deepEqual(reported.map(([name, about]) => [name, about?.id]), [
    ["started", 1], ["ready", 1], ["exited", 1], ["started", 2], ["ready", 2], ["exited", 2], ["reloaded", undefined],
  ]);
  assert.ok(of("exited").every(({ pid, signal, respawn }, i) => pid === old[i] && signal === "SIGTERM" && respawn === null));
});

test("a reload that fails reports where and why, and the old processes run on", async (t) => {
  const { supervisor, of, received } = supervise(t);
  const script = 'if [ "$SEEN" ]; then exit 3; fi; echo >/dev/fd/$SWARM_READY_FD; sleep 1000';
  await supervisor.spawn("/bin/sh", sh(script), { ready: "explicit" });
  await received("ready");
  const before = supervisor.list();
  process.env.SEEN = "1";
  try {
    await assert.rejects(supervisor.reload(), { code: "SWARM_UNAVAILABLE", message: /sh \(id 1\).*exited with code 3/ });
  } finally {
    delete process.env.SEEN;
  }
  const { id, error } = await received("reloadFailed");
  assert.deepEqual([id, error.code, error instanceof assemblage.UnavailableError], [1, "SWARM_UNAVAILABLE", true]);
  assert.deepEqual(supervisor.list(), before);
});

test("a stop ends all processes at once, after the grace by force, is answered twice, and is the last that is reported", async (t) => {
  const { supervisor, reported, of, received } = supervise(t);
  await supervisor.spawn("/bin/sh", sh("trap '' TERM; echo up; while :; do sleep 1; done"), { count: 2 });
  await supervisor.spawn("/bin/sh", sh("sleep 1000"));
  await received("line", 2);
  await received("started", 3);
  const pids = of("started").map(({ pid }) => pid);
  const stops = [supervisor.stop(), called((callback) => supervisor.stop(callback))];
  const reload = supervisor.reload();
  await assert.rejects(reload, assemblage.ClosedError);
  assert.deepEqual(await Promise.all(stops), [undefined, [null]]);
  assert.deepEqual(reported.at(-1), ["stopped", undefined]);
  assert.deepEqual(pids.filter(runs), []);
  assert.deepEqual(of("exited").map(({ signal }) => signal).sort(), ["SIGKILL", "SIGKILL", "SIGTERM"]);
  assert.deepEqual(supervisor.list(), []);
  const count = reported.length;
  await supervisor.stop();
  await assert.rejects(supervisor.spawn("/bin/sh"), assemblage.ClosedError);
  await assert.rejects(supervisor.reload(), assemblage.ClosedError);
  await assert.rejects(supervisor.kill(1), assemblage.ClosedError);
  assert.throws(() => supervisor.handleSignals(), assemblage.ClosedError);
  assert.equal(reported.length, count);
});

test("invalid options are refused before anything is started", async (t) => {
  for (const options of [
    { grace: -1 }, { grace: 3_600_001 }, { backoff: "often" }, { backoff: { type: "wild" } }, { backoff: { pause: 1 } }, { maxRespawns: 10_001 },
    { lineBuffer: 5 }, { forward: "perhaps" }, { healthy: NaN }, { graze: 5 }, { max_respawns: 5 },
  ]) {
    assert.throws(() => assemblage.createSupervisor(options), assemblage.InvalidArgumentError, JSON.stringify(options));
  }
  const { supervisor, reported } = supervise(t);
  for (const program of [
    [""], [7], ["a\0b"], ["sh", "text"], ["sh", ["\0"]], ["sh", [], { count: 0 }], ["sh", { count: 1001 }], ["sh", { count: 1.5 }], ["sh", { cpus: [1024] }],
    ["sh", { cpus: "3-1" }], ["sh", { ready: "later" }], ["sh", { readyTimeout: 0 }], ["sh", { env: { "A=B": 1 } }], ["sh", { env: { "": 1 } }],
    ["sh", { env: "A=B" }], ["sh", { name: "" }], ["sh", { shell: true }], ["sh", { cwd: "\0" }],
  ]) {
    await assert.rejects(supervisor.spawn(...program), assemblage.InvalidArgumentError, JSON.stringify(program));
  }
  await assert.rejects(supervisor.spawn("sh", { name: "n".repeat(257) }), assemblage.TooLargeError);
  const [error] = await called((callback) => supervisor.spawn("", callback));
  assert.equal(error.code, "SWARM_INVALID_ARGUMENT");
  assert.deepEqual([supervisor.list(), reported], [[], []]);
  const [none, ids] = await called((callback) => supervisor.spawn("sh", sh("exit"), null, callback));
  assert.deepEqual([none, ids], [null, [1]]);
});
