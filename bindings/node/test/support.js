"use strict";
// What the tests share: a cluster name per test, waiting for states with a deadline, servers and child processes.

const assert = require("node:assert/strict");
const { spawn } = require("node:child_process");
const { randomBytes } = require("node:crypto");
const { mkdtempSync, rmSync } = require("node:fs");
const net = require("node:net");
const os = require("node:os");
const path = require("node:path");
const assemblage = require("..");

const url = process.env.SWARM_REDIS_URL;
assert.ok(url, "run the tests with: npm test");

const DEADLINE = 20_000;

const endings = new WeakMap();

/** Has `end` called when the test is over; what was begun last ends first. */
function atEnd(t, end) {
  if (!endings.has(t)) {
    endings.set(t, []);
    t.after(async () => {
      for (const last of endings.get(t).reverse()) await last();
    });
  }
  endings.get(t).push(end);
}

/** Members made by a test, closed when it ends. */
class Cluster {
  constructor(t, options = {}) {
    this.name = `test-${randomBytes(6).toString("hex")}`;
    this.options = { url, ...options };
    this.members = [];
    atEnd(t, async () => {
      for (const member of this.members.reverse()) {
        await (member.type === "master" ? member.close() : member.terminate({ grace: 0 })).catch(() => {});
      }
    });
  }

  master(options) {
    return this.keep(assemblage.createMaster(this.name, { ...this.options, ...options }));
  }

  worker(options) {
    return this.keep(assemblage.createWorker(this.name, { ...this.options, ...options }));
  }

  keep(member) {
    this.members.push(member);
    return member;
  }
}

/** Resolves with the first value of `check` that is truthy; asks again after each event of the loop, to a deadline. */
async function until(check, what, deadline = DEADLINE) {
  const end = performance.now() + deadline;
  for (;;) {
    const value = await check();
    if (value) return value;
    if (performance.now() > end) assert.fail(`not within ${deadline} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Collects the jobs assigned to a worker. */
function collect(worker) {
  const jobs = [];
  worker.on("add", (job) => jobs.push(job));
  return jobs;
}

/** Resolves with the arguments of the next such event; unlike `events.once`, an `error` event is not its concern. */
function next(emitter, event) {
  return new Promise((resolve) => emitter.once(event, (...args) => resolve(args)));
}

/** The outcome of a method that takes a callback. */
function called(start) {
  return new Promise((resolve) => start((...args) => resolve(args)));
}

/** A redis-server of the test's own, which it may stop and start again on the same port. */
class RedisServer {
  constructor(t) {
    this.dir = mkdtempSync(path.join(os.tmpdir(), "assemblage-"));
    this.process = null;
    atEnd(t, async () => {
      await this.kill();
      rmSync(this.dir, { recursive: true, force: true });
    });
  }

  static async start(t, ...args) {
    const server = new RedisServer(t);
    server.port = await freePort();
    server.url = `redis://127.0.0.1:${server.port}`;
    server.socket = path.join(server.dir, "redis.sock");
    await server.start(...args);
    return server;
  }

  async start(...args) {
    const always = ["--port", String(this.port), "--bind", "127.0.0.1", "--unixsocket", this.socket];
    const options = [...always, "--dir", this.dir, "--save", "", "--appendonly", "no", ...args];
    this.process = spawn(process.env.REDIS_SERVER ?? "redis-server", options, { stdio: ["ignore", "pipe", "inherit"] });
    this.process.stdout.setEncoding("utf8");
    let output = "";
    await new Promise((resolve, reject) => {
      this.process.once("error", reject);
      this.process.once("exit", () => reject(new Error(`redis-server ended: ${output}`)));
      this.process.stdout.on("data", (text) => {
        output += text;
        if (output.includes("Ready to accept connections")) resolve();
      });
    });
  }

  async kill(signal = "SIGKILL") {
    const child = this.process;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill(signal);
    await gone;
  }
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** Sends one command to a server as an inline command and resolves with the first line of its answer. */
function command(text, to = url) {
  const { hostname, port } = new URL(to);
  return new Promise((resolve, reject) => {
    const socket = net.connect(Number(port), hostname, () => socket.write(`${text}\r\n`));
    socket.setEncoding("utf8");
    socket.once("error", reject);
    socket.once("data", (answer) => {
      socket.destroy();
      resolve(answer.split("\r\n", 1)[0]);
    });
  });
}

/** A program in a process of its own, which may print lines of JSON. */
class Program {
  constructor(t, source, { args = [], node = [] } = {}) {
    const head = `const assemblage = require(${JSON.stringify(path.join(__dirname, ".."))});
const url = process.env.SWARM_REDIS_URL; const args = ${JSON.stringify(args)};
const say = (...what) => process.stdout.write(JSON.stringify(what) + "\\n");\n`;
    this.child = spawn(process.execPath, [...node, "-e", head + source], { stdio: ["pipe", "pipe", "pipe"] });
    this.deadline = DEADLINE;
    this.printed = [];
    this.errors = "";
    let rest = "";
    this.child.stdout.setEncoding("utf8").on("data", (text) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop();
      for (const line of lines) this.printed.push(JSON.parse(line));
    });
    this.child.stderr.setEncoding("utf8").on("data", (text) => {
      this.errors += text;
    });
    this.ended = new Promise((resolve) => this.child.once("close", (code, signal) => resolve(signal ?? code)));
    atEnd(t, () => this.child.kill("SIGKILL"));
  }

  /** Waits until the program has printed a line that begins with `word`; returns the rest of it. */
  async prints(word, nth = 1) {
    const found = () => this.printed.filter((what) => what[0] === word)[nth - 1];
    const what = await until(() => found() ?? (this.child.exitCode !== null && "ended"), `the program prints ${word}: ${this.errors}`);
    assert.notEqual(what, "ended", `the program ended before it printed ${word}: ${this.errors}`);
    return what.slice(1);
  }

  /** How the program ended: its exit code, or the signal that killed it. */
  async end() {
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`the program does not end: ${JSON.stringify(this.printed)} ${this.errors}`)), this.deadline);
    });
    try {
      return await Promise.race([this.ended, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}

module.exports = { Cluster, Program, RedisServer, assemblage, atEnd, called, collect, command, next, until, url };
