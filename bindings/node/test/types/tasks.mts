// Tasks with types.

import { createMaster, createWorker } from "assemblage";
import type { Master, TaskHandlers } from "assemblage";

interface Tasks {
  resize: { payload: { path: string; width: number }; result: string };
  ping: { payload: null; result: number };
  log: { payload: string };
}

const master: Master<Tasks> = createMaster<Tasks>("images");
const path: string = await master.run({ path: "a.jpg", width: 5 }, { task: "resize", timeout: 1000 });
const time: number = await master.run(null, { task: "ping" });
await master.add("text", { task: "log", priority: 5 });
await master.addJob({ path, width: time }, { task: "resize" });
// @ts-expect-error the width is a number
await master.run({ path: "a.jpg", width: "5" }, { task: "resize" });
// @ts-expect-error a misspelt task
await master.add("text", { task: "logs" });
// @ts-expect-error the result is a number
const text: string = await master.run(null, { task: "ping" });
// Jobs without a task have any payload.
await master.add({ anything: text });
const known: boolean = await master.run<boolean>(1, { retries: 2 });

const handlers: TaskHandlers<Tasks> = {
  resize: async ({ payload }) => payload.path.repeat(payload.width),
  ping: (job) => job.attempt,
  log: ({ payload }) => console.log(payload.length, known),
};
createWorker("images").process(handlers);
// @ts-expect-error a handler is missing, and one returns another type
const wrong: TaskHandlers<Tasks> = { ping: () => "no", log: () => {} };
console.log(wrong);

// Without a map, every task has any payload.
await createMaster("images").run({ any: 1 }, { task: "whatever" });

// Options with another format.
createMaster("images", {
  serialize: (value) => JSON.stringify(value),
  parse: (content) => (typeof content === "string" ? JSON.parse(content) : content),
});
// @ts-expect-error neither text nor bytes
createMaster("images", { serialize: () => 5 });
