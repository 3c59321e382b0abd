import { EventEmitter } from "node:events";
import type { SwarmError } from "./types/errors.js";
import type { AddedFlow, FlowInfo, FlowOptions, Input } from "./types/flows.js";
import type { Candidate, Health, JobInfo, JobPage, JobState, MemberInfo, Queues, Stats } from "./types/info.js";
import type { Change, ChangedMember, ExitOptions, MemberRef, Message, Receipt, SendOptions, To } from "./types/messages.js";
import type { ProcessExit, ProcessId, ProcessInfo, ProcessLine, ProgramOptions, RunningProcess, SupervisorOptions } from "./types/processes.js";
import type { ChooseOptions, GroupOptions, JobOptions, MasterOptions, RunOptions, WaitOptions, WorkerOptions } from "./types/options.js";
import type { LimitInfo, LimitOptions } from "./types/limits.js";
import type { MetricsHistoryOptions, MetricsRow } from "./types/metrics.js";
import type { EventsOptions, JobEventIterator } from "./types/events.js";
import type { ScheduleInfo, ScheduleOptions, SchedulePage } from "./types/schedules.js";
import type { PayloadOf, ResultOf, TaskName, Untyped } from "./types/tasks.js";

export * from "./types/errors.js";
export * from "./types/flows.js";
export * from "./types/info.js";
export * from "./types/messages.js";
export * from "./types/options.js";
export * from "./types/processes.js";
export * from "./types/limits.js";
export * from "./types/metrics.js";
export * from "./types/events.js";
export * from "./types/schedules.js";
export type { TaskHandlers, TaskName, TaskTypes } from "./types/tasks.js";

/** Called once: with an error, or with `null` and the value. */
export type Callback<T = void, More extends unknown[] = []> = (error: SwarmError | null, value?: T, ...more: More) => void;

/** These are sent as bytes; any other value is sent as JSON. */
export type Bytes = Uint8Array | ArrayBuffer | SharedArrayBuffer | DataView;

export interface Added {
  /** The job's id; if another job has its unique key, the id of that job. */
  id: string;
  /** Whether the job with this id existed. */
  existed: boolean;
  /** Whether the existing job got the payload and the options of the added one. If not, it was left unchanged. */
  replaced: boolean;
}

/** A job with its own options, accepted wherever payloads are. Its options override those of the call. */
export class NewJob {
  constructor(payload?: unknown, options?: JobOptions | null);
  payload: unknown;
  options: JobOptions | null | undefined;
}

/** Jobs of which each waits for the one before, besides its own `after`, for `addFlow`: payloads or `NewJob`. Those without an id get one. */
export function chain(jobs: Iterable<unknown>): NewJob[];

/** `jobs`, and a last one that waits for all of them, besides its own `after`, for `addFlow`: payloads or `NewJob`. Those without an id get one. */
export function fanIn(jobs: Iterable<unknown>, last: unknown): NewJob[];

/** The outcome of a job of a group: `value` is its result, or `reason` is why there is none. */
export type JobOutcome<R = unknown> = {
  /** The position of the job in the call, from 0. */
  position: number;
  id: string;
  /** Whether a job with this id, or with its unique key, existed: the outcome is then that of the existing job. */
  existed: boolean;
} & ({ status: "fulfilled"; value: R } | { status: "rejected"; reason: SwarmError });

/** The returned value completes the job; a thrown error fails this attempt. */
export type JobHandler<P = any, R = any> = (job: Job<P, R>, context: { readonly signal: AbortSignal }) => R | PromiseLike<R>;

/**
 * Handles several jobs of one task. It returns nothing, or an array with a result for each job; a thrown error fails each job that it has not finished
 * itself.
 */
export type BatchHandler<P = any, R = any> = (jobs: Job<P, R>[]) => void | readonly R[] | PromiseLike<void | readonly R[]>;

/** How jobs are gathered into batches. */
export interface BatchOptions {
  /** The limit of jobs of a batch, 1 to 1,000. */
  size: number;
  /** How long the first job of a batch waits for others, 0 to 60,000 ms; default 0: a batch has the jobs that arrived together. */
  wait?: number;
  /** What the jobs of a batch have in common: `"task"`, the default, or their task and `"group"`; jobs without a group have batches of their own. */
  by?: "task" | "group";
  /** As of `process`; default 10, or `size` if that is more. */
  slots?: number;
}

/**
 * Returns the worker for the job: one of `workers`, or its incarnation; or nothing, to leave the job until jobs or workers change. The job is also
 * left if the returned worker cannot accept it any more.
 */
export type Choose<P = any> = (job: JobInfo<P>, workers: Candidate[]) => Choice | PromiseLike<Choice>;
export type Choice = Pick<Candidate, "incarnation"> | string | null | undefined | void;

