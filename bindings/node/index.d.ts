import { EventEmitter } from "node:events";
import type { SwarmError } from "./types/errors.js";
import type { Candidate, Health, JobInfo, JobPage, JobState, MemberInfo, Queues, Stats } from "./types/info.js";
import type { Change, ChangedMember, ExitOptions, MemberRef, Message, Receipt, SendOptions, To } from "./types/messages.js";
import type { ProcessExit, ProcessId, ProcessInfo, ProcessLine, ProgramOptions, RunningProcess, SupervisorOptions } from "./types/processes.js";
import type { ChooseOptions, GroupOptions, JobOptions, MasterOptions, RunOptions, WaitOptions, WorkerOptions } from "./types/options.js";

export * from "./types/errors.js";
export * from "./types/info.js";
export * from "./types/messages.js";
export * from "./types/options.js";
export * from "./types/processes.js";

/** Called once: with an error, or with `null` and the outcome. */
export type Callback<T = void, More extends unknown[] = []> = (error: SwarmError | null, value?: T, ...more: More) => void;

/** Bytes travel as they are; anything else travels as JSON. */
export type Bytes = Uint8Array | ArrayBuffer | SharedArrayBuffer | DataView;

export interface Added {
  id: string;
  /** A job with this id was there already and was left as it was. */
  existed: boolean;
}

/** A job with options of its own, wherever payloads are taken; they go before the options of the call. */
export class NewJob {
  constructor(payload?: unknown, options?: JobOptions | null);
  payload: unknown;
  options: JobOptions | null | undefined;
}

/** How a job of a group ended: `value` is its result, `reason` why there is none. */
export type JobOutcome<R = unknown> = {
  /** Its place among the jobs given. */
  position: number;
  id: string;
  /** A job of this id existed: the outcome is that one's. */
  existed: boolean;
} & ({ status: "fulfilled"; value: R } | { status: "rejected"; reason: SwarmError });

/** What it returns completes the job, what it throws fails this attempt. */
export type JobHandler<P = any, R = any> = (job: Job<P, R>, context: { readonly signal: AbortSignal }) => R | PromiseLike<R>;

/**
 * Answers who is to have the job: one of the workers, or its incarnation; or nothing, to leave the job until there is something new to
 * choose. For a worker that is not among them now, too, the job is left.
 */
export type Choose<P = any> = (job: JobInfo<P>, workers: Candidate[]) => Choice | PromiseLike<Choice>;
export type Choice = Pick<Candidate, "incarnation"> | string | null | undefined | void;

interface MemberEvents {
  ready: [];
  close: [];
  error: [error: SwarmError];
  /** Heard from soon after the first listener is added, be that before or after the member is registered, until the member is closed. */
  message: [message: Message];
  /** Somebody asks this program to end with an exit code. What it does is its own, unless `exitOnKill` was called. */
  kill: [code: number, from: MemberRef];
  /** Heard in the same way. */
  member: [change: Change, member: ChangedMember];
}

interface WorkerEvents<P, R> extends MemberEvents {
  /** Jobs are taken once there is a listener, or a handler; one that comes late is told of those that came when there was none. */
  add: [job: Job<P, R>];
  delete: [jobId: string];
  /** Redis has accepted the job's result. */
  completed: [job: Job<P, R>, result: R];
  /** Redis has accepted that the job failed, and no retry is left. What was thrown, or a JobFailedError with its text if it was no error. */
  failed: [job: Job<P, R>, error: Error];
  /** Redis has accepted that this attempt failed; the next one begins `delay` milliseconds later. */
  retrying: [job: Job<P, R>, error: Error, delay: number];
}

interface JobEvents {
  delete: [];
}

type Listener<Events, Name extends keyof Events, This> = Events[Name] extends unknown[]
  ? (this: This, ...args: Events[Name]) => void
  : never;

declare class Emitter<Events> extends EventEmitter {
  on<Name extends keyof Events & string>(event: Name, listener: Listener<Events, Name, this>): this;
  once<Name extends keyof Events & string>(event: Name, listener: Listener<Events, Name, this>): this;
  off<Name extends keyof Events & string>(event: Name, listener: Listener<Events, Name, this>): this;
  addListener<Name extends keyof Events & string>(event: Name, listener: Listener<Events, Name, this>): this;
  removeListener<Name extends keyof Events & string>(event: Name, listener: Listener<Events, Name, this>): this;
  prependListener<Name extends keyof Events & string>(event: Name, listener: Listener<Events, Name, this>): this;
  prependOnceListener<Name extends keyof Events & string>(event: Name, listener: Listener<Events, Name, this>): this;
}

