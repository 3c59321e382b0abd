"use strict";
// The tarball of `npm pack` installs into a clean folder without a compiler, and works from there.

const assert = require("node:assert/strict");
const { execFileSync } = require("node:child_process");
const { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { test } = require("node:test");
const { atEnd, url } = require("./support.js");

const root = path.join(__dirname, "..");

test("the packed tarball installs offline into a clean folder and runs", (t) => {
  const folder = mkdtempSync(path.join(os.tmpdir(), "assemblage-package-"));
  atEnd(t, () => rmSync(folder, { recursive: true, force: true }));
  const run = (file, args, cwd = folder) => execFileSync(file, args, {
    cwd,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: process.env.PATH, HOME: folder, SWARM_REDIS_URL: url },
  });
  const [packed] = JSON.parse(run("npm", ["pack", "--json", "--pack-destination", folder], root));
  const files = packed.files.map((file) => file.path);
  assert.ok(files.some((file) => /^assemblage\..+\.node$/.test(file)), "the addon is inside");
  assert.deepEqual(files.filter((file) => /^(test\/|src|node_modules|Cargo)/.test(file)), []);

  writeFileSync(path.join(folder, "package.json"), JSON.stringify({ name: "clean", private: true }));
  // No compiler, no network, and no script that would need one.
  run("npm", ["install", "--offline", "--ignore-scripts", path.join(folder, packed.filename)]);
  assert.deepEqual(readdirSync(path.join(folder, "node_modules")).filter((name) => !name.startsWith(".")), ["assemblage"]);

  const program = `
    const master = createMaster("package-${process.pid}", { url: process.env.SWARM_REDIS_URL });
    const worker = createWorker("package-${process.pid}", { url: process.env.SWARM_REDIS_URL });
    worker.process((job) => job.payload.n * 2);
    master.run({ n: 21 }).then(async (result) => {
      await worker.terminate();
      await master.obliterate();
      await master.close();
      console.log(result);
    });`;
  writeFileSync(path.join(folder, "old.cjs"), `const { createMaster, createWorker } = require("assemblage");${program}`);
  writeFileSync(path.join(folder, "new.mjs"), `import { createMaster, createWorker } from "assemblage";${program}`);
  assert.equal(run(process.execPath, ["old.cjs"]), "42\n");
  assert.equal(run(process.execPath, ["new.mjs"]), "42\n");

  // The types work from the installed package, for both kinds of modules.
  mkdirSync(path.join(folder, "node_modules/@types"));
  for (const name of ["@types/node", "undici-types"]) {
    symlinkSync(path.join(root, "node_modules", name), path.join(folder, "node_modules", name));
  }
  for (const name of ["dropin.cts", "modern.mts", "testing.mts", "tsconfig.json"]) {
    symlinkSync(path.join(__dirname, "types", name), path.join(folder, name));
  }
  run(process.execPath, [path.join(root, "node_modules/typescript/bin/tsc"), "--project", folder, "--preserveSymlinks"]);
});

test("a platform without an addon gets an error that names the platform", (t) => {
  const folder = mkdtempSync(path.join(os.tmpdir(), "assemblage-native-"));
  atEnd(t, () => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(path.join(folder, "lib"));
  symlinkSync(path.join(root, "lib/native.js"), path.join(folder, "lib/native.js"));
  const load = (platform) => {
    const script = `Object.defineProperty(process, "platform", { value: ${JSON.stringify(platform)} });
      try { require(${JSON.stringify(path.join(folder, "lib/native.js"))}) } catch (error) { console.log(error.message) }`;
    return execFileSync(process.execPath, ["--preserve-symlinks", "-e", script], { encoding: "utf8" });
  };
  assert.match(load("linux"), /no native addon that works on linux-x64 \(.*assemblage\.linux-x64-gnu\.node.*npm run build/);
  assert.match(load("aix"), /no native addon that works on aix-x64 \(known platforms are linux-x64/);
});
