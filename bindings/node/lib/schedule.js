"use strict";
// The options of a schedule, as the core reads them.

const { invalid, nameOf, optionsOf, shown } = require("./check.js");

/** In milliseconds. */
const DURATIONS = ["every", "afterEnd", "jitter"];
const TIMES = ["start", "end"];
const TEXTS = ["cron", "tz", "overlap", "catchUp"];
const NAMES = [...DURATIONS, ...TIMES, ...TEXTS, "limit"];

/** Names and values in turn; the core checks their bounds. */
function scheduleOptions(schedule) {
  const options = optionsOf(schedule, NAMES, "schedule");
  const pairs = [];
  for (const name of NAMES) {
    const value = options[name];
    if (value === undefined || value === null) continue;
    pairs.push(name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), textOf(name, value));
  }
  return pairs;
}

function textOf(name, value) {
  if (TEXTS.includes(name)) return nameOf(value, name);
  const number = TIMES.includes(name) && value instanceof Date ? value.getTime() : value;
  if (typeof number !== "number" || !Number.isFinite(number) || number < 0) {
    const wanted = TIMES.includes(name) ? "a Date or milliseconds since 1970" : DURATIONS.includes(name) ? "a number of milliseconds" : "a whole number";
    throw invalid(`${name} is ${shown(value)}, it must be ${wanted}`);
  }
  return String(DURATIONS.includes(name) || TIMES.includes(name) ? Math.round(number) : number);
}

module.exports = scheduleOptions;
