"use strict";
// Works that are functions: their source text is sent, and evaluated by workers that allow it.

const { createRequire } = require("node:module");
const path = require("node:path");

/** The function with this source, in any of its forms. Throws the error of the source. */
function functionOf(source) {
  const own = createRequire(require.main?.filename ?? path.join(process.cwd(), "worker.js"));
  let made;
  try {
    made = new Function("require", `return (${source}\n)`)(own);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    made = method(source, own, error);
  }
  if (typeof made !== "function") throw new TypeError("the work is not the source of a function");
  return made;
}

/** The source of a method is valid only inside an object. */
function method(source, own, error) {
  try {
    return Object.values(new Function("require", `return ({${source}\n})`)(own))[0];
  } catch {
    throw error;
  }
}

module.exports = functionOf;
