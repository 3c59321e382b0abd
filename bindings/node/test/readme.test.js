"use strict";
// Every block of JavaScript in the READMEs runs as it stands, but for the address of Redis, which is the test's. What a block takes for
// granted of the program around it is written here.

const assert = require("node:assert/strict");
const { spawn } = require("node:child_process");
const { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { test } = require("node:test");
const { RedisServer, atEnd, until } = require("./support.js");

const root = path.join(__dirname, "..");

const blocksOf = (file) => [...readFileSync(file, "utf8").matchAll(/^```js\n([^]*?)^```$/gm)].map(([, code]) => code);

const MEMBERS = `
  import { PermanentFailure, RetryAfter, createMaster, createWorker } from "assemblage";
  const [master, worker] = [createMaster("around"), createWorker("around", { group: "resizers", name: "one" })];
`;
const IMAGES = `const [image, report, images] = [{}, {}, ["a", "b"]];`;

/** What is around each block: before it, after it, and what the program then prints. */
const around = [
  { prints: ["3"] },
  {
    before: `const start = (payload) => console.log("started", payload), stop = () => console.log("stopped");`,
    after: `setTimeout(() => worker.terminate(), 500);`,
    prints: ["started { user: 7 }", "stopped"],
    commonjs: true,
  },
  {
    before: `${MEMBERS} ${IMAGES} worker.process({ resize: () => "resized", "": (job) => job.payload });`,
    after: `console.log(JSON.stringify(await master.queues())); await worker.terminate();`,
    prints: ["0 resized", "1 resized", "{"],
  },
  {
    before: `${MEMBERS} const known = (payload) => payload !== "nobody", busy = () => true, resize = (payload) => "resized " + payload;`,
    after: `
      console.log(await master.run("a", { task: "resize" }));
      for (const payload of ["nobody", "b"]) await master.run(payload, { task: "mail", retries: payload === "b" ? 0 : 5 }).catch((error) => console.log(error.message));
      await worker.terminate();`,
    prints: ["resized a", "PermanentFailure: no such user", "RetryAfter: the mail server is busy"],
  },
  {
    before: `${MEMBERS} const reload = () => console.log("reloads"), load = () => 0.5; worker.ready().then(() => {}); await worker.ready(); const { setTimeout: pause } = await import("node:timers/promises");`,
    after: `await pause(200); await worker.terminate(); await pause(200); process.exit(0);`,
    prints: ["reloads", "one 0.5"],
  },
  {
    before: `import { writeFileSync } from "node:fs"; writeFileSync("worker.js", 'import { ready } from "assemblage"; ready(); setInterval(() => {}, 1000);');`,
    after: `await new Promise((resolve) => supervisor.once("ready", resolve)); console.log(supervisor.list().length); await supervisor.stop();`,
    prints: ["4"],
  },
];

/** Runs a program in a folder where the package is installed. Gives what it printed. */
async function runs(t, code, { signal, commonjs }) {
  const server = await RedisServer.start(t);
  const folder = mkdtempSync(path.join(os.tmpdir(), "assemblage-readme-"));
  atEnd(t, () => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(path.join(folder, "node_modules"));
  symlinkSync(root, path.join(folder, "node_modules/assemblage"));
  writeFileSync(path.join(folder, "package.json"), JSON.stringify({ type: commonjs ? "commonjs" : "module" }));
  const place = (text) => text
    .replaceAll("redis://localhost:6379", server.url)
    .replaceAll('{ host: "localhost" }', `{ host: "127.0.0.1", port: ${server.port} }`)
    .replace(/(create(?:Master|Worker)\("\w+")(\)|, \{)(?! url)/g, (_, call, rest) => (rest === ")" ? `${call}, "${server.url}")` : `${call}, { url: "${server.url}", `));
  writeFileSync(path.join(folder, "program.js"), place(code));
  const child = spawn(process.execPath, ["program.js"], { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
  atEnd(t, () => child.kill("SIGKILL"));
  let [printed, errors] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text) => (printed += text));
  child.stderr.setEncoding("utf8").on("data", (text) => (errors += text));
  const ended = new Promise((resolve) => child.once("close", (exit, by) => resolve(by ?? exit)));
  if (signal !== undefined) {
    await until(() => signal.test(printed), `it prints ${signal}: ${errors}`);
    child.kill("SIGINT");
  }
  return { end: await ended, printed: printed.trimEnd().split("\n"), errors };
}

test("the blocks of the package's README", async (t) => {
  const blocks = blocksOf(path.join(root, "README.md"));
  assert.equal(blocks.length, around.length, "each block has its surroundings");
  for (const [at, block] of blocks.entries()) {
    const { before = "", after = "", prints, commonjs } = around[at];
    const { end, printed, errors } = await runs(t, `${before}\n${block}\n${after}`, { commonjs });
    assert.equal(end, 0, `block ${at}: ${errors}`);
    for (const text of prints) assert.ok(printed.some((line) => line.startsWith(text)), `block ${at} prints ${text}: ${printed} ${errors}`);
  }
});

test("the block of the project's README", async (t) => {
  const [block, ...more] = blocksOf(path.join(root, "../../README.md"));
  assert.deepEqual(more, []);
  const { end, printed, errors } = await runs(t, block, { signal: /mail of/ });
  assert.equal(end, "SIGINT");
  assert.equal(errors, "");
  assert.deepEqual(printed, ["3", "mail of 7"]);
});
