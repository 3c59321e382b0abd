"use strict";
// Which file a task module is.

const assert = require("node:assert/strict");
const { execFileSync } = require("node:child_process");
const { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { test } = require("node:test");
const { fixture, queueOf } = require("./support.js");

const module_ = path.join(__dirname, "../../redis-dist-job-queue");

/** A project of these files, and what a program of it prints as JSON. */
function project(t, files) {
  const folder = realpathSync(mkdtempSync(path.join(os.tmpdir(), "job-queue-project-")));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    writeFileSync(path.join(folder, name), text.replaceAll("THE_MODULE", module_));
  }
  return (...args) => JSON.parse(execFileSync(process.execPath, args, { cwd: folder, encoding: "utf8" })).map((found) => path.relative(folder, found));
}

const PATHS = "JSON.parse(queue.serializeOptions()).modulePaths";

test("a missing task module is thrown at once", (t) => {
  const queue = queueOf(t);
  for (const name of ["./none", "/none", "none", "fs", "node:fs"]) {
    assert.throws(() => queue.registerTask(name), { code: "MODULE_NOT_FOUND", message: new RegExp(`^Cannot find module '${name}'`) }, name);
  }
  assert.throws(() => queue.registerTask(undefined), /^Error: Cannot find module/);
});

test("a path is of the file that calls, and may be absolute or without a dot", (t) => {
  const queue = queueOf(t);
  for (const name of ["./fixtures/echo", "fixtures/echo", "./fixtures/echo.js", fixture("echo"), "../redis-dist-job-queue/fixtures/echo"]) {
    assert.equal(queue.registerTask(name), undefined);
  }
  assert.deepEqual(new Set(JSON.parse(queue.serializeOptions()).modulePaths), new Set([fixture("echo.js")]));
});

test("each file names tasks from its own folder, else from that of the first that required the module", (t) => {
  const run = project(t, {
    "main.js": `const JobQueue = require("THE_MODULE"); const queue = new JobQueue({ redisConfig: { port: 1 } }); queue.on("error", () => {});
      queue.registerTask("./tasks/one"); require("./tasks/register.js")(queue); setImmediate(queue.registerTask.bind(queue, "./tasks/one"));
      setImmediate(() => console.log(JSON.stringify(${PATHS})));`,
    "tasks/register.js": `module.exports = (queue) => { queue.registerTask("./one"); queue.registerTask("./tasks/main-only"); queue.registerTask("a-package"); queue.registerTask("@scope/b/task"); queue.registerTask("same"); }`,
    "tasks/one.js": "",
    "tasks/same.js": "",
    "tasks/main-only.js": "",
    "node_modules/same/index.js": "",
    "node_modules/a-package/package.json": `{ "main": "lib.js" }`,
    "node_modules/a-package/lib.js": "",
    "node_modules/@scope/b/task.js": "",
  });
  const found = ["tasks/one.js", "tasks/one.js", "tasks/main-only.js", "node_modules/a-package/lib.js", "node_modules/@scope/b/task.js", "tasks/same.js", "tasks/one.js"];
  assert.deepEqual(run("main.js"), found);
});

test("ES modules name tasks from their own folder", (t) => {
  const run = project(t, {
    "src/main.mjs": `import JobQueue from "THE_MODULE/index.mjs"; const queue = new JobQueue({ redisConfig: { port: 1 } }); queue.on("error", () => {});
      queue.registerTask("./task.js"); queue.registerTask("a-package"); console.log(JSON.stringify(${PATHS}));`,
    "src/task.js": "",
    "node_modules/a-package/index.js": "",
  });
  assert.deepEqual(run("src/main.mjs"), ["src/task.js", "node_modules/a-package/index.js"]);
});

test("a program without a file names tasks from its folder", (t) => {
  const run = project(t, { "task.js": "" });
  const program = `const queue = new (require("${module_}"))({ redisConfig: { port: 1 } }); queue.on("error", () => {});
    Error.stackTraceLimit = 0; queue.registerTask("./task"); console.log(JSON.stringify(${PATHS}))`;
  assert.deepEqual(run("-e", program), ["task.js"]);
});

test("the stack's own settings are left as they were", (t) => {
  const { prepareStackTrace, stackTraceLimit } = Error;
  queueOf(t).registerTask("./fixtures/echo");
  assert.deepEqual([Error.prepareStackTrace, Error.stackTraceLimit], [prepareStackTrace, stackTraceLimit]);
});
