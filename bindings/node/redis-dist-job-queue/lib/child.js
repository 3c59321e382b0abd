"use strict";
// The program of a child process: performs jobs until its parent requests its exit, or is gone.

const { isRecorded } = require("../../lib/complain.js");
const leaving = require("../../lib/leaving.js");
const Performer = require("./performer.js");
const { settingsOf } = require("./settings.js");
const { loadTasks } = require("./tasks.js");

let performer = null;
let ending = false;

/** How long after a signal the parent may take to request that the children finish their jobs, in milliseconds. */
const WORD = 2000;

/** Leaves before a signal ends this process, unless its parent has disabled that. */
const leaver = { _leave: leave };

function start(options) {
  const { modulePaths, ...rest } = JSON.parse(options);
  if (rest.handleSignals === false) leaving.remove(leaver);
  try {
    performer = new Performer(settingsOf(rest), loadTasks(modulePaths), report, (incarnation) => report("member", incarnation));
  } catch (error) {
    report("error", error);
    exit(1);
  }
}

function report(type, value) {
  send({ type, value: type === "error" ? { stack: String(value?.stack ?? value), code: value?.code, recorded: isRecorded(value) } : value });
}

/** `sent` is called when the message is written, or cannot be written any more. */
function send(message, sent = () => {}) {
  if (!process.connected) return sent();
  try {
    process.send({ ...message, from: "redis-dist-job-queue" }, sent);
  } catch (error) {
    // The task has changed its params to a value without JSON.
    report("error", error);
  }
  return undefined;
}

/** Exits the process even if a task has left connections or timers open; all reports are written first. */
async function exit(code) {
  leaving.remove(leaver);
  // Members that tasks have created.
  await leaving.leaveAll({ grace: 0 });
  await written();
  process.exit(code);
}

/** Resolves when all reports are written. */
function written() {
  return new Promise((resolve) => send({ type: "end" }, resolve));
}

/**
 * A terminal, or a service manager, signals the whole process group of the parent: if the parent then requests that its children shut down, they
 * finish their jobs, however long that takes. Otherwise jobs that are not over soon are performed by other processes.
 */
async function leave() {
  await performer?.leave(() => ending && process.connected, process.connected ? WORD : 0);
  await written();
}

async function end() {
  if (ending) return;
  ending = true;
  try {
    await performer?.shutdown();
  } catch (error) {
    report("error", error);
  }
  exit(0);
}

process.on("message", (message) => {
  if (message === "shutdown") end();
  else if (message?.type === "start") start(message.value);
});

// The parent is gone.
process.once("disconnect", async () => {
  await performer?.leave();
  exit(1);
});

leaving.add(leaver);