interface MemberEvents {
  ready: [];
  close: [];
  error: [error: SwarmError];
  /** Received soon after the first listener is added, before or after the registration of the member, until the member is closed. */
  message: [message: Message];
  /** A member requests that this program exits with a code. The listener decides what to do, unless `exitOnKill` was called. */
  kill: [code: number, from: MemberRef];
  /** Received as `message` is. */
  member: [change: Change, member: ChangedMember];
}

interface WorkerEvents<P, R> extends MemberEvents {
  /** Jobs are accepted once there is a listener or a handler. Jobs that were assigned without one are emitted to the next listener. */
  add: [job: Job<P, R>];
  delete: [jobId: string];
  /** Redis has accepted the job's result. */
  completed: [job: Job<P, R>, result: R];
  /** Redis has accepted that the job failed permanently. `error` is what was thrown, or a JobFailedError with its text if it was no error. */
  failed: [job: Job<P, R>, error: Error];
  /** Redis has accepted that this attempt failed; the next one starts `delay` milliseconds later. */
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
  /** The `config` argument of the constructor. */
  readonly config: object | string;
  /** The option `client`, if it was set. */
  readonly redisClient: object | undefined;
  /** The prefix as in assemblage 0.1, with a dot at its end unless it is empty. */
  readonly prefix: string;
  readonly db: number;
  readonly expireDelay: number;
  /** The current incarnation; empty before the first registration. */
  readonly incarnation: string;

  /** Waits until the member is registered and subscribed to the events that had listeners at this call. */
  ready(): Promise<void>;
  ready(callback: Callback): void;
  /** Counts of the cluster, from Redis. */
  stats(): Promise<Stats>;
  stats(callback: Callback<Stats>): void;
  /** The state of the member as it is known locally; sends nothing to Redis. */
  health(): Health;

  /**
   * Sends a message of JSON or bytes, at most 64 KiB; `undefined` is sent as `null`. The messages of a member are sent in the order of these calls.
   * Resolves with the recipients: once the message was sent, or once the answers that `options` requests have arrived or their time is over. A
   * message without recipients resolves at once.
   *
   * Fails with an InvalidArgumentError, a TooLargeError, an UnavailableError (also if 10,000 messages wait already), an OutcomeUnknownError if the
   * reply of Redis was lost, or a ClosedError.
   */
  send<R = any>(to: To, payload?: unknown, options?: SendOptions | null): Promise<Receipt<R>>;
  send<R = any>(to: To, payload: unknown, callback: Callback<Receipt<R>>): void;
  send<R = any>(to: To, payload: unknown, options: SendOptions | null | undefined, callback: Callback<Receipt<R>>): void;
  /** Requests that the programs of subscribed members exit with this code, default 0: they receive the event `kill`. */
  kill(to: To, code?: number): Promise<Receipt>;
  kill(to: To, callback: Callback<Receipt>): void;
  kill(to: To, code: number, callback: Callback<Receipt>): void;
  /**
   * Exits this process when a member requests it with `kill`: `onKill` is called, and once it has returned, or its promise is settled, the member
   * leaves and the process exits with the code. `grace` milliseconds (default 5,000, at most an hour) after the request the process exits at any
   * rate, even if its event loop is busy. Only the first request has an effect; a later call replaces the options. Throws an InvalidArgumentError
   * outside of the main thread, and for invalid options.
   */
  exitOnKill(options?: ExitOptions): this;
  /** Confirms a name to all members that wait for it with `confirmations`. */
  confirm(name: string): Promise<void>;
  confirm(name: string, callback: Callback): void;
  /** Waits until `count` distinct members have confirmed a name since this call. Resolves with them, in the order of their confirmations. */
  confirmations(count: number, name: string): Promise<MemberRef[]>;
  confirmations(count: number, name: string, callback: Callback<MemberRef[]>): void;
  /** Sets the `data` of this member in `members`: JSON of at most 4 KiB. */
  setData(value: unknown): Promise<void>;
  /** `{ type, cluster, incarnation }`, without the options, which may contain passwords. */
  toJSON(): object;
  setData(value: unknown, callback: Callback): void;
}

/**
 * Adds and deletes jobs, and awaits results. Keeps the process alive only while a call is pending, not for its listeners. `T` is a map of the tasks
 * to the types of their payloads and results (`TaskTypes`); without one, every task has any payload.
 */
export class Master<T = any> extends Member<MemberEvents> {
  /** `config` may be a URL: the address of Redis. */
  constructor(clusterId?: string | number | null, config?: MasterOptions | string | URL | null);
  readonly type: "master";
  /** The cluster's id, trimmed. */
  readonly id: string;

