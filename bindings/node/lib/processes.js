"use strict";
// Whether a process of this machine is gone. Containers may share a host name and have processes with the same numbers: a process is known by
// the boot of its machine, its pid namespace, its number and when it began.

const { readFileSync, readlinkSync } = require("node:fs");

/** Fields of /proc/<pid>/stat behind the name of the program, which may contain anything but ends with the last parenthesis. */
const STATE = 0;
const BEGAN = 19;

let own;

/** This process, as text; undefined where it cannot be distinguished from others. */
function thisProcess() {
  own ??= { text: identity() };
  return own.text;
}

function identity() {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
    return `${boot}/${readlinkSync("/proc/self/ns/pid")}/${process.pid}/${statOf(process.pid)[BEGAN]}`;
  } catch {
    return undefined;
  }
}

/** Whether a process, as it said of itself by `thisProcess`, has certainly ended. One of another machine never has. */
function hasEnded(text) {
  const mine = thisProcess()?.split("/");
  const [boot, namespace, number, began] = typeof text === "string" ? text.split("/") : [];
  const pid = Number(number);
  if (mine === undefined || boot !== mine[0] || namespace !== mine[1] || !Number.isInteger(pid) || pid <= 0 || began === undefined) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    return error.code === "ESRCH";
  }
  try {
    const stat = statOf(pid);
    // Dead, and not yet waited for by its parent; or the number is another's by now.
    return stat[STATE] === "Z" || stat[STATE] === "X" || stat[BEGAN] !== began;
  } catch {
    // It is there, or was a moment ago; not everybody may see more.
    return false;
  }
}

function statOf(pid) {
  const text = readFileSync(`/proc/${pid}/stat`, "latin1");
  return text.slice(text.lastIndexOf(")") + 2).split(" ");
}

module.exports = { hasEnded, thisProcess };
