import clustr, { Master, Worker } from "assemblage/clustr-node";

const master: Master = new Master({ redis: "redis://localhost" });
const worker: Worker = clustr.Worker.create({ group: "g" });
master.close();
worker.log("text");