  /** Adds a job as assemblage 0.1 did: a falsy payload becomes `{}`. Resolves with the job's id. */
  addJob(callback: Callback<string, [existed: boolean]>): void;
  addJob<K extends TaskName<T>>(payload: PayloadOf<T, K>, options: JobOptions & { task: K }): Promise<string>;
  addJob(payload?: unknown, options?: Untyped<T, JobOptions> | null): Promise<string>;
  addJob(payload: unknown, callback: Callback<string, [existed: boolean]>): void;
  addJob(payload: unknown, options: Untyped<T, JobOptions> | null | undefined, callback: Callback<string, [existed: boolean]>): void;

  /** Adds many jobs as `addJob` does; a `NewJob` among them has its own options. Resolves with their ids in order. */
  addJobs(payloads: Iterable<unknown>, options?: Omit<JobOptions, "id"> | null): Promise<string[]>;
  addJobs(payloads: Iterable<unknown>, callback: Callback<string[], [existed: boolean[]]>): void;
  addJobs(
    payloads: Iterable<unknown>,
    options: Omit<JobOptions, "id"> | null | undefined,
    callback: Callback<string[], [existed: boolean[]]>,
  ): void;

  /** Adds a job. Its payload is stored unchanged, even `0`, `""`, `false` and `null`; only `undefined` becomes `{}`. */
  add<K extends TaskName<T>>(payload: PayloadOf<T, K>, options: JobOptions & { task: K }): Promise<Added>;
  add(payload?: unknown, options?: Untyped<T, JobOptions> | null): Promise<Added>;
  add(payload: unknown, callback: Callback<Added>): void;
  add(payload: unknown, options: Untyped<T, JobOptions> | null | undefined, callback: Callback<Added>): void;

  /** Adds many jobs as `add` does, each with its own options, which override those of the call. */
  addMany(jobs: Iterable<({ payload?: unknown } & JobOptions) | NewJob>, options?: Omit<JobOptions, "id"> | null): Promise<Added[]>;
  addMany(jobs: Iterable<({ payload?: unknown } & JobOptions) | NewJob>, callback: Callback<Added[]>): void;
  addMany(
    jobs: Iterable<({ payload?: unknown } & JobOptions) | NewJob>,
    options: Omit<JobOptions, "id"> | null | undefined,
    callback: Callback<Added[]>,
  ): void;

  /**
   * Adds a flow: 1 to 10,000 payloads or `NewJob` whose options `after` name each other or other jobs, all or none; `chain` and `fanIn` build such
   * lists. No job is assigned before all are in Redis. A job whose id exists is left unchanged, and those after it wait for the existing one. Fails
   * with an InvalidArgumentError if jobs wait for each other in a cycle, or for an id that is unknown, which the message names; then nothing was added.
   */
  addFlow(jobs: Iterable<unknown>, options?: FlowOptions | null): Promise<AddedFlow>;
  addFlow(jobs: Iterable<unknown>, callback: Callback<AddedFlow>): void;
  addFlow(jobs: Iterable<unknown>, options: FlowOptions | null | undefined, callback: Callback<AddedFlow>): void;

  /**
   * A flow with the states of its jobs, by its id or that of one of its jobs that has not been completed or deleted; null if there is none. A flow is
   * kept for an hour after its last job has ended.
   */
  flow(id: string): Promise<FlowInfo | null>;
  flow(id: string, callback: Callback<FlowInfo | null>): void;

  /**
   * Deletes a job in any state. Resolves with the id, even if there was no such job; `false` for an empty id. With a callback, spaces around the id
   * are trimmed, as in assemblage 0.1; without one the id is used unchanged.
   */
  deleteJob(callback: Callback<string | false, [existed: boolean]>): void;
  deleteJob(jobId?: string | number | bigint | null): Promise<string | false>;
  deleteJob(jobId: string | number | bigint | null | undefined, callback: Callback<string | false, [existed: boolean]>): void;

  /** Deletes many jobs. Resolves with whether each existed. */
  deleteJobs(jobIds: Iterable<string | number | bigint>): Promise<boolean[]>;
  deleteJobs(jobIds: Iterable<string | number | bigint>, callback: Callback<boolean[]>): void;

  /** Awaits the result of a job that was added with `result: true`. Fails with a JobFailedError, or the error of a timeout, if the job failed. */
  result<R = unknown>(jobId: string, options?: WaitOptions): Promise<R>;
  result<R = unknown>(jobId: string, callback: Callback<R>): void;
  result<R = unknown>(jobId: string, options: WaitOptions | undefined, callback: Callback<R>): void;

  /** Adds a job and awaits its result. */
  run<K extends TaskName<T>>(payload: PayloadOf<T, K>, options: RunOptions & { task: K }): Promise<ResultOf<T, K>>;
  run<R = unknown>(payload?: unknown, options?: Untyped<T, RunOptions>): Promise<R>;
  run<R = unknown>(payload: unknown, callback: Callback<R, [existed: boolean]>): void;
  run<R = unknown>(payload: unknown, options: Untyped<T, RunOptions> | undefined, callback: Callback<R, [existed: boolean]>): void;

