"use strict";
// The demo: demo.js <directory>. SWARM_REDIS_URL says where Redis is. The exit status is 0 only if all was as it must be.

const fs = require("node:fs");
const hashFiles = require("./hash-files.js");
const holdJobs = require("./hold-jobs.js");

/** Short, so that nobody has to wait for the loss of a worker to be noticed; it is 15 s unless set. In milliseconds. */
const LEASE = 2000;

async function main([directory = "/usr/share/doc"]) {
  const root = fs.realpathSync(directory);
  const began = performance.now();
  console.log(`Leases are ${LEASE / 1000} s here, not the usual 15 s: a killed worker's jobs go elsewhere when its lease has run out.`);
  const good = [await hashFiles(root, LEASE), await holdJobs(LEASE)].every(Boolean);
  console.log(`\n${good ? "All is as it must be" : "SOMETHING IS WRONG, see above"}; ${((performance.now() - began) / 1000).toFixed(1)} s.`);
  return good ? 0 : 1;
}

main(process.argv.slice(2)).then(
  (status) => {
    process.exitCode = status;
  },
  (error) => {
    console.error(`\nThe demo ended early: ${error.message}`);
    process.exitCode = 1;
  },
);
