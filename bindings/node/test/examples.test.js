"use strict";
// The examples run and print what they should.

const assert = require("node:assert/strict");
const { execFileSync } = require("node:child_process");
const { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { test } = require("node:test");
const { atEnd } = require("./support.js");

const examples = path.join(__dirname, "../../../examples/node");

/** Runs an example as a user would, in a folder where `assemblage` is installed. */
function run(t, name) {
  const folder = mkdtempSync(path.join(os.tmpdir(), "assemblage-example-"));
  atEnd(t, () => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(path.join(folder, "node_modules"));
  symlinkSync(path.join(__dirname, ".."), path.join(folder, "node_modules/assemblage"));
  writeFileSync(path.join(folder, name), readFileSync(path.join(examples, name)));
  return execFileSync(process.execPath, [name, path.basename(folder)], { cwd: folder, encoding: "utf8", timeout: 30_000 }).trim().split("\n");
}

test("run.mjs", (t) => {
  assert.deepEqual(run(t, "run.mjs"), [
    "6 words: to be or not to be",
    "4 words: that is the question",
    "3 words: whether tis nobler",
    "SWARM_JOB_FAILED: Error: there is no text to count",
  ]);
});

test("long_lived.js", (t) => {
  const lines = run(t, "long_lived.js");
  const count = (pattern) => lines.filter((line) => pattern.test(line)).length;
  assert.equal(count(/^first watches /), 2, lines.join("\n"));
  assert.equal(count(/^second watches /), 4);
  assert.equal(count(/^first no longer watches /), 2);
  assert.equal(count(/^second no longer watches /), 4);
  assert.deepEqual([count(/^first is closed$/), count(/^second is closed$/)], [1, 1]);
});