  /**
   * Adds jobs, each a payload or a `NewJob`, and awaits their outcomes, in the order of the jobs. The jobs are deleted when this master leaves or is
   * lost, unless `keep` is true.
   */
  runMany<R = unknown>(jobs: Iterable<unknown>, options?: GroupOptions | null): Promise<JobOutcome<R>[]>;
  runMany<R = unknown>(jobs: Iterable<unknown>, callback: Callback<JobOutcome<R>[]>): void;
  runMany<R = unknown>(
    jobs: Iterable<unknown>,
    options: GroupOptions | null | undefined,
    callback: Callback<JobOutcome<R>[]>,
  ): void;
  /** As `runMany`, but yields each outcome as its job finishes. Leaving the loop stops the waits; the jobs continue. */
  runEach<R = unknown>(jobs: Iterable<unknown>, options?: GroupOptions | null): AsyncIterableIterator<JobOutcome<R>>;

  /**
   * Follows the transitions of all jobs of the cluster; leaving the loop stops the following. Without `after` it begins with what happens once
   * `ready()` of the iterator has resolved, with `"0"` with all that is kept, else behind the event with this `position`. Redis keeps the last 10,000
   * (option `eventsMax`); an event `missed` stands for those that are not kept any more or were not recorded. It reconnects by itself, and reads ahead
   * no more than some 1,000 events. It throws an error that cannot be repaired, such as an `after` that is no position.
   *
   * Transitions are recorded while a master follows them and for 30 s after that, or always with the option `events`.
   */
  events(options?: EventsOptions | null): JobEventIterator;

  /** Looks up a job by its id; `null` if there is none: it was never added, or is completed and not kept, or deleted, or its record has expired. */
  job<P = any>(jobId: string): Promise<JobInfo<P> | null>;
  job<P = any>(jobId: string, callback: Callback<JobInfo<P> | null>): void;
  /**
   * Returns jobs in a state, up to `limit` (1 to 1,000; default 100). `after` is the `next` of the page before. Waiting jobs come in the order in
   * which they will be assigned, delayed ones as they become due, failed and completed ones newest first. Active ones come in no order and include those being
   * deleted.
   */
  jobs(state: JobState, options?: { after?: string | null; limit?: number }): Promise<JobPage>;
  jobs(state: JobState, callback: Callback<JobPage>): void;
  jobs(state: JobState, options: { after?: string | null; limit?: number } | undefined, callback: Callback<JobPage>): void;
  /** Counts the waiting jobs by priority and task; also returns the paused tasks. */
  /** The metrics of the cluster in the text format of Prometheus. Counters are exact, and continue through restarts of members and of Redis. */
  metrics(): Promise<string>;
  metrics(callback: Callback<string>): void;

  /**
   * The counts of each task in minutes or hours, in the order of time. A slot without ends of jobs has no row. Rejects with `InvalidArgumentError` for
   * another resolution, or if `start` is later than `end`.
   */
  metricsHistory(options?: MetricsHistoryOptions | null): Promise<MetricsRow[]>;
  metricsHistory(callback: Callback<MetricsRow[]>): void;
  metricsHistory(options: MetricsHistoryOptions | null | undefined, callback: Callback<MetricsRow[]>): void;

  queues(): Promise<Queues>;
  queues(callback: Callback<Queues>): void;
  /** Lists all live members. */
  members(): Promise<MemberInfo[]>;
  members(callback: Callback<MemberInfo[]>): void;

