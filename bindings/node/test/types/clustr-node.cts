// A CommonJS program in the manner of clustr-node.

import Clustr = require("assemblage/clustr-node");

const { create } = Clustr.Master;
const master = create({ reloadDelay: 100, logger: (message) => console.log(message), cluster: "c" });
master.onClusterStarted((count) => console.log(count.toFixed()));
master.onClusterReloaded(() => {});
master.spawn([{ file: "./w.js", cpu: 0, args: { "cluster-option": "foo", flag: true } }, { file: "./s", command: "bash", respawn: false }]);
const pids: number[] | undefined = master.clusterInfo.web;

const worker = Clustr.Worker.create({ group: "web", own: 5 });
worker.onPublic(({ meta, data }) => worker.emitPrivate(meta.pid, data));
worker.onKill((done) => done());
worker.onConfirmation(2, "up", (messages) => console.log(messages[0]?.meta.group));
worker.emitClusterInfo(({ data }) => console.log(data.web?.length));
worker.emitReady();
worker.emitKill(String(worker.masterPid));
const count: number = worker.stats.onMessage;
worker.close(0);
// @ts-expect-error a worker has a group
Clustr.Worker.create({});
// @ts-expect-error a worker has a file
worker.spawn([{ command: "sh" }]);
void [pids, count];
