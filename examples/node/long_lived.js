"use strict";
// Long-lived jobs, as with assemblage 0.1: two workers share them, and when one ends the other takes over.
// SWARM_REDIS_URL names the server, redis://localhost:6379 unless set.

const assemblage = require("assemblage");

const cluster = process.argv[2] ?? "example-long-lived";
const config = { url: process.env.SWARM_REDIS_URL ?? "redis://localhost:6379" };

function startWorker(name) {
  const worker = assemblage.createWorker(cluster, config);
  worker.on("error", (error) => console.error(`${name}: ${error.message}`));
  worker.on("close", () => console.log(`${name} is closed`));
  worker.on("add", (job) => {
    console.log(`${name} watches ${job.payload.mailbox}`);
    job.once("delete", () => console.log(`${name} no longer watches ${job.payload.mailbox}`));
    countWatched();
  });
  return worker;
}

const workers = [startWorker("first"), startWorker("second")];
const master = assemblage.createMaster(cluster, config);
const ids = [];

Promise.all(workers.map((worker) => worker.ready())).then(() => {
  for (const mailbox of ["ann", "bob", "cid", "dan"]) {
    master.addJob({ mailbox }, (error, jobId) => {
      if (error) throw error;
      ids.push(jobId);
    });
  }
});

// The first four adds share the jobs out; two more are those that the second worker takes over.
let watched = 0;
function countWatched() {
  watched += 1;
  if (watched === 4) workers[0].terminate();
  if (watched === 6) finish();
}

async function finish() {
  await master.deleteJobs(ids);
  await workers[1].terminate();
  await master.close();
}
