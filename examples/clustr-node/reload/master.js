"use strict";
// A cluster of two workers that is replaced while it serves: node master.js. Then: kill -HUP <its pid>. SIGTERM ends it.

const { Master } = require("assemblage/clustr-node");

const master = Master.create({ reloadDelay: 100, cluster: process.env.CLUSTER });

master.onClusterStarted((count) => console.log(`started with ${count} workers, pid ${process.pid}`));
master.onClusterReloaded((count) => console.log(`reloaded ${count} workers`));
master.spawn([{ file: "worker.js" }, { file: "worker.js" }]);
