"use strict";
// The function with which a process reports to its supervisor that it is ready.

const { closeSync, fstatSync, writeSync } = require("node:fs");
const { isMainThread } = require("node:worker_threads");
const { classes } = require("./errors.js");

const NAME = "SWARM_READY_FD";

/**
 * Reports that this process is ready. Returns false if no supervisor waits for it: there is none, or it treats the process as ready at its start, or
 * the process has reported before. Never blocks.
 */
function ready() {
  const value = process.env[NAME];
  if (value === undefined) return false;
  // The environment of a thread is a copy: the main thread could later write to a descriptor that was closed here.
  if (!isMainThread) throw new classes.InvalidArgumentError("ready() is for the main thread, in which the process has its environment");
  delete process.env[NAME];
  const fd = /^[0-9]{1,9}$/.test(value) ? Number(value) : 0;
  try {
    if (fd <= 2) throw new Error("it is no number above 2");
    fstatSync(fd);
  } catch (cause) {
    throw new classes.InvalidArgumentError(`${NAME} is ${JSON.stringify(value)}, which is not the number of an open descriptor`, { cause });
  }
  try {
    writeSync(fd, "1");
    return true;
  } catch {
    // The supervisor is gone.
    return false;
  } finally {
    closeSync(fd);
  }
}

module.exports = ready;
