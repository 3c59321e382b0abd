import { writeFileSync } from "node:fs";

writeFileSync("worker.js", 'import { ready } from "assemblage"; ready(); setInterval(() => {}, 1000);');
// BLOCK
await new Promise((resolve) => supervisor.once("ready", resolve));
console.log(supervisor.list().length);
await supervisor.stop();
