// A CommonJS program written for proletariat.

import proletariat = require("assemblage/proletariat");

const manager = new proletariat.Manager({ AVAIL_THRESHOLD: 50, CLEANUP_REQS: 1000, DISTRIB_RANDMAX: 100, SACRED_GUARANTEES: true, DEBUG: false });
manager.workSelectWorker = function (work, workers, totalAvailable) {
  const comrades = Object.keys(workers);
  console.log(work.args, totalAvailable satisfies number);
  return this.workers[comrades[Math.floor(Math.random() * comrades.length)]!] ?? null;
};
manager.on("sysmsg", (msg) => console.log(msg.from, msg.content));
manager.on("finish", (w, { err, data }) => console.log(w.id, w.status === "running", err, data));
manager.on("giveup", (w, worker) => console.log(w.requester, worker.id));
manager.on("abort", (w, workerId) => console.log(w.priority, workerId?.length));
manager.once("cleanup", () => {});
manager.start();
const nothing: void = manager.stop((err) => console.log(err));

const worker = new proletariat.Worker({ slots: 100, host: "127.0.0.1", prioritySlots: { 1: 30, 2: 20 }, ANSWER_THRESHOLD: 1 });
worker.start();
worker.on("work", function (w, handler) {
  this.id satisfies string | 0;
  if (w.args) handler(null, "Greetings, comrade!");
  else handler(new Error("no"));
});
worker.on("abort", (w) => console.log(w.status));
worker.systemMessage({ do: "something" }, {}, () => {});

const client = new proletariat.Client("127.0.0.1");
client.work([{ some: "work" }], { timeout: 60000, priority: 1 }, (err, res) => {
  if (err) return;
  for (const { err, data } of res) console.log(err?.code, data);
});
client.work<number>({ one: 1 }, (err, data) => console.log(err, data + 1));
client.work([1]);
client.workIndividual([1, 2], null, (err, data, w) => console.log(err, data, w.original satisfies number, w.pushed), (err, results) => results.length);
client.systemMessage({ do: "something" }, (err, answer) => console.log(err, answer?.receivedBy));
client.systemMessage("x", { to: "MANAGER" });
client.on("sysmsg", (content, from) => console.log(content, from.length));
client.on("connect", (err) => console.log(err?.message));
client.close(() => {});

// @ts-expect-error there is no such event
worker.on("job", () => {});
// @ts-expect-error a misspelt option
new proletariat.Worker({ slot: 3 });
// @ts-expect-error a limit is a number
client.work([1], { timeout: "soon" });
