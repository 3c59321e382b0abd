"use strict";
// Command lines, read and made.

const assert = require("node:assert/strict");
const path = require("node:path");
const { test } = require("node:test");
const { bubbling, commandOf, parse } = require("../../clustr-node/argv.js");

test("options are read as optimist reads them", () => {
  assert.deepEqual(parse(["--x=5", "--flag", "--word", "text", "other", "--no-color", "-v", "--a=b=c", "--y", "-1"]), {
    x: 5, flag: true, word: "text", color: false, v: true, a: "b=c", y: true, 1: true,
  });
  assert.deepEqual(parse(["--is", "true", "--is-not", "false", "--text=false", "--hex=0x1f", "--twice=1", "--twice=2", "--", "--not"]), {
    is: true, "is-not": false, text: "false", hex: 31, twice: [1, 2],
  });
});

test("commands of spawned processes", () => {
  const folder = path.dirname(process.argv[1]);
  const bubble = bubbling({ "cluster-verbose": true, "cluster-off": false, "cluster-n": 5, plain: 1 });
  assert.deepEqual(bubble, { "cluster-verbose": true, "cluster-n": 5 });
  assert.deepEqual(commandOf({ file: "./w.js", args: { a: true, b: false, "cluster-n": 6 } }, bubble), [
    process.argv[0], [path.join(folder, "w.js"), "--a", "--b=false", "--cluster-n=6", "--cluster-verbose"],
  ]);
  assert.deepEqual(commandOf({ file: "/x.coffee", command: "coffee" }, {}), [
    "node", [path.join(folder, "node_modules/coffee-script/bin/coffee"), "/x.coffee"],
  ]);
});