  /** Pauses the assignment of the jobs of a task (`""`: those without one), or of all jobs, until `resume`. Active jobs continue. */
  pause(task?: string | null): Promise<void>;
  pause(callback: Callback): void;
  pause(task: string | null | undefined, callback: Callback): void;
  /** Ends a pause. */
  resume(task?: string | null): Promise<void>;
  resume(callback: Callback): void;
  resume(task: string | null | undefined, callback: Callback): void;
  /**
   * Sets the slots of a worker, 1 to 4,294,967,295, by the `incarnation` that `members` shows. Resolves with whether there is such a worker. The order
   * is stored in Redis; the worker follows it when it reads its inbox, and keeps it when it registers anew. It fails if the option `prioritySlots`
   * of the worker guarantees more slots.
   */
  setWorkerSlots(incarnation: string, slots: number): Promise<boolean>;
  setWorkerSlots(incarnation: string, slots: number, callback: Callback<boolean>): void;
  /**
   * Pauses a worker until `resumeWorker` or its own `resume`: it is assigned no new jobs, and its active jobs continue. Resolves with whether there is
   * such a worker.
   */
  pauseWorker(incarnation: string): Promise<boolean>;
  pauseWorker(incarnation: string, callback: Callback<boolean>): void;
  /** Ends the pause of a worker, also one of its own. Resolves with whether there is such a worker. */
  resumeWorker(incarnation: string): Promise<boolean>;
  resumeWorker(incarnation: string, callback: Callback<boolean>): void;
  /**
   * Creates or changes a schedule, which adds a job with this payload and these options at each of its slots, with the id
   * `<schedule>@<slot in ms since 1970>`: each slot adds one job at most. Any living member of the cluster fires it. The same
   * schedule again changes nothing. A change of the job, `overlap`, `catchUp` or `limit` keeps the slots, and a higher limit
   * resumes a schedule that it had ended. A change of the timing computes them anew, and keeps a pause and the counts.
   */
  schedule(
    id: string,
    schedule: ScheduleOptions,
    payload?: unknown,
    options?: Omit<JobOptions, "id" | "delay" | "runAt" | "durability"> | null,
  ): Promise<"created" | "changed" | "unchanged">;
  schedule(id: string, schedule: ScheduleOptions, payload: unknown, callback: Callback<"created" | "changed" | "unchanged">): void;
  /** Removes a schedule; jobs that it has added stay. Resolves with whether there was one. */
  unschedule(id: string): Promise<boolean>;
  unschedule(id: string, callback: Callback<boolean>): void;
  /** Pauses a schedule until `resumeSchedule`. Resolves with whether there is one. */
  pauseSchedule(id: string): Promise<boolean>;
  pauseSchedule(id: string, callback: Callback<boolean>): void;
  /** Resumes a schedule with its next slot; slots of the pause do not run. Resolves with whether there is one. */
  resumeSchedule(id: string): Promise<boolean>;
  resumeSchedule(id: string, callback: Callback<boolean>): void;
  /**
   * Adds the job of a schedule now, also while it is paused. Resolves with its id, or `null` if `overlap` skips it. The job is
   * beside the slots: it does not count in `added` or against `limit`.
   */
  runSchedule(id: string): Promise<string | null>;
  runSchedule(id: string, callback: Callback<string | null>): void;
  /**
   * Sets the figures of a limit for the whole cluster; jobs with the option `limits` are subject to it. A name `<group>:*` sets those of each limit
   * `<group>:…` without figures of its own. Jobs that wait at the limit start as far as the new figures allow. Resolves with whether the limit
   * had figures before.
   */
  limit(name: string, figures: LimitOptions): Promise<boolean>;
  limit(name: string, figures: LimitOptions, callback: Callback<boolean>): void;
  /** Removes the figures of a limit: it allows everything. Resolves with whether it had figures. */
  removeLimit(name: string): Promise<boolean>;
  removeLimit(name: string, callback: Callback<boolean>): void;
  /** The state of a limit, whether it has figures or not. */
  limitInfo(name: string): Promise<LimitInfo>;
  limitInfo(name: string, callback: Callback<LimitInfo>): void;
  /** A schedule; `null` if there is none. */
  scheduleInfo(id: string): Promise<ScheduleInfo | null>;
  scheduleInfo(id: string, callback: Callback<ScheduleInfo | null>): void;
  /** A page of schedules by their ids: up to `limit` (100; at most 1,000) and 200, from where the page before ended. */
  schedules(options?: { after?: string | null; limit?: number }): Promise<SchedulePage>;
  schedules(callback: Callback<SchedulePage>): void;
  schedules(options: { after?: string | null; limit?: number } | undefined, callback: Callback<SchedulePage>): void;
  /** Requeues failed jobs with all their retries: those with the ids, or all. Resolves with their number. */
  retryFailed(jobIds?: string | Iterable<string> | null): Promise<number>;
  retryFailed(callback: Callback<number>): void;
  retryFailed(jobIds: string | Iterable<string> | null | undefined, callback: Callback<number>): void;
  /** Deletes the records of failed jobs: those with the ids, or all. Resolves with their number. */
  deleteFailed(jobIds?: string | Iterable<string> | null): Promise<number>;
  deleteFailed(callback: Callback<number>): void;
  deleteFailed(jobIds: string | Iterable<string> | null | undefined, callback: Callback<number>): void;
  /** Deletes the records of completed jobs that are kept: those with the ids, or all. Resolves with their number. */
  deleteCompleted(jobIds?: string | Iterable<string> | null): Promise<number>;
  deleteCompleted(callback: Callback<number>): void;
  deleteCompleted(jobIds: string | Iterable<string> | null | undefined, callback: Callback<number>): void;

