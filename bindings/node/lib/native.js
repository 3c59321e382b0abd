"use strict";
// Loads the native addon: the file of this platform beside this package, or the package for this platform. Every name is written out in its own
// `require`, each in its own `try`: so bundlers find those that exist, and ignore the others.

const tried = [];

function failed(name, error) {
  tried.push(`${name}: ${String(error.message).split("\n", 1)[0]}`);
}

function linuxX64() {
  try {
    return require("../assemblage.linux-x64-gnu.node");
  } catch (error) {
    failed("../assemblage.linux-x64-gnu.node", error);
  }
  try {
    return require("assemblage-linux-x64-gnu");
  } catch (error) {
    failed("assemblage-linux-x64-gnu", error);
  }
  try {
    return require("../assemblage.linux-x64-musl.node");
  } catch (error) {
    failed("../assemblage.linux-x64-musl.node", error);
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
    failed("../assemblage.linux-arm64-gnu.node", error);
  }
  try {
    return require("assemblage-linux-arm64-gnu");
  } catch (error) {
    failed("assemblage-linux-arm64-gnu", error);
  }
  try {
    return require("../assemblage.linux-arm64-musl.node");
  } catch (error) {
    failed("../assemblage.linux-arm64-musl.node", error);
  }
  try {
    return require("assemblage-linux-arm64-musl");
  } catch (error) {
    failed("assemblage-linux-arm64-musl", error);
  }
  return undefined;
}

function darwinX64() {
  try {
    return require("../assemblage.darwin-x64.node");
  } catch (error) {
    failed("../assemblage.darwin-x64.node", error);
  }
  try {
    return require("assemblage-darwin-x64");
  } catch (error) {
    failed("assemblage-darwin-x64", error);
  }
  return undefined;
}

function darwinArm64() {
  try {
    return require("../assemblage.darwin-arm64.node");
  } catch (error) {
    failed("../assemblage.darwin-arm64.node", error);
  }
  try {
    return require("assemblage-darwin-arm64");
  } catch (error) {
    failed("assemblage-darwin-arm64", error);
  }
  return undefined;
}

function win32X64() {
  try {
    return require("../assemblage.win32-x64-msvc.node");
  } catch (error) {
    failed("../assemblage.win32-x64-msvc.node", error);
  }
  try {
    return require("assemblage-win32-x64-msvc");
  } catch (error) {
    failed("assemblage-win32-x64-msvc", error);
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

function load() {
  const platform = `${process.platform}-${process.arch}`;
  const addon = platforms[platform]?.();
  if (addon !== undefined) return addon;
  const reasons = tried.length ? tried.join("; ") : `known platforms are ${Object.keys(platforms).join(", ")}`;
  throw new Error(`assemblage has no native addon that works on ${platform} (${reasons}). Build it with: npm run build`);
}

module.exports = load();
