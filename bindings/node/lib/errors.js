"use strict";
// One class per kind of error of the core, all under SwarmError. Numbers, names and `retryable` come from the core.

const native = require("./native.js");

/** The property with the code of an error, in every copy of this package. */
const CODE = Symbol.for("libswarm.SwarmError");

/** The base of all errors: `code` is the kind, `retryable` whether the same call may succeed later. */
class SwarmError extends Error {
  constructor(message, options) {
    super(message, options);
    const { code, retryable } = new.target;
    this.code = code;
    this.retryable = retryable;
  }

  get [CODE]() {
    return this.constructor.code;
  }

  /** Errors of another copy of this package are instances of the same class; classes that a program derives are compared normally. */
  static [Symbol.hasInstance](value) {
    if (!Object.hasOwn(this, "code")) return Function.prototype[Symbol.hasInstance].call(this, value);
    const code = typeof value === "object" && value !== null ? value[CODE] : undefined;
    return code !== undefined && (this === SwarmError || code === this.code);
  }
}
SwarmError.prototype.name = "SwarmError";
SwarmError.code = "SWARM_INTERNAL";
SwarmError.retryable = false;

const byNumber = new Map();
const classes = { SwarmError };

for (const { number, name, retryable } of native.kinds()) {
  const className = `${name.toLowerCase().replace(/(?:^|_)([a-z])/g, (_, letter) => letter.toUpperCase())}Error`;
  const kind = { [className]: class extends SwarmError {} }[className];
  kind.prototype.name = className;
  kind.code = `SWARM_${name}`;
  kind.retryable = retryable;
  byNumber.set(number, kind);
  classes[className] = kind;
}

/** The error of a kind, from the number and message of the native side. */
function errorOf(number, message) {
  return new (byNumber.get(number) ?? SwarmError)(message);
}

/** Whether the core has refused an argument, which it does before it sends anything. */
function isRefusal(error) {
  return error instanceof classes.InvalidArgumentError || error instanceof classes.TooLargeError;
}

module.exports = { classes, errorOf, isRefusal };
