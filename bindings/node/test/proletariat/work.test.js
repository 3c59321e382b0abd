"use strict";
// Works and their results: the forms of the calls, what travels, and in which order.

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { Parts, assemblage, atEnd, called, until } = require("./support.js");

const echo = (w, handler) => handler(null, w.args);

test("an array of works returns its results in order, whatever the form of the call", async (t) => {
  const parts = new Parts(t);
  const client = parts.client();
  parts.worker((w, handler) => setImmediate(handler, null, w.args));
  const works = [1, 0, "", false, "text", { a: [1, { b: "é😀\n" }] }, [], true];
  const results = works.map((data) => ({ err: null, data }));
  for (const opts of [[], [null], [undefined], [{}], [{ priority: "2" }]]) {
    assert.deepEqual(await called((cb) => assert.equal(client.work(works, ...opts, cb), undefined)), [null, results]);
  }
  assert.deepEqual(await called((cb) => client.work([], cb)), [null, []]);
  assert.deepEqual(await called((cb) => client.work([], {}, cb)), [null, []]);
});

test("a value that is not an array is one work", async (t) => {
  const parts = new Parts(t);
  const client = parts.client();
  parts.worker((w, handler) => (w.args === "fails" ? handler("why") : handler(undefined, w.args)));
  assert.deepEqual(await called((cb) => client.work({ n: 1 }, cb)), [null, { n: 1 }]);
  assert.deepEqual(await called((cb) => client.work(0, null, cb)), [null, 0]);
  assert.deepEqual(await called((cb) => client.work("fails", {}, cb)), ["why", null]);
});

test("callbacks may be left out, and options are left alone", async (t) => {
  const parts = new Parts(t);
  const client = parts.client();
  const done = [];
  parts.worker((w, handler) => {
    done.push(w.args);
    handler();
  });
  const opts = Object.freeze({ timeout: 60_000, runTimeout: 50_000, assigntimeout: 50_000, priority: 1 });
  client.work([1], opts);
  client.work([2]);
  client.work(3);
  client.workIndividual([4], opts);
  await called((cb) => client.work([5], opts, cb));
  await until(() => done.length === 5, "all works are done");
});

test("workIndividual reports each work when it finishes, then all", async (t) => {
  const parts = new Parts(t);
  const client = parts.client();
  const handlers = [];
  let alone = false;
  parts.worker((w, handler) => {
    handlers[w.args.n] = handler;
    if (alone) handler(null, "b");
    else if (handlers.filter(Boolean).length === 3) handlers[2](null, "c");
  });
  const reported = [];
  const works = [0, 1, 2].map((n) => ({ n }));
  const finished = await called((cb) => client.workIndividual(works, null, (err, data, w) => {
    reported.push([err, data, w]);
    if (data === "c") handlers[0]("no", "a");
    if (data === "a") handlers[1](null, "b");
  }, cb));
  assert.deepEqual(reported.map(([err, data, w]) => [err, data, w.original]), [[null, "c", works[2]], ["no", "a", works[0]], [null, "b", works[1]]]);
  const [, , w] = reported[0];
  assert.match(w.id, /^W.+R.+/);
  assert.equal(w.request, reported[1][2].request);
  assert.ok(w.pushed > 0);
  assert.equal(w.original, works[2]);
  assert.deepEqual(finished, [null, [{ err: "no", data: "a" }, { err: null, data: "b" }, { err: null, data: "c" }]]);

  // Options left out.
  alone = true;
  const [last] = await called((cb) => client.workIndividual([{ n: 1 }], (err, data, { original }) => cb([err, data, original])));
  assert.deepEqual(last, [null, "b", { n: 1 }]);
});

test("works are what they were when they were passed", async (t) => {
  const parts = new Parts(t);
  const client = parts.client();
  parts.worker(echo);
  const work = { n: 1 };
  const result = called((cb) => client.work([work], cb));
  work.n = 2;
  assert.deepEqual((await result)[1], [{ err: null, data: { n: 1 } }]);
});

test("errors of handlers arrive: Errors with message and code, other values as they are, falsy ones not at all", async (t) => {
  const parts = new Parts(t);
  const client = parts.client();
  const errs = [Object.assign(new TypeError("bad"), { code: "EBAD" }), "text", { code: "X", more: [1] }, 7, 0, "", null, undefined, false];
  parts.worker((w, handler) => handler(errs[w.args], "data"));
  const [, results] = await called((cb) => client.work(errs.map((_, n) => n), cb));
  assert.ok(results[0].err instanceof Error);
  assert.deepEqual([results[0].err.message, results[0].err.code], ["bad", "EBAD"]);
  assert.equal(JSON.stringify(results[0].err), '{"message":"bad","code":"EBAD"}');
  assert.deepEqual(results.slice(1).map(({ err }) => err), ["text", { code: "X", more: [1] }, 7, null, null, null, null, null]);
  assert.ok(results.every(({ data }) => data === "data"));
});

