"use strict";
// Finds task modules.

const { createRequire } = require("node:module");
const path = require("node:path");
const { fileURLToPath } = require("node:url");

/**
 * The file of a task module. It is searched from the file that called `method` (CommonJS or ESM), then from `firstUser`, the file that required the
 * queue's module first, then from the working directory: as a path, and as `require` would.
 */
function resolveTask(modulePath, method, firstUser) {
  const here = path.join(process.cwd(), "_");
  const bases = [callerOf(method), firstUser, here].filter((base) => base && path.isAbsolute(base));
  let missing;
  for (const base of bases) {
    const { resolve } = createRequire(base);
    // A name without a dot could be a path, too, so a file with this name precedes a package.
    for (const name of [path.resolve(path.dirname(base), String(modulePath)), String(modulePath)]) {
      try {
        const found = resolve(name);
        if (path.isAbsolute(found)) return found;
      } catch (error) {
        if (error.code !== "MODULE_NOT_FOUND") throw error;
        if (name === modulePath) missing ??= error;
      }
    }
  }
  throw missing ?? Object.assign(new Error(`Cannot find module '${modulePath}'`), { code: "MODULE_NOT_FOUND" });
}

/** The file of the function that called `method`, if it is a file. */
function callerOf(method) {
  const { prepareStackTrace, stackTraceLimit } = Error;
  try {
    Error.stackTraceLimit = 10;
    Error.prepareStackTrace = (_, sites) => sites.map((site) => site.getFileName());
    const trace = {};
    Error.captureStackTrace(trace, method);
    const file = trace.stack.find((name) => name && !name.startsWith("node:"));
    return file?.startsWith("file:") ? fileURLToPath(file) : file;
  } finally {
    Object.assign(Error, { prepareStackTrace, stackTraceLimit });
  }
}

module.exports = resolveTask;
