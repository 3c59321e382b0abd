"use strict";
// In the manner of assemblage 0.1: events and callbacks.

const assemblage = require("assemblage");

const name = `install-${process.pid}`;
const config = { url: process.env.SWARM_REDIS_URL };
const worker = assemblage.createWorker(name, config);
const master = assemblage.createMaster(name, config);
worker.on("error", (error) => {
  throw error;
});
worker.on("add", (job) => {
  job.once("delete", () => {
    console.log(`deleted ${job.payload.user}`);
    worker.terminate(() => process.exit(0));
  });
  console.log(`added ${job.payload.user}`);
  master.deleteJob(job.id);
});
master.addJob({ user: 7 }, (error) => {
  if (error) throw error;
});
