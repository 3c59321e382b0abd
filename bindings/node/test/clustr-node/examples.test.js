"use strict";
// The examples of clustr-node run and print what they should.

const assert = require("node:assert/strict");
const { spawn } = require("node:child_process");
const { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { test } = require("node:test");
const { atEnd, until } = require("../support.js");

/** Runs an example as a user would, in a folder where `assemblage` is installed. */
function run(t, name) {
  const folder = mkdtempSync(path.join(os.tmpdir(), "assemblage-example-"));
  atEnd(t, () => rmSync(folder, { recursive: true, force: true }));
  cpSync(path.join(__dirname, "../../../../examples/clustr-node", name), folder, { recursive: true });
  mkdirSync(path.join(folder, "node_modules"));
  symlinkSync(path.join(__dirname, "../.."), path.join(folder, "node_modules/assemblage"));
  const child = spawn(process.execPath, ["master.js"], { cwd: folder, env: { ...process.env, CLUSTER: path.basename(folder) } });
  atEnd(t, () => child.kill("SIGKILL"));
  const it = { child, text: "", code: undefined };
  it.lines = (pattern) => it.text.split("\n").filter((line) => pattern.test(line));
  child.stdout.setEncoding("utf8").on("data", (text) => (it.text += text));
  child.stderr.setEncoding("utf8").on("data", (text) => (it.text += text));
  child.on("close", (code) => (it.code = code));
  return it;
}

test("reload", async (t) => {
  const it = run(t, "reload");
  await until(() => it.lines(/^started with 2 workers/).length === 1, "it is started");
  assert.equal(it.lines(/serves$/).length, 2);
  it.child.kill("SIGHUP");
  await until(() => it.lines(/^reloaded 2 workers$/).length === 1, "it is reloaded");
  assert.deepEqual([it.lines(/ends$/).length, it.lines(/serves$/).length], [2, 4]);
  it.child.kill("SIGTERM");
  await until(() => it.code !== undefined, "it has ended");
  assert.equal(it.code, 15);
});

test("messaging", async (t) => {
  const it = run(t, "messaging");
  await until(() => it.code !== undefined, "it has ended");
  assert.equal(it.code, 0, it.text);
  assert.deepEqual(it.text.trim().split("\n").sort(), [
    "all have received all",
    "cache: received as a group to caches",
    "cache: received publicly to everybody",
    "web: received privately to you",
    "web: received publicly to everybody",
  ]);
});
