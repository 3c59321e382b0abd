"use strict";
// What programs written for clustr-node call, over the supervisor and the messages of this package.

const Master = require("./master.js");
const Worker = require("./worker.js");

module.exports = { Master, Worker };
