"use strict";
// The platforms that there are packages for, and what is said where one is missing.

const { readFileSync } = require("node:fs");
const path = require("node:path");

/** Each has a package `assemblage-NAME` with the addon and the program `swarm`. */
const PACKAGED = ["linux-x64-gnu", "linux-x64-musl", "linux-arm64-gnu", "linux-arm64-musl"];

/** The names of this platform: on Linux one for each C library, that of this Node.js first. */
function names() {
  const platform = `${process.platform}-${process.arch}`;
  if (process.platform === "win32") return [`${platform}-msvc`];
  if (process.platform !== "linux") return [platform];
  const found = [`${platform}-gnu`, `${platform}-musl`];
  return process.report.getReport().header.glibcVersionRuntime ? found : found.reverse();
}

/** A name for `npm install`: with the version of this package, unless it is in a bundle. */
function packageName(name) {
  try {
    const { name: main, version } = JSON.parse(readFileSync(path.join(__dirname, "..", "package.json"), "utf8"));
    if (main === "assemblage") return `assemblage-${name}@${version}`;
  } catch {
    // In a bundle.
  }
  return `assemblage-${name}`;
}

/** Why `what` is missing here, and what to do. */
function missing(what) {
  const [name] = names();
  if (!PACKAGED.includes(name)) {
    return `assemblage has no ${what} for ${name}; there are packages for ${PACKAGED.join(", ")}. On another Unix, build it from a checkout of the source: npm run build`;
  }
  return `assemblage finds no ${what} for ${name}: the package ${packageName(name)} is not installed. It is an optional dependency, which is left out by ` +
    "--omit=optional, by --no-optional, and by npm if package-lock.json was made on another platform. Remove node_modules and package-lock.json and install again with " +
    `optional dependencies, or: npm install ${packageName(name)}`;
}

module.exports = { missing, names, packageName };