declare class Member<Events> extends Emitter<Events> {
  /** As it was given. */
  readonly config: object | string;
  /** The client given as option `client`, if one was. */
  readonly redisClient: object | undefined;
  /** The prefix as assemblage 0.1 showed it, with a dot at its end unless it is empty. */
  readonly prefix: string;
  readonly db: number;
  readonly expireDelay: number;
  /** The identity in Redis, empty before the first registration. */
  readonly incarnation: string;

  /** Waits until the member is registered, and hears what it had listeners for when this was called. */
  ready(): Promise<void>;
  ready(callback: Callback): void;
  /** Counts of the cluster, from Redis. */
  stats(): Promise<Stats>;
  stats(callback: Callback<Stats>): void;
  /** The member's own view; asks nobody. */
  health(): Health;

  /**
   * Sends a message of JSON or bytes, at most 64 KiB; `undefined` is sent as `null`. Messages of a member keep the order of these calls. Gives
   * to whom it was sent, when it was, or when what `options` say has come or is over; a message for nobody is answered at once.
   *
   * Fails with an InvalidArgumentError, a TooLargeError, an UnavailableError (also if 10,000 messages wait already), an OutcomeUnknownError
   * if the answer was lost, or a ClosedError.
   */
  send<R = any>(to: To, payload?: unknown, options?: SendOptions | null): Promise<Receipt<R>>;
  send<R = any>(to: To, payload: unknown, callback: Callback<Receipt<R>>): void;
  send<R = any>(to: To, payload: unknown, options: SendOptions | null | undefined, callback: Callback<Receipt<R>>): void;
  /** Asks the programs of those who listen to end with this exit code, 0 unless given: event `kill` of their members. */
  kill(to: To, code?: number): Promise<Receipt>;
  kill(to: To, callback: Callback<Receipt>): void;
  kill(to: To, code: number, callback: Callback<Receipt>): void;
  /**
   * From now on this process ends when a member asks it to, by `kill`: `onKill` is called, and once it has returned, or its promise is
   * settled, the member leaves and the process exits with the code. `grace` milliseconds (5,000 unless given, at most an hour) after the
   * request it exits in any case, even if its event loop is busy. The first request counts; a later call replaces the options. In the main
   * thread only: otherwise, and for bad options, it throws an InvalidArgumentError.
   */
  exitOnKill(options?: ExitOptions): this;
  /** Says under a name that this member is so far, to all that wait for it with `confirmations`. */
  confirm(name: string): Promise<void>;
  confirm(name: string, callback: Callback): void;
  /** Waits until so many distinct members have confirmed a name, from now on; gives them in the order in which they did. */
  confirmations(count: number, name: string): Promise<MemberRef[]>;
  confirmations(count: number, name: string, callback: Callback<MemberRef[]>): void;
  /** What this member says of itself to all that ask who is there (`data` of `members`): JSON of at most 4 KiB. */
  setData(value: unknown): Promise<void>;
  /** `{ type, cluster, incarnation }`: nothing of the options, which may have passwords. */
  toJSON(): object;
  setData(value: unknown, callback: Callback): void;
}

/** Adds and deletes jobs, awaits results. Keeps the process alive only while a call is pending, not for its listeners. */
export class Master extends Member<MemberEvents> {
  /** `config` may be a URL, which says where Redis is. */
  constructor(clusterId?: string | number | null, config?: MasterOptions | string | URL | null);
  readonly type: "master";
  /** The cluster's id, trimmed. */
  readonly id: string;

  /** Adds a job as assemblage 0.1 did: a falsy payload becomes `{}`. Gives the job's id. */
  addJob(callback: Callback<string, [existed: boolean]>): void;
  addJob(payload?: unknown, options?: JobOptions | null): Promise<string>;
  addJob(payload: unknown, callback: Callback<string, [existed: boolean]>): void;
  addJob(payload: unknown, options: JobOptions | null | undefined, callback: Callback<string, [existed: boolean]>): void;

