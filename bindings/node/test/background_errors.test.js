"use strict";
// A background error without a listener is reported once: in the log, or as a warning of the process where there is no log.

const assert = require("node:assert/strict");
const path = require("node:path");
const { test } = require("node:test");
const { Program, until } = require("./support.js");

const folder = (name) => JSON.stringify(path.join(__dirname, "..", name));

/** Programs whose members cannot connect, and how many members they have. */
const PROGRAMS = {
  master: [1, `const one = assemblage.createMaster("warnings", { port: 1 });`],
  worker: [1, `const one = assemblage.createWorker("warnings", { port: 1 }).on("add", () => {});`],
  proletariat: [2, `const one = new (require(${folder("proletariat")}).Client)({ redis: { port: 1 } });`],
  "clustr-node": [1, `const one = require(${folder("clustr-node")}).Master.create({ redis: { port: 1 } });`],
  "redis-dist-job-queue": [1, `const one = new (require(${folder("redis-dist-job-queue")}))({ redisConfig: { port: 1 } });`],
  "redis-dist-job-queue in children": [2, `
    const one = new (require(${folder("redis-dist-job-queue")}))({ redisConfig: { port: 1 }, childProcessCount: 1 });
    one.registerTask(${folder("test/redis-dist-job-queue/fixtures/echo.js")});
    one.start();`],
};

/** Lines of stderr about the trouble. */
const warnings = (it) => it.errors.split("\n").filter((line) => /(localhost|127\.0\.0\.1):1\b/.test(line));

const ALIVE = "setInterval(() => {}, 1000);";

/** Another member that cannot connect, whose error comes after all earlier ones. */
const LATER = `setImmediate(() => assemblage.createMaster("warnings", { port: 2, timeout: 1000 }).on("error", () => {}).ready().catch(() => say("later")));`;

for (const [name, [members, source]] of Object.entries(PROGRAMS)) {
  test(`${name}: in the log, and no warning`, async (t) => {
    const it = new Program(t, `${ALIVE} process.on("warning", (warning) => say("warning", warning.message)); ${source} ${LATER}`);
    await until(() => warnings(it).length >= members, "it is seen");
    await it.prints("later");
    it.child.kill("SIGKILL");
    await it.end();
    assert.equal(warnings(it).length, members, it.errors);
    assert.match(it.errors, /^assemblage: warn: libswarm/);
    assert.ok(!it.errors.includes("Warning"), it.errors);
    assert.deepEqual(it.printed, [["later"]]);
  });

  // Children log on their own.
  if (name.endsWith("children")) continue;
  test(`${name}: a warning without a log, and only an event with a listener`, async (t) => {
    const off = new Program(t, `${ALIVE} assemblage.setLogger(null); process.on("warning", (warning) => say("warning", warning.code)); ${source}`);
    assert.deepEqual(await off.prints("warning", members), ["SWARM_UNAVAILABLE"]);
    assert.ok(!off.errors.includes("assemblage: "), off.errors);

    const listening = new Program(t, `${ALIVE} process.on("warning", (warning) => say("warning")); ${source} one.on("error", (error) => say("error", error.code));`);
    assert.deepEqual(await listening.prints("error", members), ["SWARM_UNAVAILABLE"]);
    assert.ok(listening.printed.every(([word]) => word === "error"));
  });
}

test("a logger of the program has it, whatever its level", async (t) => {
  for (const level of ["error", "warn", "trace"]) {
    const it = new Program(t, `
      ${ALIVE}
      process.on("warning", () => say("warning"));
      assemblage.setLogger(({ level, target, message }) => ["error", "warn"].includes(level) && say("record", level, target, message), { level: ${JSON.stringify(level)} });
      assemblage.createMaster("warnings", { port: 1 });`);
    const [as, target, message] = await it.prints("record");
    assert.equal(as, level === "error" ? "error" : "warn");
    assert.match(target, level === "error" ? /^assemblage$/ : /^libswarm/);
    assert.match(message, /localhost:1/);
    assert.deepEqual([it.printed.length, it.errors], [1, ""]);
  }
});

test("an error that the core does not log is logged", async (t) => {
  const it = new Program(t, `
    const queue = new (require(${folder("redis-dist-job-queue")}))({ redisConfig: { url } });
    process.on("warning", () => say("warning"));
    queue.shutdown(() => { queue.start(); say("shut"); });`);
  await it.prints("shut");
  assert.equal(await it.end(), 0);
  assert.match(it.errors, /^assemblage: error: assemblage: ClosedError: the queue is shut down and cannot be started\n$/);
  assert.deepEqual(it.printed, [["shut"]]);
});
