"use strict";
// Loads the native addon: the file of this platform beside this package, or the package made for this platform.

const names = {
  "linux-x64": ["linux-x64-gnu", "linux-x64-musl"],
  "linux-arm64": ["linux-arm64-gnu", "linux-arm64-musl"],
  "darwin-x64": ["darwin-x64"],
  "darwin-arm64": ["darwin-arm64"],
  "win32-x64": ["win32-x64-msvc"],
};

function load() {
  const platform = `${process.platform}-${process.arch}`;
  const tried = [];
  for (const name of names[platform] ?? []) {
    for (const file of [`../assemblage.${name}.node`, `assemblage-${name}`]) {
      try {
        return require(file);
      } catch (error) {
        tried.push(`${file}: ${error.message.split("\n", 1)[0]}`);
      }
    }
  }
  const reasons = tried.length ? tried.join("; ") : `known platforms are ${Object.keys(names).join(", ")}`;
  throw new Error(`assemblage has no native addon that works on ${platform} (${reasons}). Build it with: npm run build`);
}

module.exports = load();
