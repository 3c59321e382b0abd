const { writeFileSync } = require("node:fs");
// BLOCK
writeFileSync("count.js", 'module.exports = { id: "count", perform: (params, done) => { console.log("performed", params); done(); } };');
const queue = new JobQueue({ redisConfig: { host: "localhost", port: 6379 } });
queue.registerTask("./count.js");
queue.start();
queue.on("jobSuccess", () => queue.shutdown(() => {}));
queue.submitJob("count", { resourceId: "one", params: { n: 1 } }, () => {});
