"use strict";
// The files of a tree, and what sha256sum says of them. Paths are Buffers: a name need not be UTF-8.

const { spawn } = require("node:child_process");
const fs = require("node:fs");

const SLASH = Buffer.from("/");

/** The regular files below `root`, following no links: `{ files, bytes, skipped }`; `skipped` says what cannot be read, and why. */
function walk(root) {
  const found = { files: [], bytes: 0, skipped: [] };
  const folders = [Buffer.from(root)];
  while (folders.length > 0) {
    const folder = folders.pop();
    const skip = (path, error) => found.skipped.push(`${shown(path)}: ${error.code ?? error.message}`);
    let entries = [];
    try {
      entries = fs.readdirSync(folder, { withFileTypes: true, encoding: "buffer" });
    } catch (error) {
      skip(folder, error);
    }
    for (const entry of entries) {
      const path = Buffer.concat([folder, SLASH, entry.name]);
      if (entry.isDirectory()) {
        folders.push(path);
      } else if (entry.isFile()) {
        try {
          fs.accessSync(path, fs.constants.R_OK);
          found.bytes += fs.statSync(path).size;
          found.files.push(path);
        } catch (error) {
          skip(path, error);
        }
      }
    }
  }
  return found;
}

/** What sha256sum says of the files: hexadecimal digests in their order, undefined where it says nothing. */
async function sha256sum(files) {
  // By way of xargs: the list may be longer than a command line, and Node passes no arguments that are not UTF-8.
  const child = spawn("xargs", ["-0", "sha256sum", "-z", "--"], { stdio: ["pipe", "pipe", "inherit"] });
  const ended = new Promise((resolve, reject) => child.on("close", resolve).on("error", reject));
  child.stdin.on("error", () => {});
  child.stdin.end(Buffer.concat(files.flatMap((file) => [file, Buffer.from([0])])));
  const output = [];
  child.stdout.on("data", (chunk) => output.push(chunk));
  await ended;
  // Each record: 64 digits, two spaces, the path. Latin-1 keeps every byte of a path apart.
  const digests = new Map();
  for (const record of Buffer.concat(output).toString("latin1").split("\0")) digests.set(record.slice(66), record.slice(0, 64));
  return files.map((file) => digests.get(file.toString("latin1")));
}

/** A path for people: quoted, because a name may have any byte but NUL. */
function shown(path) {
  return JSON.stringify(path.toString());
}

module.exports = { walk, sha256sum, shown };
