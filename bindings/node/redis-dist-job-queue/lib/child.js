"use strict";
// The program of a child process: performs jobs until its parent tells it to end, or is gone.

const Performer = require("./performer.js");
const { settingsOf } = require("./settings.js");
const { loadTasks } = require("./tasks.js");

let performer = null;
let ending = false;

function start(options) {
  const { modulePaths, ...rest } = JSON.parse(options);
  try {
    performer = new Performer(settingsOf(rest), loadTasks(modulePaths), tell, (incarnation) => tell("member", incarnation));
  } catch (error) {
    tell("error", error);
    exit(1);
  }
}

function tell(type, value) {
  send({ type, value: type === "error" ? { stack: String(value?.stack ?? value), code: value?.code } : value });
}

/** `sent` is called when the message is written, or cannot be any more. */
function send(message, sent = () => {}) {
  if (!process.connected) return sent();
  try {
    process.send({ ...message, from: "redis-dist-job-queue" }, sent);
  } catch (error) {
    // The task has made its params into what is no JSON.
    tell("error", error);
  }
  return undefined;
}

/** Ends the process even if a task has left connections or timers; all that was told is written first. */
function exit(code) {
  send({ type: "end" }, () => process.exit(code));
}

async function end() {
  if (ending) return;
  ending = true;
  try {
    await performer?.shutdown();
  } catch (error) {
    tell("error", error);
  }
  exit(0);
}

process.on("message", (message) => {
  if (message === "shutdown") end();
  else if (message?.type === "start") start(message.value);
});

// Without its parent it finishes its jobs, but a job that hangs does not keep it for ever.
process.once("disconnect", () => {
  setTimeout(() => process.exit(1), performer?.lease ?? 0);
  end();
});

// A terminal, or a service manager, signals the parent's whole group: the parent decides, and jobs are finished. A second
// signal ends the process as usual.
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, end);
