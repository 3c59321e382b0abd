"use strict";
// The tarball of `npm pack` installs into a clean folder without a compiler, and works from there.

const assert = require("node:assert/strict");
const { execFileSync, spawnSync } = require("node:child_process");
const { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } = require("node:fs");
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

/** The message with which the addon is not loaded, in a folder with the loader and these files alone. */
function refusal(t, { platform = "linux", files = {}, env = {} } = {}) {
  const folder = mkdtempSync(path.join(os.tmpdir(), "assemblage-native-"));
  atEnd(t, () => rmSync(folder, { recursive: true, force: true }));
  for (const name of ["lib/native.js", "lib/platform.js", "package.json"]) cpSync(path.join(root, name), path.join(folder, name));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    writeFileSync(path.join(folder, name), text);
  }
  const script = `Object.defineProperty(process, "platform", { value: ${JSON.stringify(platform)} });
    try { require(${JSON.stringify(path.join(folder, "lib/native.js"))}) } catch (error) { console.log(error.message) }`;
  return execFileSync(process.execPath, ["-e", script], { encoding: "utf8", env: { PATH: process.env.PATH, ...env } });
}

const { version } = require("../package.json");
const here = `linux-${process.arch}-gnu`;

test("a missing package is named with its version and the cure", (t) => {
  assert.match(refusal(t), new RegExp(`the package assemblage-${here}@${version} is not installed.*optional.*npm install assemblage-${here}@${version}`));
});

test("the error on a platform without a package names those that have one", (t) => {
  assert.match(refusal(t, { platform: "aix" }), /no native addon for aix-[a-z0-9]+; there are packages for linux-x64-gnu.*npm run build/);
  assert.match(refusal(t, { platform: "darwin" }), /no native addon for darwin-[a-z0-9]+; there are packages for/);
});

test("the error of an addon that cannot be loaded differs from that of a missing one", (t) => {
  const name = `node_modules/assemblage-${here}`;
  const files = { [`${name}/package.json`]: JSON.stringify({ main: "a.node" }), [`${name}/a.node`]: "no library" };
  assert.match(refusal(t, { files }), new RegExp(`cannot load its native addon for ${here} \\(assemblage-${here}: .*(invalid ELF|too short|slice).*npm install --force`));
});

test("SWARM_NATIVE_LIBRARY names another file to load", (t) => {
  assert.match(refusal(t, { env: { SWARM_NATIVE_LIBRARY: "/nowhere.node" } }), /the native addon that SWARM_NATIVE_LIBRARY names: .*nowhere\.node/);
  const addon = process.env.SWARM_NATIVE_LIBRARY ?? path.join(root, readdirSync(root).find((name) => name.endsWith(".node")));
  assert.equal(refusal(t, { env: { SWARM_NATIVE_LIBRARY: addon } }), "");
});

test("the program swarm is found in the package of the platform", (t) => {
  const folder = mkdtempSync(path.join(os.tmpdir(), "assemblage-program-"));
  atEnd(t, () => rmSync(folder, { recursive: true, force: true }));
  for (const name of ["lib/platform.js", "bin/swarm.js", "package.json"]) cpSync(path.join(root, name), path.join(folder, name));
  const swarm = () => spawnSync(process.execPath, [path.join(folder, "bin/swarm.js"), "one"], { encoding: "utf8" });
  assert.match(swarm().stderr, new RegExp(`no program swarm for ${here}: the package assemblage-${here}@${version} is not installed`));
  const program = path.join(folder, `node_modules/assemblage-${here}/swarm`);
  mkdirSync(path.dirname(program), { recursive: true });
  writeFileSync(program, "#!/bin/sh\necho found $1\n", { mode: 0o755 });
  assert.equal(swarm().stdout, "found one\n");
});
