// The conformance driver in Node; README.md beside this folder describes the protocol.

import { appendFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import assemblage from "../../../bindings/node/index.js";

const { chain, createMaster, createWorker, fanIn, NewJob, SwarmError } = assemblage;
const LISTS = new Set(["payloads", "ids", "tasks"]);
const SCHEDULE_TEXTS = new Set(["cron", "tz", "overlap", "catch_up"]);
const SCHEDULE_FIELDS = [
  ...["id", "cron", "every", "after_end", "tz", "start", "end", "limit", "jitter", "overlap", "catch_up", "task", "priority"],
  ...["next_at", "last_at", "last_job", "paused", "ended", "added", "skipped"],
];
/** What the driver sends to itself, and who it makes up, to see whether something is received. */
const camelCase = (name) => name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());
const snakeCase = (name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
const decoded = (text) => decodeURIComponent(text);
const list = (text) => (text ? text.split(",").map(decoded) : []);
const bytes = (hex) => Buffer.from(hex, "hex");

function encoded(value) {
  if (Array.isArray(value)) return value.map(encoded).join(",");
  if (Buffer.isBuffer(value)) return value.toString("hex");
  return encodeURIComponent(String(value));
}

function line(start, fields = {}) {
  const words = Object.entries(fields).map(([name, value]) => `${name}=${encoded(value)}`);
  return [start, ...words].join(" ");
}

const ok = (fields) => line("ok", fields);

function failed(error) {
  // Anything else is a mistake of the test or a bug, and stops the driver.
  if (!(error instanceof SwarmError)) throw error;
  return line("error", { code: codeOf(error), message: error.message });
}

const codeOf = (error) => error.code.replace("SWARM_", "");

/** The payload of a command, as a program would pass it. */
function valueOf({ payload, type }) {
  return type === "bytes" ? bytes(payload) : JSON.parse(bytes(payload).toString());
}

/** The JSON text that a language takes as a value. What is no JSON is what cannot be written as JSON. */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A result as Node sees it. */
function shown(value) {
  if (Buffer.isBuffer(value)) return { payload: value, type: "bytes" };
  return { payload: Buffer.from(JSON.stringify(value)), type: "json" };
}

/** A value at the edges of what JSON can represent. */
function hardValue(name) {
  if (name === "deep") {
    let value = [];
    for (let depth = 1; depth < 10_000; depth++) value = [value];
    return value;
  }
  return { big: 2n ** 53n + 1n, surrogate: "\ud800", nan: NaN }[name];
}

const snake = (fields) => Object.fromEntries(Object.entries(fields).map(([name, value]) => [snakeCase(name), value]));

function health(member) {
  const { leaseLeft, ...rest } = member.health();
  return ok(snake({ ...rest, leaseLeftMs: leaseLeft }));
}

/** The options of a job, in the parts that Node has them in; the driver's own fields are left out. */
function jobOptionsOf(fields) {
  const options = optionsOf(fields, "payload", "payloads", "ids", "type", "timeout", "keep");
  const parts = { backoff: {}, timeouts: {}, headers: {} };
  if (options.unique !== undefined) parts.unique = { key: options.unique };
  delete options.unique;
  const move = (name, option, part) => {
    if (options[name] !== undefined) parts[option][part] = options[name];
    delete options[name];
  };
  move("backoff", "backoff", "type");
  for (const part of ["delay", "max", "jitter"]) move(camelCase(`backoff_${part}`), "backoff", part);
  for (const part of ["assign", "run", "total"]) move(`${part}Timeout`, "timeouts", part);
  if (options.limits?.startsWith("[")) options.limits = JSON.parse(options.limits);
  const until = Number(options.uniqueUntil);
  if (!Number.isNaN(until)) options.uniqueUntil = until;
  if (parts.unique !== undefined) {
    move("uniqueUntil", "unique", "until");
    move("onConflict", "unique", "onConflict");
  }
  if (options.after !== undefined) options.after = list(options.after);
  if (options.runAt !== undefined) options.runAt = Number(options.runAt);
  const [header, value] = options.header?.split(/=(.*)/s) ?? [];
  delete options.header;
  if (header !== undefined) parts.headers[header] = value;
  return { ...options, ...parts };
}

/** The jobs of a flow: the helpers build chains and the like. */
function flowOf(fields) {
  const [ids, after] = [list(fields.ids), list(fields.after_each)];
  const jobs = list(fields.payloads).map((hex, at) => {
    const options = { id: ids[at] };
    if (after[at]) options.after = after[at].split("+");
    return new NewJob(JSON.parse(bytes(hex)), options);
  });
  if (fields.shape === "chain") return chain(jobs);
  return fields.shape === "fan_in" ? fanIn(jobs.slice(0, -1), jobs.at(-1)) : jobs;
}

/** The options of a schedule and those of its jobs, whose fields begin with `job_`. */
function scheduleOptionsOf({ id: _id, payload: _payload, type: _type, ...fields }) {
  const schedule = {};
  const job = {};
  for (const [name, value] of Object.entries(fields)) {
    if (name.startsWith("job_")) job[name.slice(4)] = value;
    else schedule[camelCase(name)] = SCHEDULE_TEXTS.has(name) ? value : Number(value);
  }
  return [schedule, jobOptionsOf(job)];
}

/** The fields of a schedule by their common names. */
function scheduleFields(info) {
  const unknown = Object.keys(info).filter((name) => !SCHEDULE_FIELDS.includes(snakeCase(name)));
  if (unknown.length > 0) throw new Error(`fields that no schedule has: ${unknown}`);
  return Object.fromEntries(SCHEDULE_FIELDS.map((name) => [name, info[camelCase(name)] ?? ""]));
}

/** The options of a worker, in the forms that Node has. */
function workerOptionsOf(fields) {
  const options = optionsOf(fields, "cluster", "behave", "burn", "log", "batch_size", "batch_wait", "batch_by");
  if (options.tasks !== undefined) options.tasks = list(options.tasks);
  const slots = options.prioritySlots?.split(",").map((part) => part.split(":"));
  return slots === undefined ? options : { ...options, prioritySlots: Object.fromEntries(slots) };
}

/** The options of a member or a job: every field but the driver's own. */
function optionsOf(fields, ...own) {
  const options = {};
  for (const [name, value] of Object.entries(fields)) {
    if (own.includes(name)) continue;
    options[camelCase(name)] = value === "true" ? true : value === "false" ? false : value;
  }
  return options;
}

/** Events that wait to be asked for. */
class Events {
  #events = [];
  #asking = null;

  push(fields) {
    if (this.#asking) this.#asking(fields);
    else this.#events.push(fields);
  }

  async next(limit) {
    if (this.#events.length > 0) return this.#events.shift();
    return new Promise((resolve) => {
      const end = (fields) => {
        clearTimeout(timer);
        this.#asking = null;
        resolve(fields);
      };
      const timer = setTimeout(() => end({ event: "none" }), limit);
      this.#asking = end;
    });
  }
}

/** Who a message is for. */
function recipientsOf(to) {
  if (to === "all") return to;
  const [kind, name] = to.split(/:(.*)/s);
  return { [kind]: kind === "pid" ? Number(name) : name };
}

/** What masters and workers have in common. */
class Driver {
  events = new Events();
  #message = null;

  listen(cluster, member) {
    this.cluster = cluster;
    this.member = member;
    member.on("ready", () => this.onReady(member.incarnation));
    member.on("error", (error) => this.events.push({ event: "error", code: codeOf(error), message: error.message }));
  }

  onReady(incarnation) {
    this.events.push({ event: "ready", incarnation });
  }

  async obey(command, fields) {
    switch (command) {
      case "ready":
        await this.member.ready();
        return ok({ incarnation: this.member.incarnation });
      case "health":
        return health(this.member);
      case "stats":
        return ok(await this.member.stats());
      case "add": {
        const { id, existed, replaced } = await this.member.add(valueOf(fields), jobOptionsOf(fields));
        return ok({ id, existed, replaced });
      }
      case "add_many": {
        const ids = list(fields.ids);
        const jobs = list(fields.payloads).map((hex, index) => ({ payload: JSON.parse(bytes(hex)), id: ids[index] }));
        const added = await this.member.addMany(jobs, jobOptionsOf(fields));
        return ok({ ids: added.map((job) => job.id), existed_each: added.map((job) => job.existed) });
      }
      case "event": {
        const { message, ...event } = await this.events.next(Number(fields.timeout));
        this.#message = message ?? this.#message;
        return ok(event);
      }
      case "listen":
        return this.#listen();
      case "watch":
        return this.#watch();
      case "send": {
        const { acknowledged, request, to_self: toSelf } = fields;
        const limit = (text) => (text === undefined ? undefined : Number(text));
        const options = { acknowledged: limit(acknowledged), request: limit(request), toSelf: toSelf === "true" };
        const { recipients, dropped, replies, missing } = await this.member.send(recipientsOf(fields.to), valueOf(fields), options);
        const shownReplies = replies.map(({ from, payload }) => `${from.name}:${payload === undefined ? "" : JSON.stringify(payload)}`);
        return ok({ recipients: recipients.length, dropped, missing: missing.length, replies: shownReplies.sort() });
      }
      case "reply":
        this.#message.reply(valueOf(fields));
        return ok();
      case "end_program": {
        const { recipients } = await this.member.kill(recipientsOf(fields.to), Number(fields.code));
        return ok({ recipients: recipients.length });
      }
      case "exit_on_kill":
        this.member.exitOnKill({ grace: Number(fields.grace), onKill: () => pause(Number(fields.delay)) });
        await this.member.ready();
        return ok();
      case "confirm":
        await this.member.confirm(fields.name);
        return ok();
      case "confirmations": {
        const members = await this.member.confirmations(Number(fields.count), fields.name);
        return ok({ names: members.map((member) => member.name) });
      }
      case "set_data":
        await this.member.setData(parsed(fields.data));
        return ok();
      default:
        throw new Error(`no command ${command} here`);
    }
  }

  /** Answers when the member receives messages. */
  async #listen() {
    this.member.on("message", (message) => this.onMessage(message));
    this.member.on("kill", (code, from) => this.events.push({ event: "kill", code, from: from.name }));
    await this.member.ready();
    return ok();
  }

  onMessage(message) {
    const { payload, from, wantsReply } = message;
    this.events.push({ event: "message", message, from: from.name, group: from.group, wants_reply: wantsReply, ...shown(payload) });
  }

  /** Answers when the member is notified of who comes and goes. */
  async #watch() {
    this.member.on("member", (change, { role, name }) => this.events.push({ event: "member", change, role, name }));
    await this.member.ready();
    return ok();
  }
}

class MasterDriver extends Driver {
  #followed = null;

  constructor(fields) {
    super();
    this.listen(fields.cluster, createMaster(fields.cluster, optionsOf(fields, "cluster")));
  }

  reset() {
    return this.member.close();
  }

  async obey(command, fields) {
    const master = this.member;
    switch (command) {
      case "add_value": {
        const { id } = await master.add(hardValue(fields.value));
        return ok({ id });
      }
      case "flood": {
        const payload = valueOf(fields);
        const adds = Array.from({ length: Number(fields.count) }, () => master.add(payload));
        return ok({ ids: (await Promise.all(adds)).map((job) => job.id) });
      }
      case "delete": {
        const existed = await new Promise((resolve, reject) => {
          master.deleteJob(fields.id, (error, _, found) => (error ? reject(error) : resolve(found)));
        });
        return ok({ existed });
      }
      case "delete_many":
        return ok({ existed_each: await master.deleteJobs(list(fields.ids)) });
      case "result":
        return ok(shown(await master.result(fields.id, { timeout: Number(fields.timeout) })));
      case "run": {
        let existed = false;
        const onExisted = (id) => {
          if (fields.unique === undefined && id !== fields.id) throw new Error(`onExisted gets ${id}`);
          existed = true;
        };
        const options = { ...jobOptionsOf(fields), timeout: Number(fields.timeout), onExisted };
        return ok({ ...shown(await master.run(valueOf(fields), options)), existed });
      }
      case "run_many": {
        const ids = list(fields.ids);
        const jobs = list(fields.payloads).map((hex, index) => new NewJob(JSON.parse(bytes(hex)), { id: ids[index] }));
        const options = { ...jobOptionsOf(fields), timeout: Number(fields.timeout), keep: fields.keep === "true" };
        const outcomes = await master.runMany(jobs, options);
        const values = outcomes.map(({ value, reason }) => (reason ? codeOf(reason) : JSON.stringify(value)));
        return ok({ outcomes: values, existed_each: outcomes.map(({ existed }) => existed) });
      }
      case "job": {
        const job = await master.job(fields.id);
        if (job === null) return ok({ state: "none" });
        const { state, holder, fence, attempt, priority, task, resource, group, limits, error = "", reason = "" } = job;
        const progress = job.progress === undefined ? "" : JSON.stringify(job.progress);
        const checkpoint = job.checkpoint === undefined ? "" : JSON.stringify(job.checkpoint);
        const result = job.result === undefined ? "" : JSON.stringify(job.result);
        const log = job.log.map(({ text }) => text);
        const attempts = job.failedAttempts.map((attempt) => `${attempt.reason}:${attempt.error}`);
        const kept = { result, result_omitted: job.resultOmitted ?? false, log, failed_attempts: attempts };
        return ok({ state, holder, fence, attempt, priority, task, resource, group, limits, progress, checkpoint, error, reason, ...kept });
      }
      case "jobs": {
        const { jobs, next } = await master.jobs(fields.state, { after: fields.after || undefined, limit: Number(fields.limit) });
        return ok({ ids: jobs.map((job) => job.id), next: next ?? "" });
      }
      case "queues": {
        const { queues, limits, paused, chooser } = await master.queues();
        const counts = queues.map(({ priority, task, waiting }) => `${priority}:${task}:${waiting}`);
        return ok({ queues: counts, limits: limits.map(({ name }) => name), paused, chooser: chooser !== "" });
      }
      case "members": {
        const members = await master.members();
        const data = members.map((member) => (member.data === undefined ? "" : JSON.stringify(member.data)));
        return ok({ members: members.map(({ role, name, slots, active }) => `${role}:${name}:${slots}:${active}`), data, paused: members.map(({ paused }) => paused) });
      }
      case "choose": {
        const { worker, limit, tasks } = fields;
        const choose = (_, workers) => workers.find(({ name }) => name === worker);
        await master.choose(choose, { within: Number(limit), tasks: tasks && list(tasks) });
        return ok();
      }
      case "stop_choosing":
        await master.stopChoosing();
        return ok();
      case "pause":
        await master.pause(fields.task);
        return ok();
      case "resume":
        await master.resume(fields.task);
        return ok();
      case "set_worker_slots":
        return ok({ existed: await master.setWorkerSlots(fields.worker, Number(fields.slots)) });
      case "pause_worker":
        return ok({ existed: await master.pauseWorker(fields.worker) });
      case "resume_worker":
        return ok({ existed: await master.resumeWorker(fields.worker) });
      case "retry_failed":
        return ok({ count: await master.retryFailed(fields.ids && list(fields.ids)) });
      case "delete_failed":
        return ok({ count: await master.deleteFailed(fields.ids && list(fields.ids)) });
      case "delete_completed":
        return ok({ count: await master.deleteCompleted(fields.ids && list(fields.ids)) });
      case "limit": {
        const { name, ...figures } = fields;
        const numbers = Object.fromEntries(Object.entries(figures).map(([figure, value]) => [figure, Number(value)]));
        return ok({ existed: await master.limit(name, numbers) });
      }
      case "follow":
        this.#followed?.return();
        this.#followed = master.events({ after: fields.after });
        await this.#followed.ready();
        return ok();
      case "unfollow":
        await this.#followed.return();
        return ok();
      case "followed": {
        const found = [];
        while (found.length < Number(fields.count)) found.push((await this.#followed.next()).value);
        const shown = { kinds: "kind", ids: "id", reasons: "reason", texts: "text", names: "name" };
        const lists = Object.entries(shown).map(([name, part]) => [name, found.map((event) => event[part])]);
        const fenced = found.map(({ fence, worker }) => fence > 0 && worker !== "");
        const due = found.map(({ dueAt }) => dueAt !== undefined);
        return ok({ ...Object.fromEntries(lists), fenced, due, position: found.at(-1).position });
      }
      case "remove_limit":
        return ok({ existed: await master.removeLimit(fields.name) });
      case "limit_info": {
        const { name: _name, nextIn, ...info } = await master.limitInfo(fields.name);
        return ok({ rate: "", per: "", burst: "", concurrency: "", ...info, waits: nextIn > 0 });
      }
      case "metric": {
        const line = (await master.metrics()).split("\n").find((text) => text.startsWith(`${fields.name} `));
        return ok({ value: line?.slice(fields.name.length + 1) ?? "" });
      }
      case "metrics_history": {
        const timeOf = (text) => (text === undefined ? undefined : Number(text));
        const rows = await master.metricsHistory({ ...fields, start: timeOf(fields.start), end: timeOf(fields.end) });
        const sum = (read) => rows.reduce((total, row) => total + read(row), 0);
        const counts = ["completed", "failed", "retried", "released", "deleted"].map((name) => [name, sum((row) => row[name])]);
        const times = { waits: sum(({ wait }) => wait.count), runs: sum(({ run }) => run.count) };
        return ok({ tasks: [...new Set(rows.map(({ task }) => task))].sort(), ...Object.fromEntries(counts), ...times });
      }
      case "add_flow": {
        const { id, cancel_rest: cancelRest, payloads: _payloads, ids: _ids, after_each: _after, shape: _shape, ...job } = fields;
        const added = await master.addFlow(flowOf(fields), { ...jobOptionsOf(job), id, cancelRest: cancelRest === "true" });
        return ok({ id: added.id, existed: added.existed, ids: added.jobs.map((one) => one.id), existed_each: added.jobs.map((one) => one.existed) });
      }
      case "flow": {
        const flow = await master.flow(fields.id);
        if (flow === null) return ok({ id: "" });
        const column = (read) => flow.jobs.map(read);
        const shownFlow = { id: flow.id, cancel_rest: flow.cancelRest, ids: column(({ id }) => id), states: column(({ state }) => state) };
        return ok({ ...shownFlow, after_each: column(({ after }) => after.sort().join("+")) });
      }
      case "schedule": {
        const [schedule, job] = scheduleOptionsOf(fields);
        return ok({ how: await master.schedule(fields.id, schedule, valueOf(fields), job) });
      }
      case "unschedule":
        return ok({ existed: await master.unschedule(fields.id) });
      case "pause_schedule":
        return ok({ existed: await master.pauseSchedule(fields.id) });
      case "resume_schedule":
        return ok({ existed: await master.resumeSchedule(fields.id) });
      case "run_schedule":
        return ok({ id: (await master.runSchedule(fields.id)) ?? "" });
      case "schedule_info": {
        const info = await master.scheduleInfo(fields.id);
        return ok(info === null ? { id: "" } : scheduleFields(info));
      }
      case "schedules": {
        const { schedules, next } = await master.schedules({ after: fields.after || undefined, limit: Number(fields.limit) });
        const each = schedules.map(scheduleFields);
        const [, ...names] = SCHEDULE_FIELDS;
        const columns = Object.fromEntries(names.map((name) => [name, each.map((one) => one[name])]));
        return ok({ ids: each.map(({ id }) => id), ...columns, next: next ?? "" });
      }
      case "obliterate":
        await master.obliterate();
        return ok();
      case "close":
        await master.close();
        return ok();
      default:
        return super.obey(command, fields);
    }
  }
}

class WorkerDriver extends Driver {
  #jobs = new Map();
  /** By fence: called when the job of a batch is over. */
  #over = new Map();
  #counts = { added: 0, deleted: 0, completed: 0, refused: 0, closed: 0 };
  #drained = null;

  constructor(fields) {
    super();
    this.behave = fields.behave ?? "hold";
    this.burn = Number(fields.burn);
    this.log = fields.log;
    const worker = createWorker(fields.cluster, workerOptionsOf(fields));
    this.listen(fields.cluster, worker);
    if (fields.batch_size === undefined) {
      worker.on("add", (job) => this.onAdd(job));
    } else {
      const options = { size: Number(fields.batch_size), wait: Number(fields.batch_wait ?? 0), by: fields.batch_by };
      try {
        worker.processBatches((jobs) => this.onBatch(jobs), options);
      } catch (error) {
        worker.terminate();
        throw error;
      }
    }
    worker.on("close", (error) => this.onClose(error));
  }

  reset() {
    return this.member.terminate({ grace: 0 });
  }

  async obey(command, fields) {
    const worker = this.member;
    switch (command) {
      case "counts":
        return ok(this.#counts);
      case "complete":
        return this.#finish(fields, (job) => job.complete(valueOf(fields)));
      case "fail":
        return this.#finish(fields, (job) => job.fail(fields.message));
      case "fail_permanently":
        return this.#finish(fields, (job) => job.failPermanently(fields.message));
      case "rate_limited":
        return this.#finish(fields, (job) => job.rateLimited(Number(fields.after), fields.limit));
      case "retry":
        return this.#finish(fields, (job) => job.retry(fields.message, Number(fields.after)));
      case "checkpoint":
        this.#active(fields).checkpoint(JSON.parse(bytes(fields.payload)));
        return ok();
      case "log":
        this.#active(fields).log(fields.text);
        return ok();
      case "inputs":
        return ok({ inputs: JSON.stringify(await this.#active(fields).inputs()) });
      case "progress":
        this.#active(fields).progress(JSON.parse(bytes(fields.payload)));
        return ok();
      case "tasks":
        worker.setTasks(list(fields.tasks));
        return ok();
      case "set_slots":
        worker.setSlots(Number(fields.slots));
        return ok();
      case "pause":
        worker.pause();
        return ok();
      case "resume":
        worker.resume();
        return ok();
      case "paused":
        return ok({ paused: worker.paused });
      case "release":
        return this.#finish(fields, (job) => job.release());
      case "delete":
        return ok({ existed: await worker.deleteJob(fields.id) });
      case "drain":
        this.#drained = worker.drain();
        // `drained` answers how it went, if it is asked.
        this.#drained.catch(() => {});
        return ok();
      case "drained":
        return this.#awaitDrain(Number(fields.timeout));
      case "terminate":
        await worker.terminate({ grace: Number(fields.grace) });
        return ok();
      default:
        return super.obey(command, fields);
    }
  }

  #active(fields) {
    return this.#jobs.get(Number(fields.fence));
  }

  async #finish(fields, finish) {
    const job = this.#active(fields);
    await finish(job);
    this.#over.get(job.fence)?.();
    return ok();
  }

  async #awaitDrain(limit) {
    let timer;
    const late = new Promise((resolve) => {
      timer = setTimeout(resolve, limit, line("error", { code: "TIMEOUT", message: "the worker is not drained yet" }));
    });
    try {
      return await Promise.race([this.#drained.then(() => ok()), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  onReady(incarnation) {
    this.note("ready", { incarnation });
    super.onReady(incarnation);
  }

  onAdd(job) {
    this.note("add", { job: job.id, fence: job.fence, incarnation: this.member.incarnation, payload: job.payloadBytes });
    this.#counts.added += 1;
    job.once("delete", () => this.onDelete(job));
    switch (this.behave) {
      case "echo":
        this.complete(job);
        break;
      case "burn": {
        const end = performance.now() + this.burn;
        while (performance.now() < end);
        this.complete(job);
        break;
      }
      default: {
        this.#jobs.set(job.fence, job);
        const type = Buffer.isBuffer(job.payload) ? "bytes" : "json";
        const { id, fence, crashes, attempt, priority, task, resource, group } = job;
        const checkpoint = job.lastCheckpoint === undefined ? "" : JSON.stringify(job.lastCheckpoint);
        const headers = Object.entries(job.headers).map(([name, value]) => `${name}=${value}`);
        const scheduled_for = job.scheduledFor ?? "";
        const what = { id, fence, crashes, attempt, priority, task, resource, group, checkpoint, scheduled_for, headers, payload: job.payloadBytes, type };
        this.events.push({ event: "add", ...what });
      }
    }
  }

  /** Keeps the handler of a batch until its jobs are finished, or must stop. */
  onBatch(jobs) {
    const fences = jobs.map(({ fence }, at) => [`fence_${at + 1}`, fence]);
    this.#counts.added += jobs.length;
    this.events.push({ event: "batch", ids: jobs.map(({ id }) => id), ...Object.fromEntries(fences) });
    if (this.behave === "fail") throw new Error("no");
    if (this.behave === "echo") return jobs.map(({ payload }) => payload);
    const over = jobs.map((job) => new Promise((resolve) => {
      this.#jobs.set(job.fence, job);
      this.#over.set(job.fence, resolve);
      job.once("delete", () => this.onDelete(job));
    }));
    return Promise.all(over).then(() => undefined);
  }

  onDelete(job) {
    this.#over.get(job.fence)?.();
    this.note("delete", { job: job.id, fence: job.fence, incarnation: this.member.incarnation });
    this.#counts.deleted += 1;
    if (this.behave === "late") this.complete(job);
    const reason = job.deleteReason.replace("_", "");
    this.events.push({ event: "delete", id: job.id, fence: job.fence, reason });
  }

  onClose() {
    this.note("close", { incarnation: this.member.incarnation });
    this.#counts.closed += 1;
    this.events.push({ event: "close", code: "" });
  }

  complete(job) {
    job.complete(job.payload, (error) => {
      if (error) {
        this.note("refused", { job: job.id, fence: job.fence, code: codeOf(error) });
        this.#counts.refused += 1;
      } else {
        this.note("completed", { job: job.id, fence: job.fence, incarnation: this.member.incarnation });
        this.#counts.completed += 1;
      }
    });
  }

  note(event, fields) {
    if (!this.log) return;
    const t = `t=${(Number(process.hrtime.bigint()) / 1e9).toFixed(9)}`;
    // One write, so that a killed process leaves whole lines.
    appendFileSync(this.log, `${line(t, { event, ...fields })}\n`);
  }
}

let driver = null;

async function reset() {
  const ended = driver;
  driver = null;
  try {
    await ended?.reset();
  } catch (error) {
    // A member that is closed already, or whose Redis is gone, is reset as well.
    failed(error);
  }
  return ok();
}

async function obey(command, fields) {
  switch (command) {
    case "hello":
      return ok({ language: "node", version: assemblage.version });
    case "master":
      driver = new MasterDriver(fields);
      return ok();
    case "worker":
      driver = new WorkerDriver(fields);
      return ok();
    case "reset":
      return reset();
    default:
      return driver.obey(command, fields);
  }
}

for await (const text of createInterface({ input: process.stdin })) {
  const [command, ...words] = text.split(" ");
  const fields = Object.fromEntries(
    words.map((word) => {
      const [name, value] = word.split(/=(.*)/s);
      return [name, LISTS.has(name) ? value : decoded(value)];
    }),
  );
  let answer;
  try {
    answer = await obey(command, fields);
  } catch (error) {
    answer = failed(error);
  }
  process.stdout.write(`${answer}\n`);
}
// A worker would keep the process alive.
process.exit();
