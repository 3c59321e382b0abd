// libswarm as a Node program uses it: package assemblage. `node main.mjs producer|worker <url> <cluster>`; see ../README.md.

import { createInterface } from "node:readline";
import produce from "./producer.mjs";
import work from "./worker.mjs";

const [role, url, cluster] = process.argv.slice(2);
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

/** The next command, `{ name, numbers }`; undefined when the harness has closed its end. */
async function nextCommand() {
  const { done, value } = await lines.next();
  if (done) return undefined;
  const [name, ...numbers] = value.trim().split(/\s+/);
  return { name, numbers: numbers.map(Number) };
}

await (role === "producer" ? produce : work)(url, cluster, nextCommand);
