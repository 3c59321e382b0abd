"use strict";
// Tells the master what it hears: worker.js --group=<its group> --expect=<how many messages>.

const { Worker } = require("assemblage/clustr-node");

const option = (name) => process.argv.find((text) => text.startsWith(`--${name}=`)).split("=")[1];
const worker = Worker.create({ group: option("group"), cluster: process.env.CLUSTER });
let heard = 0;

function hear(way) {
  return ({ data }) => {
    worker.emitPrivate(worker.masterPid, `heard ${way} ${data}`);
    heard += 1;
    if (heard === Number(option("expect"))) worker.emitConfirmation("done");
  };
}

worker.onPublic(hear("publicly"));
worker.onGroup(hear("as a group"));
worker.onPrivate(hear("privately"));
worker.emitReady();