  /** Adds many jobs as `addJob` does; a `NewJob` among them has options of its own. Gives their ids in order. */
  addJobs(payloads: Iterable<unknown>, options?: Omit<JobOptions, "id"> | null): Promise<string[]>;
  addJobs(payloads: Iterable<unknown>, callback: Callback<string[], [existed: boolean[]]>): void;
  addJobs(
    payloads: Iterable<unknown>,
    options: Omit<JobOptions, "id"> | null | undefined,
    callback: Callback<string[], [existed: boolean[]]>,
  ): void;

  /** Adds a job. Its payload stays what it is, `0`, `""`, `false` and `null` too; only `undefined` becomes `{}`. */
  add(payload?: unknown, options?: JobOptions | null): Promise<Added>;
  add(payload: unknown, callback: Callback<Added>): void;
  add(payload: unknown, options: JobOptions | null | undefined, callback: Callback<Added>): void;

  /** Adds many jobs as `add` does, each with options of its own, which go before those of all. */
  addMany(jobs: Iterable<({ payload?: unknown } & JobOptions) | NewJob>, options?: Omit<JobOptions, "id"> | null): Promise<Added[]>;
  addMany(jobs: Iterable<({ payload?: unknown } & JobOptions) | NewJob>, callback: Callback<Added[]>): void;
  addMany(
    jobs: Iterable<({ payload?: unknown } & JobOptions) | NewJob>,
    options: Omit<JobOptions, "id"> | null | undefined,
    callback: Callback<Added[]>,
  ): void;

  /**
   * Deletes a job whatever its state. Gives the id, also if there was no such job; `false` for an empty id. With a callback spaces around
   * the id are left away, as by assemblage 0.1; without one the id is taken as it is.
   */
  deleteJob(callback: Callback<string | false, [existed: boolean]>): void;
  deleteJob(jobId?: string | number | bigint | null): Promise<string | false>;
  deleteJob(jobId: string | number | bigint | null | undefined, callback: Callback<string | false, [existed: boolean]>): void;

  /** Deletes many jobs. Gives whether each existed. */
  deleteJobs(jobIds: Iterable<string | number | bigint>): Promise<boolean[]>;
  deleteJobs(jobIds: Iterable<string | number | bigint>, callback: Callback<boolean[]>): void;

  /** Awaits the result of a job that was added with `result: true`. Fails with JobFailedError, or the error of a timeout, if the job failed. */
  result<R = unknown>(jobId: string, options?: WaitOptions): Promise<R>;
  result<R = unknown>(jobId: string, callback: Callback<R>): void;
  result<R = unknown>(jobId: string, options: WaitOptions | undefined, callback: Callback<R>): void;

  /** Adds a job and awaits its result. */
  run<R = unknown>(payload?: unknown, options?: RunOptions): Promise<R>;
  run<R = unknown>(payload: unknown, callback: Callback<R, [existed: boolean]>): void;
  run<R = unknown>(payload: unknown, options: RunOptions | undefined, callback: Callback<R, [existed: boolean]>): void;

  /**
   * Adds jobs, each a payload or a `NewJob`, and awaits how they end, in the order of the jobs. They are given up when this
   * master leaves or is lost, unless `keep` is true.
   */
  runMany<R = unknown>(jobs: Iterable<unknown>, options?: GroupOptions | null): Promise<JobOutcome<R>[]>;
  runMany<R = unknown>(jobs: Iterable<unknown>, callback: Callback<JobOutcome<R>[]>): void;
  runMany<R = unknown>(
    jobs: Iterable<unknown>,
    options: GroupOptions | null | undefined,
    callback: Callback<JobOutcome<R>[]>,
  ): void;
  /** As `runMany`, but gives each outcome as its job ends. To leave the loop stops the wait; the jobs go on. */
  runEach<R = unknown>(jobs: Iterable<unknown>, options?: GroupOptions | null): AsyncIterableIterator<JobOutcome<R>>;

