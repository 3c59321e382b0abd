#!/usr/bin/env node
"use strict";
// The command line of libswarm: runs the program `swarm` that is built for this platform, beside the addon or in the package for this platform.

const { spawn } = require("node:child_process");
const { existsSync } = require("node:fs");
const path = require("node:path");
const { missing, names } = require("../lib/platform.js");

function find(name) {
  const beside = path.join(__dirname, "..", `swarm.${name}`);
  if (existsSync(beside)) return beside;
  try {
    return require.resolve(`assemblage-${name}/swarm`);
  } catch {
    return undefined;
  }
}

const program = names().map(find).find((found) => found !== undefined);
if (program === undefined) {
  console.error(missing("program swarm"));
  process.exit(1);
}

const child = spawn(program, process.argv.slice(2), { stdio: "inherit", argv0: "swarm" });
child.on("error", (error) => {
  console.error(`swarm cannot be started: ${error.message}`);
  process.exit(1);
});
// A terminal sends Ctrl-C to both; the program decides what to do. Other signals reach this process only.
for (const name of ["SIGTERM", "SIGHUP"]) process.on(name, () => child.kill(name));
process.on("SIGINT", () => {});
child.on("exit", (code, signal) => {
  if (signal === null) process.exit(code);
  // Ends as the program did.
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
});