  /**
   * Sets the callback `choose`, which selects the worker of each waiting job, until `stopChoosing` or `close`. It is called for one job after
   * another, in the order in which they would be assigned, with the workers that can accept the job. If it throws, that is an uncaught exception,
   * and the job waits. A later call replaces the callback. A chooser does not keep the process alive.
   *
   * If `within` or `tasks` is out of bounds, it fails with an InvalidArgumentError or TooLargeError and changes nothing. If Redis cannot be reached,
   * it fails with another error, and this master does not choose.
   */
  choose<P = any>(choose: Choose<P>, options?: ChooseOptions | null): Promise<void>;
  choose<P = any>(choose: Choose<P>, callback: Callback): void;
  choose<P = any>(choose: Choose<P>, options: ChooseOptions | null | undefined, callback: Callback): void;
  /** Stops choosing: jobs are assigned to the least loaded workers again. `choose` is not called any more. */
  stopChoosing(): Promise<void>;
  stopChoosing(callback: Callback): void;

  /** Removes every key of the cluster, even while members use it. */
  obliterate(): Promise<void>;
  obliterate(callback: Callback): void;

  /** Sends pending adds, leaves the cluster and closes the connections. */
  close(): Promise<void>;
  close(callback: Callback): void;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Accepts jobs and runs them. Keeps the process alive until it is terminated. */
export class Worker<P = any, R = any> extends Member<WorkerEvents<P, R>> {
  /** `config` may be a URL: the address of Redis. */
  constructor(clusterId?: string | number | null, config?: WorkerOptions | string | URL | null);
  readonly type: "worker";
  /** The current incarnation; a random id until the worker is registered. */
  readonly id: string;
  /** The cluster's id, trimmed. */
  readonly assemblageId: string;
  readonly running: boolean;
  /** The active jobs by id. */
  readonly jobs: { readonly [jobId: string]: Job<P, R> };

  /**
   * Runs the handler for each job: the returned value completes the job, a thrown error fails this attempt (`PermanentFailure`: the job;
   * `RetryAfter`: the next attempt starts after the given pause; `RateLimited`: its limits wait, and no attempt is counted). An object has a handler for each task (`""`: for jobs without one). The worker
   * then accepts only these tasks, and those of a plain handler. May be called more than once. If `slots` is not set here or as an option, the
   * worker has at most 10 active jobs; `Infinity` sets no limit.
   */
  process(handlers: JobHandler<P, R> | { readonly [task: string]: JobHandler<P, R> }, options?: { slots?: number }): this;

  /**
   * As `process`, for handlers of several jobs at once. Each job uses a slot (with fewer slots than `size` no batch is full), and keeps its own lease,
   * fence and outcome: a handler may finish any of them itself. A job that is deleted while it waits for others is not in the batch; later its
   * `signal` aborts. Jobs that wait for others when the worker drains are requeued.
   */
  processBatches(handlers: BatchHandler<P, R> | { readonly [task: string]: BatchHandler<P, R> }, options: BatchOptions): this;

  /** Replaces the option `tasks`. Tasks that have a handler are accepted in addition. */
  setTasks(tasks: string | readonly string[]): this;

  /**
   * Sets the limit of active jobs from now on, 1 to 4,294,967,295, as the option `slots` does at the start. With fewer slots than active jobs, these
   * continue, and no more are assigned until fewer are active. Throws if the option `prioritySlots` guarantees more. Holds when it registers anew.
   */
  setSlots(slots: number): this;
  /** Accepts no new jobs until `resume`; those that were not passed to a handler are requeued. Active jobs continue. Holds when it registers anew. */
  pause(): this;
  /** Ends a pause, also one by a master. */
  resume(): this;
  /** Whether it is paused, by this program or by a master. */
  readonly paused: boolean;

  /**
   * Adds a job as `Master.add` does, with the connection of this worker; in a handler: `job.worker.add`. An `ephemeral` job is deleted when this
   * worker leaves or is lost. A worker does not await results: a master does, by the job's id.
   */
  add(payload?: unknown, options?: JobOptions | null): Promise<Added>;
  add(payload: unknown, callback: Callback<Added>): void;
  add(payload: unknown, options: JobOptions | null | undefined, callback: Callback<Added>): void;
  /** Adds many jobs as `Master.addMany` does. */
  addMany(jobs: Iterable<({ payload?: unknown } & JobOptions) | NewJob>, options?: Omit<JobOptions, "id"> | null): Promise<Added[]>;
  addMany(jobs: Iterable<({ payload?: unknown } & JobOptions) | NewJob>, callback: Callback<Added[]>): void;
  addMany(
    jobs: Iterable<({ payload?: unknown } & JobOptions) | NewJob>,
    options: Omit<JobOptions, "id"> | null | undefined,
    callback: Callback<Added[]>,
  ): void;

  /** Deletes any job of the cluster. Resolves with whether it existed. */
  deleteJob(jobId: string | number | bigint): Promise<boolean>;
  deleteJob(jobId: string | number | bigint, callback: Callback<boolean>): void;
  /** The name of `deleteJob` in assemblage 0.1: the same function. */
  queueDeleteJob: Worker["deleteJob"];

