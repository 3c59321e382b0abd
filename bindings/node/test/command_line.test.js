"use strict";
// The program `swarm` of the package.

const assert = require("node:assert/strict");
const { spawn, spawnSync } = require("node:child_process");
const path = require("node:path");
const { test } = require("node:test");
const { version, bin } = require("../package.json");
const { url } = require("./support.js");

const launcher = path.join(__dirname, "..", bin.swarm);
const env = { ...process.env, SWARM_REDIS_URL: url, SWARM_CLUSTER: `cli-${process.pid}` };
const swarm = (...args) => spawnSync(process.execPath, [launcher, ...args], { env, encoding: "utf8" });

test("the launcher runs the program and ends as it does", () => {
  assert.equal(bin.assemblage, bin.swarm);
  assert.equal(swarm("--version").stdout, `swarm ${version}\n`);
  const added = swarm("add", "mail", "[1]", "--id", "a");
  assert.deepEqual([added.status, added.stdout], [0, "a\n"], added.stderr);
  assert.equal(JSON.parse(swarm("status", "--json").stdout).stats.waiting, 1);
  assert.equal(swarm("job", "none").status, 1);
  assert.equal(swarm("frob").status, 2);
  assert.equal(swarm("cancel", "a", "--yes").stdout, "Deleted 1 job.\n");
});

test("a signal reaches the program", async () => {
  const child = spawn(process.execPath, [launcher, "run", "mail", "--", "true"], { env, stdio: ["ignore", "ignore", "pipe"] });
  for await (const text of child.stderr) {
    if (String(text).includes("is ready")) break;
  }
  child.kill("SIGTERM");
  const [code] = await new Promise((resolve) => child.on("exit", (...how) => resolve(how)));
  assert.equal(code, 0);
});
