"use strict";
// The API of clustr-node, implemented with the supervisor and the messages of this package.

const Master = require("./master.js");
const Worker = require("./worker.js");

module.exports = { Master, Worker };
