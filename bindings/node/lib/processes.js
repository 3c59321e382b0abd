"use strict";
// Detects whether a process of this machine has ended. Containers may share a host name and have processes with the same ids. So a process is
// identified by the boot of its machine, its pid namespace, its id and its start time.

const { readFileSync, readlinkSync } = require("node:fs");

/** Fields of /proc/<pid>/stat after the name of the program, which may contain any characters but ends with the last parenthesis. */
const STATE = 0;
const BEGAN = 19;

let own;

/** The identity of this process, as text; undefined where it cannot be distinguished from others. */
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

/** Whether the process with this text of `thisProcess` has certainly ended. Always false for another machine. */
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
    // Dead and not yet reaped by its parent; or the id was reused.
    return stat[STATE] === "Z" || stat[STATE] === "X" || stat[BEGAN] !== began;
  } catch {
    // It exists or existed a moment ago; some systems do not allow to read more.
    return false;
  }
}

function statOf(pid) {
  const text = readFileSync(`/proc/${pid}/stat`, "latin1");
  return text.slice(text.lastIndexOf(")") + 2).split(" ");
}

module.exports = { hasEnded, thisProcess };