  /** Accepts no new jobs, requeues those that wait for others of their batch, and waits until the active ones are finished. */
  drain(): Promise<void>;
  drain(callback: Callback): void;

  /**
   * Emits `delete` on all jobs, requeues them, and emits `close`. `grace` is how long handlers may take to stop, 0 to 86,400,000 ms, default 5,000.
   */
  terminate(options?: { grace?: number }): Promise<void>;
  terminate(callback: Callback): void;
  terminate(options: { grace?: number } | undefined, callback: Callback): void;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A job that is assigned to a worker. It is active until it is completed, failed, released, deleted or reclaimed. */
export class Job<P = any, R = any> extends Emitter<JobEvents> {
  private constructor();
  readonly worker: Worker<P, R>;
  readonly id: string;
  /** The payload: a value parsed from JSON, or a Buffer if it was added as bytes. */
  payload: P;
  /** The payload's bytes as they were added, JSON or not. */
  readonly payloadBytes: Buffer;
  /** The fencing token. It grows with every assignment in the cluster, so that `WHERE fence <= ?` in your own database rejects stale executions. */
  readonly fence: number;
  /** How many workers crashed in a row while they ran this job. */
  readonly crashes: number;
  /** The number of this attempt, from 1. */
  readonly attempt: number;
  /** How many more attempts there are if this one fails. */
  readonly retriesLeft: number;
  /** The last value that an earlier execution stored with `checkpoint`. */
  readonly lastCheckpoint: any;
  /** The slot of its schedule, in ms since 1970 on Redis' clock; `undefined` if no schedule added the job. */
  readonly scheduledFor: number | undefined;
  readonly priority: number;
  /** Its task, or `""`. */
  readonly task: string;
  /** Its resource, or `""`. */
  readonly resource: string;
  /** Its group, or `""`. */
  readonly group: string;
  /** The headers that were added with the job. */
  readonly headers: Readonly<Record<string, string>>;
  /** Whether the job was deleted or reclaimed. */
  readonly cancelled: boolean;
  /** The reason for which it was deleted or reclaimed. */
  readonly deleteReason: "deleted" | "terminated" | "lease_lost" | "timed_out" | "moved" | undefined;
  /** Aborts when the job is deleted or reclaimed. */
  readonly signal: AbortSignal;

  /** Completes the job; the result is kept if the job was added with `result`. */
  complete(callback: Callback): void;
  complete(result?: R): Promise<void>;
  complete(result: R, callback: Callback): void;
  /** Stores the progress of the job, which inspections show, as JSON of at most 4 KiB. Ignored if the job is over. */
  progress(value: unknown): void;
  /**
   * Stores a checkpoint: JSON of at most 4 KiB that the next execution of the job reads as `lastCheckpoint`, after a failed attempt, a release or a
   * crash. The latest value is used, and is stored before this execution finishes. Ignored if the job is over.
   */
  checkpoint(value: unknown): void;
  /**
   * Appends a line to the log of the job, which `Master.job` shows. The log keeps the newest 100 lines over all executions, and is removed with the
   * job. A text of more than 1 KiB is cut and gets an ellipsis at its end. Lines are stored before this execution finishes. Ignored if the job is
   * over.
   */
  log(text: string): void;
  /**
   * How the jobs ended that this one waited for (option `after`), by id; empty if it waited for none. Until this job has ended, their results are
   * kept, whatever their `resultTtl`. With `onFailure: "ignore"`, it has only completed ones.
   */
  inputs(): Promise<Record<string, Input>>;
  inputs(callback: Callback<Record<string, Input>>): void;
  /** Fails this attempt with an error or its text, as if a handler had thrown it: the job is retried if a retry is left. */
  fail(error?: unknown): Promise<void>;
  fail(error: unknown, callback: Callback): void;
  /** Fails this attempt; the next one, if any is left, starts `after` milliseconds later. */
  retry(error: unknown, after: number): Promise<void>;
  retry(error: unknown, after: number, callback: Callback): void;
  /**
   * Gives the job back because what it needs refuses it for now (HTTP 429): the limit named `limit`, or without it each limit of the job, starts no
   * jobs for `after` milliseconds, at most 365 days. No attempt is counted. A job without the limit is delayed by the time.
   */
  rateLimited(after: number, limit?: string | null): Promise<void>;
  rateLimited(after: number, limit: string | null | undefined, callback: Callback): void;
  /** Fails the job permanently, even if retries are left. */
  failPermanently(error?: unknown): Promise<void>;
  failPermanently(error: unknown, callback: Callback): void;
  /** Releases the job: it is requeued, and no crash or attempt is counted. */
  release(): Promise<void>;
  release(callback: Callback): void;
  /** Reports that the work has stopped. Only for a handler that ends later than the listeners of `delete`. */
  stopped(): Promise<void>;
  stopped(callback: Callback): void;
  /** The properties of the job without the worker. A console shows the same. */
  toJSON(): object;
  /** Queues the job's deletion; its `delete` event follows. Resolves with whether the job existed. */
  deleteJob(): Promise<boolean>;
  deleteJob(callback: Callback<boolean>): void;
}

interface SupervisorEvents {
  started: [process: RunningProcess];
  ready: [process: RunningProcess];
  /** The process has been reaped, and all its lines were emitted before. The rest of its group is being stopped. */
  exited: [exit: ProcessExit];
  /** Processes of this id failed too often in a short time. Only a reload starts another. */
  gaveUp: [process: ProcessId];
  /** Only with the option `lines`. */
  line: [line: ProcessLine];
  /** Lines or other events were dropped, because this process was too busy to take them. */
  dropped: [dropped: { lines: number; events: number }];
  /** A reload is complete. */
  reloaded: [];
  /** A reload ended early at the process of this id, or because the supervisor was stopped (`null`). */
  reloadFailed: [failure: { id: number | null; error: SwarmError }];
  /** A signal of `handleSignals`. Its effects are emitted next. */
  signal: [name: "SIGHUP" | "SIGTERM" | "SIGINT"];
  /** All processes are gone. The last event. */
  stopped: [];
}

/**
 * Keeps processes running on this machine, and leaves no orphan processes; needs no Redis. Keeps this process alive from its first `spawn` until it
 * has stopped. Methods fail with a ClosedError after a stop.
 */
export class Supervisor extends Emitter<SupervisorEvents> {
  constructor(options?: SupervisorOptions | null);
  readonly type: "supervisor";

