"use strict";
// Says when it is there and when it ends. A real one would stop listening in onKill, and call done when its last answer is sent.

const { Worker } = require("assemblage/clustr-node");

const worker = Worker.create({ group: "web", reloadDelay: 10, cluster: process.env.CLUSTER });

worker.onKill((done) => {
  console.log(`worker ${process.pid} ends`);
  done();
});
console.log(`worker ${process.pid} serves`);
worker.emitReady();
