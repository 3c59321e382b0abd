// Adds jobs: many per call, one per call from async functions, or one at a time.

import { setTimeout as pause } from "node:timers/promises";
import { createMaster } from "../../bindings/node/index.mjs";
import { CALL, FIRST, IN_FLIGHT, monotonic, payload, say } from "./payload.mjs";

const commands = { bulk, one: oneByOne, dispatch };

export default async function produce(url, cluster, nextCommand) {
  const master = createMaster(cluster, { url });
  await master.ready();
  say("ready");
  for (let command; (command = await nextCommand()); ) {
    const begun = monotonic();
    await commands[command.name](master, ...command.numbers);
    say("done", monotonic() - begun);
  }
  await master.close();
}

async function bulk(master, count) {
  for (let from = 0; from < count; from += CALL) {
    const payloads = [];
    for (let n = from; n < Math.min(count, from + CALL); n++) payloads.push(payload(FIRST + n));
    await master.addJobs(payloads);
  }
}

async function oneByOne(master, count) {
  const some = async (first) => {
    for (let n = first; n < count; n += IN_FLIGHT) await master.addJob(payload(FIRST + n));
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, (_, first) => some(first)));
}

async function dispatch(master, count, pauseUs) {
  for (let n = 0; n < count; n++) {
    await pause(pauseUs / 1000);
    await master.addJob(payload(monotonic()));
  }
}
