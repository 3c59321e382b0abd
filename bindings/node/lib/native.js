"use strict";
// Loads the native addon: that of SWARM_NATIVE_LIBRARY, the file of this platform beside this package, or the package for this platform. Every name is
// written out in its own `require`, each in its own `try`: so bundlers find those that exist, and ignore the others.

const path = require("node:path");
const { missing, names, packageName } = require("./platform.js");

/** Those that are there but cannot be loaded. */
const broken = [];

function failed(name, error) {
  // A file or package that is not there; of what an existing one needs, another name is missing.
  if (error.code === "MODULE_NOT_FOUND" && String(error.message).split("\n", 1)[0].includes(name)) return;
  broken.push(`${name}: ${String(error.message).split("\n", 1)[0]}`);
}

function linuxX64() {
  try {
    return require("../assemblage.linux-x64-gnu.node");
  } catch (error) {
    failed("assemblage.linux-x64-gnu.node", error);
  }
  try {
    return require("assemblage-linux-x64-gnu");
  } catch (error) {
    failed("assemblage-linux-x64-gnu", error);
  }
  try {
    return require("../assemblage.linux-x64-musl.node");
  } catch (error) {
    failed("assemblage.linux-x64-musl.node", error);
  }
  try {
    return require("assemblage-linux-x64-musl");
  } catch (error) {
    failed("assemblage-linux-x64-musl", error);
  }
  return undefined;
}

function linuxArm64() {
  try {
    return require("../assemblage.linux-arm64-gnu.node");
  } catch (error) {
    failed("assemblage.linux-arm64-gnu.node", error);
  }
  try {
    return require("assemblage-linux-arm64-gnu");
  } catch (error) {
    failed("assemblage-linux-arm64-gnu", error);
  }
  try {
    return require("../assemblage.linux-arm64-musl.node");
  } catch (error) {
    failed("assemblage.linux-arm64-musl.node", error);
  }
  try {
    return require("assemblage-linux-arm64-musl");
  } catch (error) {
    failed("assemblage-linux-arm64-musl", error);
  }
  return undefined;
}

// The others have no packages, only what was built in a checkout.

function darwinX64() {
  try {
    return require("../assemblage.darwin-x64.node");
  } catch (error) {
    failed("assemblage.darwin-x64.node", error);
  }
  return undefined;
}

function darwinArm64() {
  try {
    return require("../assemblage.darwin-arm64.node");
  } catch (error) {
    failed("assemblage.darwin-arm64.node", error);
  }
  return undefined;
}

function win32X64() {
  try {
    return require("../assemblage.win32-x64-msvc.node");
  } catch (error) {
    failed("assemblage.win32-x64-msvc.node", error);
  }
  return undefined;
}

const platforms = {
  "linux-x64": linuxX64,
  "linux-arm64": linuxArm64,
  "darwin-x64": darwinX64,
  "darwin-arm64": darwinArm64,
  "win32-x64": win32X64,
};

/** By its path. Not by `require`, where bundlers would look for what the variable means while they run. */
function loadFile(file) {
  const loaded = { exports: {} };
  try {
    process.dlopen(loaded, path.resolve(file));
  } catch (error) {
    throw new Error(`assemblage cannot load the native addon that SWARM_NATIVE_LIBRARY names: ${error.message}. Correct the path, or unset the variable`);
  }
  return loaded.exports;
}

function load() {
  const file = process.env.SWARM_NATIVE_LIBRARY;
  if (file) return loadFile(file);
  const addon = platforms[`${process.platform}-${process.arch}`]?.();
  if (addon !== undefined) return addon;
  const [name] = names();
  // That of the other C library never works here.
  const reasons = broken.filter((each) => each.includes(name));
  if (reasons.length === 0) throw new Error(missing("native addon"));
  throw new Error(`assemblage cannot load its native addon for ${name} (${reasons.join("; ")}). Linux needs glibc 2.17 or newer, or musl 1.2. Install the package again: ` +
    `npm install --force ${packageName(name)}, or build it from a checkout of the source: npm run build`);
}

module.exports = load();
