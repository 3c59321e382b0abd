"use strict";
// What the tests of redis-dist-job-queue share: queues with names of their own, and files in which tasks report what they do.

const { randomBytes } = require("node:crypto");
const { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const JobQueue = require("../../redis-dist-job-queue");
const { assemblage, atEnd, called, until, url } = require("../support.js");

const fixture = (name) => path.join(__dirname, "fixtures", name);

/** A queue that is shut down when the test ends, with tasks of the folder fixtures. Its events are in `queue.reported`. */
function queueOf(t, { tasks = [], queueId = `q${randomBytes(6).toString("hex")}`, ...options } = {}) {
  const queue = new JobQueue({ redisConfig: redisConfig(), queueId, ...options });
  queue.reported = { error: [], jobSuccess: [], jobFail: [], childRestart: [] };
  for (const [event, list] of Object.entries(queue.reported)) queue.on(event, (value) => list.push(value));
  for (const task of tasks) queue.registerTask(`./fixtures/${task}`);
  atEnd(t, () => called((done) => queue.shutdown(done)));
  return queue;
}

function redisConfig(of = url) {
  const { hostname, port } = new URL(of);
  return { host: hostname, port: Number(port) };
}

/** A master of the queue's cluster. */
function masterOf(t, queue, options) {
  const master = assemblage.createMaster(queue.cluster, { url, ...options });
  atEnd(t, () => master.close());
  return master;
}

/** Resolves when Redis has stored the job. */
async function submit(queue, task, options) {
  const [error] = await called((done) => queue.submitJob(task, options, done));
  if (error) throw error;
}

/** A folder with files in which tasks write lines of JSON. */
function folderOf(t) {
  const folder = mkdtempSync(path.join(os.tmpdir(), "job-queue-"));
  atEnd(t, () => rmSync(folder, { recursive: true, force: true }));
  return {
    path: (name) => path.join(folder, name),
    /** Puts a folder in the place of a file. */
    block(name) {
      rmSync(path.join(folder, name));
      mkdirSync(path.join(folder, name));
    },
    make: (name) => writeFileSync(path.join(folder, name), ""),
    lines(name) {
      try {
        return readFileSync(path.join(folder, name), "utf8").trim().split("\n").map((line) => JSON.parse(line));
      } catch {
        return [];
      }
    },
  };
}

/** Resolves when there are `count` workers with a free place (0: none takes another job). */
async function free(master, count) {
  const isFree = (member) => member.role === "worker" && member.free > 0;
  await until(async () => (await master.members()).filter(isFree).length === count, `${count} workers are free`);
}

module.exports = { JobQueue, fixture, folderOf, free, masterOf, queueOf, redisConfig, submit, until, called, url };
