"use strict";
// Processes of this machine: whether they have ended, without mistaking others for them.

const assert = require("node:assert/strict");
const { spawn } = require("node:child_process");
const { test } = require("node:test");
const { hasEnded, thisProcess } = require("../lib/processes.js");
const { next, until } = require("./support.js");

test("a process has ended when nothing with its number began when it did, on this boot and in this namespace", async (t) => {
  const mine = thisProcess();
  const [boot, namespace, pid, began] = mine.split("/");
  assert.equal(hasEnded(mine), false);
  assert.equal(hasEnded([boot, namespace, pid, Number(began) - 1].join("/")), true, "the number is another's");
  for (const other of [["other", namespace], [boot, "pid:[1]"]]) assert.equal(hasEnded([...other, pid, 1].join("/")), false, "elsewhere");
  for (const text of [undefined, null, 5, {}, "", "/", `${boot}/${namespace}`, `${boot}/${namespace}/-1/1`, `${boot}/${namespace}/x/1`, `${boot}/${namespace}/0/1`]) {
    assert.equal(hasEnded(text), false, String(text));
  }
  const child = spawn(process.execPath, ["-e", `
    console.log(require(${JSON.stringify(require.resolve("../lib/processes.js"))}).thisProcess());
    setInterval(() => {}, 1000);`], { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => child.kill("SIGKILL"));
  const text = String((await next(child.stdout, "data"))[0]).trim();
  assert.equal(hasEnded(text), false);
  child.kill("SIGSTOP");
  assert.equal(hasEnded(text), false);
  child.kill("SIGKILL");
  await until(() => hasEnded(text), "it is dead");
});