  /**
   * Starts the processes of a program, and resolves with their ids, as many as its `count`. A command that cannot be started is reported by
   * `exited`, and retried like any other failure. Fails with an InvalidArgumentError for options out of their bounds, and a TooLargeError for a name
   * over 256 bytes.
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
   * Stops the process of an id permanently: TERM to its group, KILL after `grace`. Resolves when no process of the group is left. Fails with a
   * NotFoundError if there is no process with this id, such as after it exited with code 0.
   */
  kill(id: number): Promise<void>;
  kill(id: number, callback: Callback): void;

  /**
   * Replaces all processes, one after another: starts a new process, waits until it is ready, and stops the old one. Ends at the first failure, with
   * an UnavailableError or TimeoutError; the old process and all that follow stay. A call during a reload starts another reload after the current
   * one; several such calls share it.
   */
  reload(): Promise<void>;
  reload(callback: Callback): void;

  /** Stops all processes at the same time. Resolves when none is left; so does a further call. */
  stop(): Promise<void>;
  stop(callback: Callback): void;

  /**
   * Makes SIGHUP reload, and SIGTERM and SIGINT stop. None of them ends this process any more, not even after the stop. The event loop of the main
   * thread handles them: a busy program reacts late. Throws an InvalidArgumentError in other threads.
   */
  handleSignals(): this;

  /**
   * All processes, and the ids that have none at the moment, in the order of their ids. During a reload an id may have two. Empty after the stop.
   */
  list(): ProcessInfo[];
  [Symbol.asyncDispose](): Promise<void>;
}

/** Creates a supervisor without processes. Throws an InvalidArgumentError for bad options, and on Windows. */
export function createSupervisor(options?: SupervisorOptions | null): Supervisor;

/**
 * Reports to the supervisor that started this process with `ready: "explicit"` that it is ready. Returns false if no supervisor waits for it: there
 * is none, or the process has reported before. Throws an InvalidArgumentError if `SWARM_READY_FD` is not an open descriptor, and in threads other
 * than the main one.
 */
export function ready(): boolean;

/** Creates a master, which starts to connect at once. Throws an InvalidArgumentError for bad options. */
export function createMaster<T = any>(clusterId?: string | number | null, config?: MasterOptions | string | URL | null): Master<T>;
/** Creates a worker, which starts to connect at once. Throws an InvalidArgumentError for bad options. */
export function createWorker<P = any, R = any>(clusterId?: string | number | null, config?: WorkerOptions | string | URL | null): Worker<P, R>;

export type LogLevel = "error" | "warn" | "info" | "debug" | "trace";
export interface LogRecord {
  level: LogLevel;
  target: string;
  message: string;
}
/**
 * Passes log records up to `level` (default "info") to `logger`, or to no one if it is `null`. Until it is called, warnings and errors, such as
 * failures of jobs, are written to stderr.
 */
export function setLogger(logger: ((record: LogRecord) => void) | null, options?: { level?: LogLevel }): void;

/** The version of libswarm. */
export const version: string;

