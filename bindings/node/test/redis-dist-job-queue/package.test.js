"use strict";
// The package has the module, with its types, and nothing of its tests.

const assert = require("node:assert/strict");
const { execFileSync } = require("node:child_process");
const { readdirSync } = require("node:fs");
const path = require("node:path");
const { test } = require("node:test");

const root = path.join(__dirname, "../..");

test("all files of the module are packed, and exported with their types", () => {
  const folder = "redis-dist-job-queue";
  const [packed] = JSON.parse(execFileSync("npm", ["pack", "--json", "--dry-run", "--ignore-scripts"], { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }));
  const files = packed.files.map((file) => file.path).filter((file) => file.includes(folder));
  const own = readdirSync(path.join(root, folder), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  assert.deepEqual(files.sort(), own.map((entry) => path.relative(root, path.join(entry.parentPath ?? entry.path, entry.name))).sort());
  const exported = Object.values(require("../../package.json").exports[`./${folder}`]).flatMap((one) => Object.values(one));
  for (const file of exported) assert.ok(files.includes(path.normalize(file)), file);
});
