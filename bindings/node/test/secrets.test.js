"use strict";
// Passwords are in no text: neither of members, nor of errors. Errors name options as they are written here.

const assert = require("node:assert/strict");
const { inspect } = require("node:util");
const { test } = require("node:test");
const { assemblage } = require("./support.js");

const { createMaster, createWorker } = assemblage;
const SECRET = "hunter2secret";

const OPTIONS = [
  { url: `redis://ann:${SECRET}@localhost:1` },
  { password: SECRET, port: 1 },
  { sentinels: "a:1", sentinelMaster: "main", sentinelPassword: SECRET },
  { client: { options: { host: "localhost", port: 1, password: SECRET, lazyConnect: true } } },
  `redis://:${SECRET}@localhost:1`,
];

for (const create of [createMaster, createWorker]) {
  test(`${create.name}: what is logged of a member shows no password`, async () => {
    for (const options of OPTIONS) {
      const member = create("secrets", options);
      try {
        for (const text of [inspect(member), inspect(member, { depth: 20, colors: true }), JSON.stringify(member), `${member}`, inspect({ member }, { depth: 20 })]) {
          assert.ok(!text.includes(SECRET), text);
        }
        assert.match(inspect(member), /secrets/);
        if (typeof options === "object") assert.equal(member.config, options, "it is there all the same");
      } finally {
        await (member.close?.() ?? member.terminate());
      }
    }
  });
}

test("errors of URLs that are not understood do not show them", () => {
  for (const url of [
    `redis://:${SECRET}`, `redis://localhost?password=${SECRET}`, `redis://localhost/0?password=${SECRET}`, `unix:///s?pass=a&${SECRET}`, `redis://a#${SECRET}`, `${SECRET}://a`, SECRET,
  ]) {
    for (const options of [url, { url }]) {
      for (const create of [createMaster, createWorker]) {
        assert.throws(() => create("secrets", options), (error) => {
          assert.equal(error.code, "SWARM_INVALID_ARGUMENT");
          assert.ok(!inspect(error).replace(/\n\s+at .*/g, "").includes(SECRET), error.message);
          return true;
        });
      }
    }
  }
});

test("errors name options as they are written in JavaScript, with bounds in milliseconds", () => {
  const refused = (options, text) =>
    assert.throws(() => createWorker("secrets", options), (error) => error.code === "SWARM_INVALID_ARGUMENT" && error.message.includes(text) && !/[a-z]_[a-z]/.test(error.message));
  refused({ maxCrashes: 1000 }, "maxCrashes is `1000`, it must be a whole number from 0 to 200");
  refused({ failedTtl: 10 }, "failedTtl is 10 ms, it must be 1,000 ms to 315,360,000,000 ms (10 years)");
  refused({ sentinels: "a:1" }, "sentinelMaster");
  refused({ prioritySlots: { 1: 2 } }, "prioritySlots divides the slots");
  refused({ tlsCert: "a" }, "tlsCert and tlsKey go together");
});
