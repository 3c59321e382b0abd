"use strict";
// The figures of a limit, and the limits of a job, as the core reads them.

const { invalid, nameOf, optionsOf, shown } = require("./check.js");

const NAMES = ["rate", "per", "burst", "concurrency"];

/** Names and values in turn; the core checks their bounds. */
function limitOptions(figures) {
  const options = optionsOf(figures, NAMES, "limit");
  const pairs = [];
  for (const name of NAMES) {
    const value = options[name];
    if (value === undefined || value === null) continue;
    if (typeof value !== "number") throw invalid(`${name} is ${shown(value)}, it must be a whole number`);
    pairs.push(name, String(value));
  }
  return pairs;
}

/** The option `limits` of a job as JSON. */
function jobLimits(limits) {
  const list = Array.isArray(limits) ? limits : [limits];
  return JSON.stringify(list.map(jobLimit));
}

function jobLimit(limit) {
  if (typeof limit === "string") return nameOf(limit, "name of a limit");
  const { name, cost } = optionsOf(limit, ["name", "cost"], "limit of a job");
  if (cost !== undefined && cost !== null && typeof cost !== "number") throw invalid(`the cost of a limit is ${shown(cost)}, it must be a whole number`);
  return { name: nameOf(name, "name of a limit"), cost: cost ?? 1 };
}

module.exports = limitOptions;
module.exports.jobLimits = jobLimits;
