"use strict";
// A program is bundled by common bundlers, with the package installed as they would, and works from the folder of the bundle
// alone. Needs the registry of npm.

const assert = require("node:assert/strict");
const { execFileSync } = require("node:child_process");
const { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { test } = require("node:test");
const { atEnd, url } = require("./support.js");

const root = path.join(__dirname, "..");

/** That of this platform. */
const addon = readdirSync(root).find((name) => name.endsWith(".node"));

const PROGRAM = `
const { createMaster, createWorker } = require("assemblage");
const name = "bundled-" + process.pid;
const worker = createWorker(name, process.env.SWARM_REDIS_URL).process((job) => job.payload.n * 2);
const master = createMaster(name, process.env.SWARM_REDIS_URL);
master.run({ n: 21 }).then(async (result) => {
  await worker.terminate();
  await master.obliterate();
  await master.close();
  console.log(result);
});
`;

test("esbuild, webpack, rollup, ncc and nft find the addon", { timeout: 600_000 }, async (t) => {
  const folder = mkdtempSync(path.join(os.tmpdir(), "assemblage-bundlers-"));
  atEnd(t, () => rmSync(folder, { recursive: true, force: true }));
  const run = (file, args, cwd = folder) => execFileSync(file, args, {
    cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, SWARM_REDIS_URL: url },
  });
  const node = (...args) => run(process.execPath, args);
  const [packed] = JSON.parse(run("npm", ["pack", "--json", "--pack-destination", folder], root));
  writeFileSync(path.join(folder, "package.json"), JSON.stringify({ name: "program", private: true }));
  run("npm", ["install", "--no-audit", "--no-fund", path.join(folder, packed.filename), "esbuild@0.25", "webpack@5", "webpack-cli@6", "node-loader@2", "rollup@4",
    "@rollup/plugin-commonjs@28", "@rollup/plugin-node-resolve@16", "@vercel/ncc@0.38", "@vercel/nft@0.29"]);
  writeFileSync(path.join(folder, "program.js"), PROGRAM);
  const bin = (name) => path.join(folder, "node_modules/.bin", name);

  /** Runs a bundle where nothing of the package is but what was bundled. */
  const works = (what, from, main) => {
    const alone = mkdtempSync(path.join(os.tmpdir(), "assemblage-bundle-"));
    atEnd(t, () => rmSync(alone, { recursive: true, force: true }));
    cpSync(from, alone, { recursive: true });
    assert.equal(run(process.execPath, [main], alone), "42\n", what);
  };

  await t.test("esbuild", () => {
    run(bin("esbuild"), ["program.js", "--bundle", "--platform=node", "--loader:.node=copy", "--outdir=esbuild", "--log-level=error"]);
    works("esbuild", path.join(folder, "esbuild"), "program.js");
  });

  await t.test("webpack", () => {
    writeFileSync(path.join(folder, "webpack.config.js"), `module.exports = {
      target: "node", mode: "production", entry: "./program.js", output: { path: ${JSON.stringify(path.join(folder, "webpack"))}, filename: "program.js" },
      module: { rules: [{ test: /\\.node$/, loader: "node-loader" }] },
    };`);
    run(bin("webpack"), ["--no-stats"]);
    works("webpack", path.join(folder, "webpack"), "program.js");
  });

  await t.test("rollup", () => {
    writeFileSync(path.join(folder, "rollup.config.mjs"), `
      import commonjs from "@rollup/plugin-commonjs";
      import resolve from "@rollup/plugin-node-resolve";
      import { copyFileSync, mkdirSync } from "node:fs";
      import path from "node:path";
      // As rollup-plugin-natives and the like: addons are copied beside the bundle.
      const addons = { name: "addons", resolveId(source, importer) {
        if (!source.endsWith(".node") || !importer) return null;
        // The plugin for CommonJS asks a second time, with the new name.
        if (importer.endsWith("?commonjs-external")) return { id: source, external: true };
        const from = path.resolve(path.dirname(importer.replace(/^\\0|\\?.*$/g, "")), source);
        mkdirSync("rollup", { recursive: true });
        try { copyFileSync(from, path.join("rollup", path.basename(from))); } catch { return null; }
        return { id: "./" + path.basename(from), external: true };
      } };
      export default { input: "program.js", output: { file: "rollup/program.cjs", format: "cjs" }, onwarn() {},
        // By default it leaves requires in a \`try\` as they are, which would look for the addon beside the folder of the bundle.
        plugins: [addons, resolve({ preferBuiltins: true }), commonjs({ ignoreDynamicRequires: true, ignoreTryCatch: (id) => id !== ${JSON.stringify(`../${addon}`)} })] };
    `);
    run(bin("rollup"), ["-c", "rollup.config.mjs"]);
    works("rollup", path.join(folder, "rollup"), "program.cjs");
  });

  await t.test("ncc", () => {
    run(bin("ncc"), ["build", "program.js", "-o", "ncc"]);
    works("ncc", path.join(folder, "ncc"), "index.js");
  });

  await t.test("nft", () => {
    writeFileSync(path.join(folder, "nft.mjs"), `
      import { nodeFileTrace } from "@vercel/nft";
      const { fileList } = await nodeFileTrace(["program.js"]);
      console.log(JSON.stringify([...fileList]));
    `);
    const files = JSON.parse(node("nft.mjs"));
    assert.ok(files.some((file) => /assemblage\..*\.node$/.test(file)), files.join("\n"));
    const traced = path.join(folder, "nft");
    for (const file of files) {
      mkdirSync(path.dirname(path.join(traced, file)), { recursive: true });
      cpSync(path.join(folder, file), path.join(traced, file));
    }
    works("nft", traced, "program.js");
  });

  assert.ok(existsSync(path.join(folder, "ncc")) && readdirSync(path.join(folder, "esbuild")).some((name) => name.endsWith(".node")));
});
