"use strict";
// Reports to the master what it receives: worker.js --group=<its group> --expect=<how many messages>.

const { Worker } = require("assemblage/clustr-node");

const option = (name) => process.argv.find((text) => text.startsWith(`--${name}=`)).split("=")[1];
const worker = Worker.create({ group: option("group"), cluster: process.env.CLUSTER });
let received = 0;

function receive(way) {
  return ({ data }) => {
    worker.emitPrivate(worker.masterPid, `received ${way} ${data}`);
    received += 1;
    if (received === Number(option("expect"))) worker.emitConfirmation("done");
  };
}

worker.onPublic(receive("publicly"));
worker.onGroup(receive("as a group"));
worker.onPrivate(receive("privately"));
worker.emitReady();
