"use strict";
// The API of proletariat, implemented with the master and workers of this package.

const Client = require("./client.js");
const Manager = require("./manager.js");
const Worker = require("./worker.js");

module.exports = { Client, Manager, Worker };
