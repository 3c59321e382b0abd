"use strict";
// Hides values that may contain a password where an object is logged or written as JSON.

const { inspect } = require("node:util");

/** Names of options that are passwords, or may contain one. */
const SECRETS = ["url", "password", "auth_pass", "sentinelPassword", "client"];

/** Assigns properties to `object` that are not enumerable. */
function hide(object, values) {
  for (const [name, value] of Object.entries(values)) {
    Object.defineProperty(object, name, { value, writable: true, configurable: true, enumerable: false });
  }
}

/** Makes `console.log` show objects of a class by what `shown` returns, which is also their JSON. */
function showOnly(type, shown) {
  type.prototype.toJSON = function toJSON() {
    return shown(this);
  };
  type.prototype[inspect.custom] = function show(_depth, options) {
    return `${this.constructor.name} ${inspect(this.toJSON(), options)}`;
  };
  for (const name of ["toJSON", inspect.custom]) Object.defineProperty(type.prototype, name, { enumerable: false });
}

/** Options whose passwords `console.log` does not show; everything else, including JSON, is unchanged. */
function discreet(config) {
  const show = (_depth, options) => inspect(Object.fromEntries(Object.entries(config).map(([name, value]) => [name, SECRETS.includes(name) && value ? "***" : value])), options);
  Object.defineProperty(config, inspect.custom, { value: show, writable: true, configurable: true, enumerable: false });
  return config;
}

module.exports = { discreet, hide, showOnly };