  /** A job by its id; `null` if there is none: it never was, or is completed, deleted or forgotten. */
  job<P = any>(jobId: string): Promise<JobInfo<P> | null>;
  job<P = any>(jobId: string, callback: Callback<JobInfo<P> | null>): void;
  /**
   * Jobs in a state, up to `limit` (1 to 1,000; 100 unless set), from where the page before ended (its `next`). Waiting ones
   * come as they will be given, delayed ones as they become due, failed ones newest first; active ones in no order, with those
   * that are being deleted.
   */
  jobs(state: JobState, options?: { after?: string | null; limit?: number }): Promise<JobPage>;
  jobs(state: JobState, callback: Callback<JobPage>): void;
  jobs(state: JobState, options: { after?: string | null; limit?: number } | undefined, callback: Callback<JobPage>): void;
  /** How many jobs wait by priority and task, and what is paused. */
  queues(): Promise<Queues>;
  queues(callback: Callback<Queues>): void;
  /** All members alive. */
  members(): Promise<MemberInfo[]>;
  members(callback: Callback<MemberInfo[]>): void;

  /** Workers are given no more jobs of a task (`""`: of none), or no more at all, until `resume`. Active jobs go on. */
  pause(task?: string | null): Promise<void>;
  pause(callback: Callback): void;
  pause(task: string | null | undefined, callback: Callback): void;
  /** Ends a pause. */
  resume(task?: string | null): Promise<void>;
  resume(callback: Callback): void;
  resume(task: string | null | undefined, callback: Callback): void;
  /** Runs failed jobs again, those with the ids or all, with all their retries. Gives how many there were. */
  retryFailed(jobIds?: string | Iterable<string> | null): Promise<number>;
  retryFailed(callback: Callback<number>): void;
  retryFailed(jobIds: string | Iterable<string> | null | undefined, callback: Callback<number>): void;
  /** Forgets failed jobs, those with the ids or all. Gives how many there were. */
  deleteFailed(jobIds?: string | Iterable<string> | null): Promise<number>;
  deleteFailed(callback: Callback<number>): void;
  deleteFailed(jobIds: string | Iterable<string> | null | undefined, callback: Callback<number>): void;

  /**
   * Has jobs given to the workers that `choose` answers, until `stopChoosing` or `close`: it is asked for each job that waits beside workers
   * that can take it, one after the other, in the order in which they would be given. What it throws is an uncaught exception, and the job
   * is left for later. Called again, it takes another `choose` instead. Does not keep the process alive.
   *
   * Fails with an InvalidArgumentError or TooLargeError, and all is as before, if `within` or `tasks` is out of bounds; with other
   * errors if Redis cannot be told, and then this master does not choose.
   */
  choose<P = any>(choose: Choose<P>, options?: ChooseOptions | null): Promise<void>;
  choose<P = any>(choose: Choose<P>, callback: Callback): void;
  choose<P = any>(choose: Choose<P>, options: ChooseOptions | null | undefined, callback: Callback): void;
  /** Jobs go to the workers that hold the fewest again; from the call on nobody is asked. */
  stopChoosing(): Promise<void>;
  stopChoosing(callback: Callback): void;

  /** Removes every key of the cluster, whoever uses it. */
  obliterate(): Promise<void>;
  obliterate(callback: Callback): void;

  /** Waits for what was added, leaves the cluster and closes the connections. */
  close(): Promise<void>;
  close(callback: Callback): void;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Is given jobs. Keeps the process alive until it is terminated. */
export class Worker<P = any, R = any> extends Member<WorkerEvents<P, R>> {
  /** `config` may be a URL, which says where Redis is. */
  constructor(clusterId?: string | number | null, config?: WorkerOptions | string | URL | null);
  readonly type: "worker";
  /** The identity in Redis; a random one until the worker is registered. */
  readonly id: string;
  /** The cluster's id, trimmed. */
  readonly assemblageId: string;
  readonly running: boolean;
  /** The active jobs now, by id. */
  readonly jobs: { readonly [jobId: string]: Job<P, R> };

  /**
   * Runs the handler for each job: what it returns completes the job, what it throws fails this attempt (`PermanentFailure`:
   * the job; `RetryAfter`: the next attempt begins so much later). An object has a handler for each task (`""`: for jobs
   * without one): the worker then takes only these, and what a plain handler is for. May be called more than once. Unless `slots` is
   * given here or as an option, the worker holds 10 jobs at once; `Infinity` is for no limit.
   */
  process(handlers: JobHandler<P, R> | { readonly [task: string]: JobHandler<P, R> }, options?: { slots?: number }): this;

