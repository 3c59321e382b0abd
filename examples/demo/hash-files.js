"use strict";
// Part 1: a job per file of a tree, hashed by workers in three languages, one of which is killed half way.

const assemblage = require("assemblage");
const inCluster = require("./cluster.js");
const { walk, sha256sum, shown } = require("./files.js");
const Progress = require("./progress.js");

/** Files that a worker has in hand at most. */
const SLOTS = 16;
/** Jobs added and not yet ended, at most, so that a tree of any size fits into memory. */
const IN_FLIGHT = 1000;
/** Milliseconds that a file may take, from its being added to its digest. */
const LIMIT = 600_000;

const seconds = (ms) => (ms / 1000).toFixed(2);
const plural = (count, word) => `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;

/** Adds jobs for files[from..to) and fills in their digests, in hexadecimal, or the errors of those that could not be read. */
async function digestAll(master, files, from, to, digests, signal) {
  let next = from;
  async function lane() {
    while (next < to) {
      const i = next++;
      try {
        const digest = await master.run(files[i], { id: `file-${i + 1}`, timeout: LIMIT, signal });
        digests[i] = digest.toString("hex");
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof assemblage.JobFailedError)) throw error;
        digests[i] = error.message;
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(IN_FLIGHT, to - from) }, lane));
}

/** Kills a worker with jobs in its hands, has another one join, and gives the time of the death. */
async function loseOne(crew, victim, jobs, progress) {
  await crew.until(() => victim.inHand.size >= jobs, `${victim.name} to have ${plural(jobs, "job")} in hand`);
  const killed = crew.kill(victim);
  const newcomer = crew.start("python", "python-2");
  await victim.ended;
  progress.say(`  kill -9 of ${victim.name}, which has begun ${plural(victim.inHand.size, "file")} and ended none; ${newcomer.name} joins`);
  await crew.until(() => newcomer.ready, `${newcomer.name} to be ready`);
  return killed;
}

async function hashFiles(root, lease) {
  const { files, bytes, skipped } = walk(root);
  console.log(`\nPart 1: SHA-256 of ${plural(files.length, "file")} (${(bytes / 2 ** 20).toFixed(1)} MiB) in ${root}`);
  for (const line of skipped.slice(0, 5)) console.log(`  cannot be read and is left out: ${line}`);
  if (skipped.length > 5) console.log(`  and ${skipped.length - 5} more`);
  if (files.length === 0) throw new Error(`there is no file to hash in ${root}`);
  if (files.length < 100) console.log("  a small tree: the figures say little; try another with DIR=");
  console.log("  The master, in Node, adds a job per file; workers in C, Python and Node hash them.\n");

  return inCluster("files", { slots: SLOTS, lease }, async (master, crew) => {
    const workers = ["c", "python", "node"].map((language) => crew.start(language));
    await crew.until(() => workers.every((worker) => worker.ready), "the workers to be ready");
    const progress = new Progress(files.length, crew);
    const digests = [];

    // Each of the three workers needs a job of the second half.
    const half = Math.min(Math.floor(files.length / 2), Math.max(0, files.length - workers.length));
    const began = performance.now();
    await digestAll(master, files, 0, half, digests, crew.signal);
    const firstHalf = performance.now() - began;
    await crew.until(() => crew.ends.size === half, "the first half to be reported");

    // So that there is something to lose, for sure: from here on this worker only begins its jobs.
    const victim = files.length < workers.length ? null : workers[1];
    if (victim) {
      victim.hold();
      await crew.until(() => victim.holding, `${victim.name} to hold its jobs`);
    }
    const rest = digestAll(master, files, half, files.length, digests, crew.signal);
    const inHand = Math.min(SLOTS, Math.floor((files.length - half) / workers.length));
    const [killed] = await Promise.all([victim && loseOne(crew, victim, inHand, progress), rest]);
    await crew.until(() => crew.ends.size === files.length, "all files to be reported");
    progress.end();
    await crew.dismiss();
    return judge({ files, digests, crew, victim, killed, stats: await master.stats(), lease, half, firstHalf });
  });
}

/** Prints what came of it; true if all is as it must be. */
async function judge({ files, digests, crew, victim, killed, stats, lease, half, firstHalf }) {
  const expected = await sha256sum(files);
  const wrong = files.flatMap((file, i) => (digests[i] === expected[i] ? [] : [`${shown(file)}: ${digests[i]}, sha256sum says ${expected[i]}`]));
  console.log(`\n  digests     ${files.length - wrong.length} of ${files.length} are what sha256sum says`);
  for (const line of wrong.slice(0, 10)) console.log(`              WRONG ${line}`);

  const executions = [...crew.runs.values()].reduce((sum, runs) => sum + runs.length, 0);
  const twice = [...crew.ends.values()].filter((count) => count !== 1).length;
  const once = twice === 0 && crew.refused.length === 0 && stats.completed + stats.failures === files.length && stats.added === files.length;
  const accepted = [...crew.ends.values()].reduce((sum, count) => sum + count, 0);
  console.log(`  acceptance  ${plural(executions, "execution")} of ${plural(files.length, "job")}; ${accepted} ends accepted, Redis counts ${stats.completed + stats.failures}; ${once ? "no job was accepted twice" : `WRONG: ${twice} not exactly once, ${crew.refused.length} refused`}`);
  for (const line of crew.refused.slice(0, 10)) console.log(`              ${line}`);

  let regained = true;
  if (victim) {
    const recovered = crew.recovered();
    regained = [...victim.inHand.keys()].every((job) => crew.runs.get(job).length > 1) && crew.fencesGrow();
    const takers = crew.hands.filter((hand) => hand !== victim)
      .map((hand) => `${hand.name} ${recovered.filter((run) => run.hand === hand).length}`);
    const time = Math.max(...recovered.map((run) => run.at)) - killed;
    console.log(`  recovery    ${plural(recovered.length, "job")} of the killed worker started elsewhere (${takers.join(", ")}), each with a larger fence`);
    console.log(`              ${seconds(time)} s from kill -9 to the last of them; promised: the lease (${lease / 1000} s) and 1 s`);
    if (!regained) console.log("              WRONG: a job did not start again, or a fence did not grow");
  } else {
    console.log(`  recovery    not shown: ${plural(files.length, "file")} for ${crew.hands.length} workers`);
  }
  if (half > 0) {
    console.log(`  throughput  ${Math.round((half / firstHalf) * 1000).toLocaleString("en")} jobs/s until the kill (${plural(half, "job")} in ${seconds(firstHalf)} s)`);
  }
  return wrong.length === 0 && once && regained;
}

module.exports = hashFiles;
