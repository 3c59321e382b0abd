"use strict";
// Credentials that a function of the program returns, or resolves with.

const { functionOf } = require("./check.js");
const native = require("./native.js");
const bound = require("./scope.js");
const { textOf } = require("./text.js");

/** The native half of the option `credentials`; undefined if it is not set. */
function credentialsOf(option) {
  if (option === undefined || option === null) return undefined;
  const ask = bound(functionOf(option, "the option credentials"), "credentials");
  const source = native.openCredentials(() => answer(source, ask));
  return source;
}

async function answer(source, ask) {
  try {
    const { username, password } = await ask();
    if (typeof password !== "string" || !["string", "undefined"].includes(typeof username)) {
      source.refuse("the function returned no object with the string `password`, and `username` or not");
    } else {
      source.give(username, password);
    }
  } catch (error) {
    source.refuse(textOf(error));
  }
}

module.exports = credentialsOf;
