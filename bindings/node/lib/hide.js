"use strict";
// What may hold a password is not shown where an object is logged or written as JSON.

const { inspect } = require("node:util");

/** Names of options that are, or may hold, passwords. */
const SECRETS = ["url", "password", "auth_pass", "sentinelPassword", "client"];

/** Gives `object` these properties as if by assignment, but so that they are not listed. */
function hide(object, values) {
  for (const [name, value] of Object.entries(values)) {
    Object.defineProperty(object, name, { value, writable: true, configurable: true, enumerable: false });
  }
}

/** What `console.log` shows of objects of a class is what is in their JSON; `shown` gives that. */
function showOnly(type, shown) {
  type.prototype.toJSON = function toJSON() {
    return shown(this);
  };
  type.prototype[inspect.custom] = function show(_depth, options) {
    return `${this.constructor.name} ${inspect(this.toJSON(), options)}`;
  };
  for (const name of ["toJSON", inspect.custom]) Object.defineProperty(type.prototype, name, { enumerable: false });
}

/** Options of which `console.log` shows no passwords; all else, JSON too, is as it was. */
function discreet(config) {
  const show = (_depth, options) => inspect(Object.fromEntries(Object.entries(config).map(([name, value]) => [name, SECRETS.includes(name) && value ? "***" : value])), options);
  Object.defineProperty(config, inspect.custom, { value: show, writable: true, configurable: true, enumerable: false });
  return config;
}

module.exports = { discreet, hide, showOnly };
