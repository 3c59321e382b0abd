"use strict";
// Builds the addon and the program `swarm` for this platform and puts them beside index.js. They share target/ with the other crates; further
// arguments are passed to cargo.

const { spawnSync } = require("node:child_process");
const fs = require("node:fs");
const path = require("node:path");

const root = path.join(__dirname, "..", "..");
const built = { darwin: "liblibswarm_node.dylib", win32: "libswarm_node.dll" }[process.platform] ?? "liblibswarm_node.so";

function platform() {
  const name = `${process.platform}-${process.arch}`;
  if (process.platform === "win32") return `${name}-msvc`;
  if (process.platform !== "linux") return name;
  return `${name}-${process.report.getReport().header.glibcVersionRuntime ? "gnu" : "musl"}`;
}

const debug = process.argv.includes("--debug");
// The program needs process groups and signals.
const program = process.platform !== "win32";
const packages = ["--package", "libswarm-node", ...(program ? ["--package", "libswarm-cli"] : [])];
const args = ["build", ...packages, ...(debug ? [] : ["--release"]), ...process.argv.slice(2).filter((arg) => arg !== "--debug")];
const { status, error } = spawnSync("cargo", args, { cwd: root, stdio: "inherit" });
if (error) console.error(`cargo cannot be started: ${error.message}`);
if (status !== 0) process.exit(status ?? 1);

const target = path.join(process.env.CARGO_TARGET_DIR ?? path.join(root, "target"), debug ? "debug" : "release");

// Replaced, not overwritten: a process that has loaded the old file keeps using it.
function put(name, as) {
  const to = path.join(__dirname, as);
  fs.copyFileSync(path.join(target, name), `${to}.new`);
  fs.renameSync(`${to}.new`, to);
}

put(built, `assemblage.${platform()}.node`);
if (program) put("swarm", `swarm.${platform()}`);
