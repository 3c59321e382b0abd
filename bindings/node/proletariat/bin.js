#!/usr/bin/env node
"use strict";
// A manager with its defaults. Redis is at SWARM_REDIS_URL, or else on this machine.

const { Manager } = require("./index.js");

const manager = new Manager();

// The process ends by itself then; a second signal ends it at once.
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => manager.stop());

manager.start();