  /** Which tasks are taken from now on, as the option `tasks` says; those that have a handler are taken all the same. */
  setTasks(tasks: string | readonly string[]): this;

  /** Deletes any job of the cluster. Gives whether it existed. */
  deleteJob(jobId: string | number | bigint): Promise<boolean>;
  deleteJob(jobId: string | number | bigint, callback: Callback<boolean>): void;
  /** The name of `deleteJob` in assemblage 0.1: the same function. */
  queueDeleteJob: Worker["deleteJob"];

  /** Takes no new jobs and waits until the active ones are finished. */
  drain(): Promise<void>;
  drain(callback: Callback): void;

  /**
   * Emits `delete` on all jobs and gives them back to the cluster, then emits `close`. `grace` is how long handlers have
   * to stop, 0 to 86,400,000 ms, 5,000 unless set.
   */
  terminate(options?: { grace?: number }): Promise<void>;
  terminate(callback: Callback): void;
  terminate(options: { grace?: number } | undefined, callback: Callback): void;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A job in the hands of its worker, which holds it until it is completed, failed, released, deleted or taken back. */
export class Job<P = any, R = any> extends Emitter<JobEvents> {
  private constructor();
  readonly worker: Worker<P, R>;
  readonly id: string;
  /** What the adder gave: a value read from JSON, or a Buffer if it gave bytes. */
  payload: P;
  /** The payload's bytes as they were added, JSON or not. */
  readonly payloadBytes: Buffer;
  /** Grows with every assignment in the cluster; fit for `WHERE fence <= ?` in a store of your own. */
  readonly fence: number;
  /** How many workers died while they ran this job. */
  readonly crashes: number;
  /** Which attempt this is, from 1. */
  readonly attempt: number;
  /** How many more attempts there are if this one fails. */
  readonly retriesLeft: number;
  readonly priority: number;
  /** Its task, or `""`. */
  readonly task: string;
  /** Its resource, or `""`. */
  readonly resource: string;
  /** What the adder sent along. */
  readonly headers: Readonly<Record<string, string>>;
  /** Whether the job was deleted or taken back. */
  readonly cancelled: boolean;
  /** Why it was. */
  readonly deleteReason: "deleted" | "terminated" | "lease_lost" | "timed_out" | "moved" | undefined;
  /** Aborts when the job is deleted or taken back. */
  readonly signal: AbortSignal;

  /** Completes the job; the result is kept if the job was added with `result`. */
  complete(callback: Callback): void;
  complete(result?: R): Promise<void>;
  complete(result: R, callback: Callback): void;
  /** Stores how far the work is, as JSON of at most 4 KiB, for those who look the job up. A job that is over ignores it. */
  progress(value: unknown): void;
  /** This attempt failed, with an error or its text, as if a handler had thrown it: the job is retried if a retry is left. */
  fail(error?: unknown): Promise<void>;
  fail(error: unknown, callback: Callback): void;
  /** This attempt failed; the next one, if any is left, begins `after` milliseconds later. */
  retry(error: unknown, after: number): Promise<void>;
  retry(error: unknown, after: number, callback: Callback): void;
  /** The job failed, whatever its retries. */
  failPermanently(error?: unknown): Promise<void>;
  failPermanently(error: unknown, callback: Callback): void;
  /** Gives the job back to the cluster. */
  release(): Promise<void>;
  release(callback: Callback): void;
  /** Says that the work has stopped. Only for a handler that is told to stop and ends later than its listeners. */
  stopped(): Promise<void>;
  stopped(callback: Callback): void;
  /** What there is to see of it: its properties without the worker. Also what a console shows. */
  toJSON(): object;
  /** Deletes the job from the cluster; its `delete` event follows. Gives whether the job existed. */
  deleteJob(): Promise<boolean>;
  deleteJob(callback: Callback<boolean>): void;
}

interface SupervisorEvents {
  started: [process: RunningProcess];
  ready: [process: RunningProcess];
  /** It has been reaped, and all its lines were told before. What is left of its group is being stopped. */
  exited: [exit: ProcessExit];
  /** Processes of this id failed too often in a short time; only a reload starts one again. */
  gaveUp: [process: ProcessId];
  /** Only with the option `lines`. */
  line: [line: ProcessLine];
  /** So many lines or other events were dropped, because this process was too busy to take them. */
  dropped: [dropped: { lines: number; events: number }];
  /** A reload is complete. */
  reloaded: [];
  /** A reload ended at the process of this id, or because the supervisor was stopped (`null`). */
  reloadFailed: [failure: { id: number | null; error: SwarmError }];
  /** Of `handleSignals`; what follows from it is told next. */
  signal: [name: "SIGHUP" | "SIGTERM" | "SIGINT"];
  /** All processes are gone. The last event. */
  stopped: [];
}

/**
 * Keeps processes running on this machine, and leaves none behind; needs no Redis. Keeps this process alive from its first `spawn` until it has
 * stopped. Fails with a ClosedError after a stop.
 */
export class Supervisor extends Emitter<SupervisorEvents> {
  constructor(options?: SupervisorOptions | null);
  readonly type: "supervisor";

