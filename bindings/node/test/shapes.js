"use strict";
// Random JSON: what a hostile or broken member may send. The same seed gives the same values.

/** Names and texts that mean something to somebody. */
const WORDS = [
  "__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "", "all", "registration", "deregistration", "clusterInfo", "confirmation", "public",
  "private", "group", "parts", "kill", "MANAGER", "manager", "events", "result", "receive", "assign", "finish", "abort", "drop", "giveup", "assigntimeout", "web",
];

const KEYS = [
  "__proto__", "constructor", "channel", "meta", "pid", "group", "data", "attempt", "parts", "k", "e", "w", "c", "r", "f", "t", "m", "d", "x", "b", "id", "rid", "list", "from",
  "result", "settings", "watching", "text", "content", "type", "value", "args", "fence", "requester", "code", "message", "stack", "toJSON", "then", "length",
];

class Shapes {
  constructor(seed) {
    this.state = seed >>> 0 || 1;
  }

  /** A number below `n`. */
  below(n) {
    // xorshift32
    this.state ^= this.state << 13;
    this.state ^= this.state >>> 17;
    this.state ^= this.state << 5;
    return (this.state >>> 0) % n;
  }

  one(list) {
    return list[this.below(list.length)];
  }

  /** Any JSON value; properties have names that matter. */
  value(depth = 4) {
    switch (this.below(depth > 0 ? 10 : 6)) {
      case 0: return null;
      case 1: return this.below(2) === 0;
      case 2: return this.one([0, -1, 1.5, 1e300, 2 ** 53, this.below(100_000)]);
      case 3: case 4: case 5: return this.one(WORDS);
      case 6: case 7: return Array.from({ length: this.below(4) }, () => this.value(depth - 1));
      default: return this.object(Array.from({ length: this.below(6) }, () => this.one(KEYS)), depth);
    }
  }

  /** An object with these properties, each any value. */
  object(keys, depth = 4) {
    return Object.fromEntries(keys.map((key) => [key, this.value(depth - 1)]));
  }

  /** `whole`, with one of its parts, at any depth, replaced or taken out. */
  mutated(whole) {
    if (this.below(4) === 0 || typeof whole !== "object" || whole === null) return this.value();
    const key = this.one(Object.keys(whole));
    if (key === undefined) return this.value();
    const copy = Array.isArray(whole) ? [...whole] : { ...whole };
    if (this.below(4) === 0) delete copy[key];
    else Object.defineProperty(copy, key, { value: this.mutated(whole[key]), enumerable: true, writable: true, configurable: true });
    if (!Array.isArray(copy) && this.below(4) === 0) Object.defineProperty(copy, this.one(KEYS), { value: this.value(), enumerable: true, writable: true, configurable: true });
    return copy;
  }
}

/** What is not as it was in the prototypes of this program. */
function polluted() {
  const names = [Object.prototype, Array.prototype, Function.prototype].flatMap((prototype) => Object.keys(prototype));
  return [...names, ...["id", "slots", "pid", "host", "channel"].filter((name) => ({})[name] !== undefined)];
}

module.exports = { Shapes, polluted };
