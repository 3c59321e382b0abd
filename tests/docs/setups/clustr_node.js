const { writeFileSync } = require("node:fs");
// BLOCK
writeFileSync("member.js", 'const { Worker } = require("assemblage/clustr-node"); Worker.create({ group: "web" }).emitReady();');
const master = Clustr.Master.create({ reloadDelay: 1, grace: 500 });
master.onClusterStarted((count) => {
  console.log("started", count);
  master.close(0);
});
master.spawn([{ file: "member.js" }]);
