"use strict";
// Parses command lines as optimist does, and builds those of spawned processes.

const path = require("node:path");

const NUMBER = /^(0x[0-9a-f]+|[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?)$/i;

/**
 * Options by name: `--x=5`, `--x 5`, `--flag`, `--no-flag`, `-f`. Values that look like numbers are numbers; a name that occurs twice has an array.
 */
function parse(argv) {
  const options = new Map();
  const set = (name, text) => {
    const value = typeof text === "string" && NUMBER.test(text) ? Number(text) : text;
    options.set(name, options.has(name) ? [].concat(options.get(name), value) : value);
  };
  for (let i = 0; i < argv.length && argv[i] !== "--"; i++) {
    const [, dashes, name, value] = /^(--?)([^-=][^=]*)(?:=([^]*))?$/.exec(argv[i]) ?? [];
    if (name === undefined) continue;
    const next = argv[i + 1];
    if (value !== undefined) set(name, value);
    else if (dashes === "--" && name.startsWith("no-")) set(name.slice(3), false);
    else if (next === undefined || next.startsWith("-")) set(name, true);
    else set(name, next === "true" || next === "false" ? next === "true" : next), i++;
  }
  return Object.fromEntries(options);
}

/** Options that are passed to spawned processes, and to theirs. */
function bubbling(options) {
  return Object.fromEntries(Object.entries(options).filter(([name, value]) => name.startsWith("cluster-") && value !== false));
}

/** The command of an entry of `spawn`, and its arguments; `args` of the entry precede the inherited options. */
function commandOf({ command = process.argv[0], file, args }, bubble) {
  const folder = path.dirname(process.argv[1] ?? "");
  const script = path.resolve(folder, file);
  const coffee = script.endsWith(".coffee") ? [path.join(folder, "node_modules/coffee-script/bin/coffee")] : [];
  const own = Object.keys(args ?? {});
  const rest = Object.entries(bubble).filter(([name]) => !own.includes(name));
  const options = [...Object.entries(args ?? {}), ...rest].flatMap(([name, value]) => [].concat(value).map((one) => text(name, one)));
  return [command === "coffee" ? "node" : command, [...coffee, script, ...options]];
}

function text(name, value) {
  return value === true ? `--${name}` : `--${name}=${value}`;
}

module.exports = { bubbling, commandOf, parse };
