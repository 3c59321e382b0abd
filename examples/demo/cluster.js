"use strict";
// One cluster from beginning to end: a master in this process, workers in others, and no key left in Redis at the end.

const { randomBytes } = require("node:crypto");
const { createMaster } = require("assemblage");
const Crew = require("./crew.js");

/** Runs `part(master, crew)` in a cluster of its own; `options` are those of the crew. */
async function inCluster(name, options, part) {
  const cluster = `demo-${name}-${randomBytes(4).toString("hex")}`;
  const settings = { url: process.env.SWARM_REDIS_URL, lease: options.lease };
  const master = createMaster(cluster, settings);
  master.on("error", (error) => console.error(`the master: ${error.message}`));
  await master.ready();
  const crew = new Crew(cluster, options);
  const interrupted = () => crew.fail(new Error("interrupted"));
  process.once("SIGINT", interrupted).once("SIGTERM", interrupted);
  try {
    return await part(master, crew);
  } finally {
    process.off("SIGINT", interrupted).off("SIGTERM", interrupted);
    await crew.clear();
    // Closing waits for adds on their way, so that none comes after the keys were removed.
    await master.close();
    await remove(cluster, settings);
  }
}

async function remove(cluster, settings) {
  const master = createMaster(cluster, settings);
  await master.obliterate();
  await master.close();
}

module.exports = inCluster;
