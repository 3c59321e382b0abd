"use strict";
// Part 2: jobs that never end by themselves, assigned to the least loaded worker, and taken over when it dies.

const inCluster = require("./cluster.js");

const JOBS = 30;

async function holdJobs(lease) {
  console.log(`\nPart 2: ${JOBS} jobs that are active until they are deleted`);
  console.log("  Each goes to the worker that holds the fewest; when that dies, to another one.\n");

  return inCluster("active", { slots: 0, lease }, async (master, crew) => {
    const workers = ["c", "python", "node"].map((language) => crew.start(language));
    for (const worker of workers) worker.hold();
    await crew.until(() => workers.every((worker) => worker.ready && worker.holding), "the workers to be ready");

    const ids = Array.from({ length: JOBS }, (_, i) => `active-${String(i + 1).padStart(2, "0")}`);
    await master.addMany(ids.map((id) => ({ id, payload: {} })));
    const activeOn = (hands) => hands.reduce((sum, hand) => sum + hand.inHand.size, 0);
    await crew.until(() => activeOn(workers) === JOBS, "all jobs to be active");
    const balance = (hands) => hands.map((hand) => `${hand.name} ${hand.inHand.size}`).join(", ");
    const first = workers.every((worker) => worker.inHand.size === JOBS / 3);
    console.log(`  before: ${balance(workers)}${first ? "" : "   WRONG: not even"}`);

    const [victim, ...others] = [...workers].reverse();
    const killed = crew.kill(victim);
    await victim.ended;
    console.log(`  kill -9 of ${victim.name}`);
    await crew.until(() => activeOn(others) === JOBS, "the others to take over");
    const second = others.every((worker) => worker.inHand.size === JOBS / 2);
    const time = Math.max(...crew.recovered().map((run) => run.at)) - killed;
    console.log(`  after:  ${balance(others)}${second ? "" : "   WRONG: not even"}`);
    console.log(`  ${crew.recovered().length} jobs taken over; ${(time / 1000).toFixed(2)} s from kill -9 to the last of them\n`);

    console.log("  job      holder  fence                holder  fence");
    for (const id of ids) {
      const [before, after] = crew.runs.get(id).map(({ hand, fence }) => `${hand.name.padEnd(7)} ${fence}`);
      console.log(`  ${id}  ${before}${after ? `  -> ${after}` : ""}`);
    }
    const fences = crew.fencesGrow() && ids.every((id) => crew.runs.get(id).length === (victim.inHand.has(id) ? 2 : 1));
    console.log(`\n  fences ${fences ? "grew with every new holder" : "WRONG: one did not grow, or a job moved that need not"}`);

    const existed = await master.deleteJobs(ids);
    await crew.until(() => activeOn(others) === 0, "the holders to stop");
    await crew.dismiss();
    const { waiting, active, deleting, deleted } = await master.stats();
    const clean = existed.every(Boolean) && waiting + active + deleting === 0 && deleted === JOBS;
    console.log(`  ${deleted} jobs deleted, ${waiting + active + deleting} left; the workers have stopped them and left${clean ? "" : "   WRONG"}`);
    return first && second && fences && clean;
  });
}

module.exports = holdJobs;