  /**
   * Runs a program, and gives the ids of its processes, as many as its `count`. A command that cannot be started is told by `exited`, and tried
   * again like any other that failed. Fails with an InvalidArgumentError for options out of their bounds, a TooLargeError for a name over 256 bytes.
   */
  spawn(command: string, args?: readonly unknown[] | null, options?: ProgramOptions | null): Promise<number[]>;
  spawn(command: string, options: ProgramOptions): Promise<number[]>;
  spawn(command: string, callback: Callback<number[]>): void;
  spawn(command: string, args: readonly unknown[] | ProgramOptions | null | undefined, callback: Callback<number[]>): void;
  spawn(
    command: string,
    args: readonly unknown[] | null | undefined,
    options: ProgramOptions | null | undefined,
    callback: Callback<number[]>,
  ): void;

  /**
   * Stops the process of an id for good: TERM to its group, after `grace` KILL. Answered when nothing of it is left. Fails with a NotFoundError if
   * there is none, as after it ended with code 0.
   */
  kill(id: number): Promise<void>;
  kill(id: number, callback: Callback): void;

  /**
   * Replaces all processes, one after another: starts another, waits until it is ready, and stops the old one. Ends at the first that fails, with an
   * UnavailableError or TimeoutError; the old one and all behind it stay. A call during a reload waits for another, which several calls share.
   */
  reload(): Promise<void>;
  reload(callback: Callback): void;

  /** Stops all processes at the same time. Answered when nothing of them is left, also to a further call. */
  stop(): Promise<void>;
  stop(callback: Callback): void;

  /**
   * From now on SIGHUP reloads, SIGTERM and SIGINT stop, and none of them ends this process, not even after the stop. Heard by the event loop, on the
   * main thread only: a busy program reacts late, a thread is refused with an InvalidArgumentError.
   */
  handleSignals(): this;

  /** All processes, and the ids that have none at the moment, in the order of their ids. During a reload an id may have two. Empty after the stop. */
  list(): ProcessInfo[];
  [Symbol.asyncDispose](): Promise<void>;
}

/** Creates a supervisor without processes. Throws an InvalidArgumentError for bad options, and on Windows. */
export function createSupervisor(options?: SupervisorOptions | null): Supervisor;

/**
 * Says that this process is ready to the supervisor that started it with `ready: "explicit"`. False if nobody waits for it: it has no supervisor, or has
 * said so before. Throws an InvalidArgumentError if `SWARM_READY_FD` is no open descriptor, and in threads other than the main one.
 */
export function ready(): boolean;

/** Creates a master, which starts to connect at once. Throws an InvalidArgumentError for bad options. */
export function createMaster(clusterId?: string | number | null, config?: MasterOptions | string | URL | null): Master;
/** Creates a worker, which starts to connect at once. Throws an InvalidArgumentError for bad options. */
export function createWorker<P = any, R = any>(clusterId?: string | number | null, config?: WorkerOptions | string | URL | null): Worker<P, R>;

export type LogLevel = "error" | "warn" | "info" | "debug" | "trace";
export interface LogRecord {
  level: LogLevel;
  target: string;
  message: string;
}
/**
 * Has log records up to `level` ("info" unless set) given to `logger`, or to nobody if it is `null`. Unless this is called, warnings and errors,
 * such as failures of jobs, are written to stderr.
 */
export function setLogger(logger: ((record: LogRecord) => void) | null, options?: { level?: LogLevel }): void;

/** The version of libswarm. */
export const version: string;

