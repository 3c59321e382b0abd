#!/usr/bin/env node
"use strict";
// The command line of libswarm: runs the program `swarm` that is built for this platform, beside the addon.

const { spawn } = require("node:child_process");
const { existsSync } = require("node:fs");
const path = require("node:path");

const platform = `${process.platform}-${process.arch}`;
const names = process.platform === "linux" ? [`${platform}-gnu`, `${platform}-musl`] : [platform];
// Of the C library that this Node.js uses first.
if (process.platform === "linux" && !process.report.getReport().header.glibcVersionRuntime) names.reverse();
const program = names.map((name) => path.join(__dirname, "..", `swarm.${name}`)).find(existsSync);
if (program === undefined) {
  console.error(`assemblage has no program swarm for ${platform}. Build it with: npm run build`);
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
