"use strict";
// Workers of two groups receive what is for them, and the cluster ends when all have: node master.js.

const { Master } = require("assemblage/clustr-node");

const master = Master.create({ cluster: process.env.CLUSTER });

master.onPrivate(({ meta, data }) => console.log(`${meta.group}: ${data}`));

master.onConfirmation(2, "done", () => {
  console.log("all have received all");
  master.close(0);
});

master.onClusterStarted(() => {
  master.emitPublic("to everybody");
  master.emitGroup("cache", "to caches");
  for (const pid of master.clusterInfo.web) master.emitPrivate(pid, "to you");
});

master.spawn([
  { file: "worker.js", args: { group: "web", expect: 2 } },
  { file: "worker.js", args: { group: "cache", expect: 2 } },
]);