test("a listener that throws fails its work, and the worker goes on", async (t) => {
  const parts = new Parts(t);
  const client = parts.client();
  parts.worker(async (w, handler) => {
    if (w.args === "rejects") throw new Error("async");
    handler(null, w.args);
    handler(new Error("a second answer"));
  });
  const [, [rejected, answered]] = await called((cb) => client.work(["rejects", "once"], cb));
  assert.equal(rejected.err.message, "async");
  assert.deepEqual(answered, { err: null, data: "once" });

  const others = new Parts(t);
  const other = others.client();
  others.worker((w, handler) => {
    if (w.args === "throws") throw Object.assign(new Error("sync"), { code: "ESYNC" });
    handler(null, w.args);
  });
  const [, [thrown, good]] = await called((cb) => other.work(["throws", "good"], cb));
  assert.deepEqual([thrown.err.message, thrown.err.code], ["sync", "ESYNC"]);
  assert.equal(good.data, "good");
});

test("works and answers that cannot travel have an error of their own", async (t) => {
  const parts = new Parts(t);
  const client = parts.client();
  const circle = {};
  circle.self = circle;
  parts.worker((w, handler) => handler(null, w.args === "circle" ? circle : "done"));
  const huge = "x".repeat(16 * 1024 * 1024);
  const [, results] = await called((cb) => client.work([null, undefined, circle, 1n, Symbol("s"), huge, "circle", "fine"], cb));
  assert.deepEqual(results.map(({ err }) => err?.code), [...Array(5).fill("EINVWORK"), "ELARGEMSG", "EINVWORK", undefined]);
  assert.ok(results.slice(0, 7).every(({ err }) => err instanceof Error));
  assert.equal((await called((cb) => client.work(null, cb)))[0].code, "EINVWORK");
  assert.deepEqual((await called((cb) => client.work(new Array(2), cb)))[1].map(({ err }) => err.code), ["EINVWORK", "EINVWORK"]);
});

test("results of megabytes arrive, larger ones are ELARGEMSG", async (t) => {
  const parts = new Parts(t);
  const client = parts.client();
  parts.worker((w, handler) => handler(null, "é".repeat(w.args)));
  const sizes = [1000, 100_000, 2_000_000, 5_000_000];
  const [, results] = await called((cb) => client.work(sizes, cb));
  assert.deepEqual(results.map(({ err, data }) => err?.code ?? data.length), [1000, 100_000, 2_000_000, "ELARGEMSG"]);
});

test("functions are refused unless the worker allows them", async (t) => {
  const parts = new Parts(t);
  const client = parts.client();
  const refusing = parts.worker(() => assert.fail("it has no work"));
  const [error] = await called((cb) => client.work((handler) => handler(), cb));
  assert.equal(error.code, "EINVWORK");
  assert.match(error.message, /allowFunctions/);
  await refusing.stop();

  parts.worker((w, handler) => w.args(handler), { allowFunctions: true });
  const { method } = { method(handler) { handler(null, "method"); } };
  const works = [
    // Without a blank, in any form, and one whose source is none.
    new Function("return function(h){h(null,'plain')}")(),
    function named(handler) { handler(null, "named"); },
    (handler) => handler(null, "arrow"),
    async (handler) => handler(null, "async"),
    method,
    (handler) => handler(null, typeof require("node:os").cpus),
    Math.max,
    (handler) => handler(null, "last"),
  ];
  const [, results] = await called((cb) => client.work(works, cb));
  assert.deepEqual(results.map(({ data }) => data), ["plain", "named", "arrow", "async", "method", "function", null, "last"]);
  assert.match(results[6].err.message, /Unexpected/);
});

test("higher priorities go first, in order inside one; negative and odd ones are fine", async (t) => {
  const parts = new Parts(t);
  const client = parts.client();
  const finished = [];
  const groups = [-3, 0, "1.5", 7, 1].map((priority) => called((cb) => client.work([`${priority} a`, `${priority} b`], { priority }, cb)));
  await until(async () => (await client._peer.master.stats()).waiting === 10, "all wait");
  parts.worker((w, handler) => {
    finished.push(w.args);
    handler();
  }, { slots: 1 });
  await Promise.all(groups);
  assert.deepEqual(finished, ["7 a", "7 b", "1.5 a", "1.5 b", "1 a", "1 b", "0 a", "0 b", "-3 a", "-3 b"]);
});

test("members of other programs may add works to the cluster, and do them", async (t) => {
  const parts = new Parts(t);
  const client = parts.client();
  const { cluster, options } = client._peer;
  const master = assemblage.createMaster(cluster, options);
  atEnd(t, () => master.close());
  const worker = parts.worker((w, handler) => handler(null, w.args));
  assert.deepEqual(JSON.parse(await master.run({ n: 1 })), { d: { n: 1 } });
  assert.deepEqual(JSON.parse(await master.run(Buffer.from("no JSON"))).d.type, "Buffer");
  await worker.stop();

  const other = assemblage.createWorker(cluster, options);
  atEnd(t, () => other.terminate({ grace: 0 }));
  other.process((job) => (JSON.parse(job.payload).w === "bytes" ? Buffer.from("no JSON") : "text"));
  const [, results] = await called((cb) => client.work(["bytes", "json"], cb));
  assert.deepEqual(results, [{ err: null, data: Buffer.from("no JSON") }, { err: null, data: "text" }]);
});

test("five thousand works of one call all end", async (t) => {
  const parts = new Parts(t);
  const client = parts.client();
  parts.worker(echo);
  parts.worker(echo);
  const works = Array.from({ length: 5000 }, (_, n) => n);
  const [error, results] = await called((cb) => client.work(works, cb));
  assert.equal(error, null);
  assert.deepEqual(results.map(({ data }) => data), works);
});
