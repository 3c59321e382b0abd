import { EventEmitter } from "node:events";
import type { MemberOptions } from "../types/options.js";

/** How the parts find each other. */
export interface AddressOptions {
  /** The host of Redis; default 127.0.0.1. The environment variable SWARM_REDIS_URL takes precedence. */
  host?: string;
  /** Names the cluster; default 1917. Programs with several managers separate them by it. */
  port?: number | string;
  /** Any other address of Redis: a url, or options of a member. Takes precedence over everything else. */
  redis?: string | MemberOptions;
  /**
   * How long a part may be silent until it counts as gone, in milliseconds, 1,000 to 86,400,000; default 5,000. A process that ended on this machine
   * is noticed within 2 s.
   */
  lease?: number;
  /**
   * Whether the part leaves before SIGINT or SIGTERM ends the process, unless the program has its own listener for the signal; default true. Works
   * of a worker are done by others at once; those of a client are aborted unless they have `keepState`.
   */
  handleSignals?: boolean;
  /** Has no effect: nothing is printed. */
  DEBUG?: boolean;
}

export interface ClientOptions extends AddressOptions {
  /** The number of refused connections, 2 s apart, after which the client stops trying; default no limit. */
  MAXRETRIES?: number | null;
  /** Whether works continue when the client is gone. */
  keepState?: boolean;
  /** Whether works with the same `_key` share a result, whatever the manager sets. */
  HOLDSIMILARWORK?: boolean;
}

export interface WorkerOptions extends AddressOptions {
  /** How many works are done at once; default 100. */
  slots?: number;
  /** Guaranteed slots by the lowest priority of each range. The remaining slots belong to priority 0. */
  prioritySlots?: Readonly<Record<number, number>>;
  /** Whether guarantees are strict, whatever the manager sets. */
  SACRED_GUARANTEES?: boolean;
  /** Whether works that are functions are evaluated. They can do anything that this process can. */
  allowFunctions?: boolean;
  /** Has no effect, as the next three: the core answers at once, connects by itself and keeps no lists. */
  ANSWER_THRESHOLD?: number;
  CLEANUP_REQS?: number;
  CLEANUP_CHECKINT?: number;
  CON_RETRYTIME?: number;
}

export interface ManagerOptions extends AddressOptions {
  /** The number of finished works after which `cleanup` is emitted; default 1,000. */
  CLEANUP_REQS?: number;
  /** The interval of `cleanup` in milliseconds; default 60,000. */
  CLEANUP_CHECKINT?: number;
  /** Whether high priorities may only use slots of the lowest one, and not those guaranteed to others. */
  SACRED_GUARANTEES?: boolean;
  /** Whether works with the same `_key` share the result of the first one under way. */
  HOLDSIMILARWORK?: boolean;
  /** Has no effect, as the next: works are assigned as soon as a slot is free. */
  AVAIL_THRESHOLD?: number;
  DISTRIB_RANDMAX?: number;
}

export interface WorkOptions {
  /** Milliseconds from the call on, after which unfinished works have the error ECSTO. */
  timeout?: number;
  /** Milliseconds of one run, after which a work has the error ETO. */
  runTimeout?: number;
  /** Milliseconds within which a work must be assigned to a worker; otherwise it has the error EATO. */
  assigntimeout?: number;
  /** An integer, default 0; works of a higher priority are assigned first. */
  priority?: number;
  /** Whether the works continue when the client is gone. */
  keepState?: boolean;
}

/** The error from a handler: an Error with its message and code, or any other value unchanged. */
export type WorkError = any;

export interface Result<R = any> {
  err: WorkError | null;
  data: R;
}

/** A work as clients see it. */
export interface PushedWork<W = any> {
  id: string;
  /** When it was last pushed, in milliseconds since 1970; 0 before. */
  pushed: number;
  /** The id of the call. */
  request: string;
  original: W;
  /** Set if it was pushed more than once. */
  resent?: true;
}

/** A work as workers receive it. */
export interface GivenWork<W = any> {
  id: string;
  args: W;
  /** Its `runTimeout`, if it is set. */
  timeout?: number;
  status: "running" | "done" | "aborted";
}

/** A work as managers see it. */
export interface KnownWork {
  id: string;
  rid?: string;
  key?: string;
  args?: any;
  timeout?: number;
  assigntimeout?: number;
  priority: number;
  /** The client's id. */
  requester: string;
  /** Set if it continues when its client is gone. */
  keepState?: true;
  status: "new" | "queued" | "running";
  /** The worker's id. */
  worker: string | null;
}

export interface MessageOptions {
  /** `"MANAGER"`, or an id; default all others. */
  to?: string | null;
}

export interface MessageAnswer {
  command: "answer";
  to: "sysmsg";
  id: string;
  done: true;
  /** The number of clients and workers; managers do not count. */
  sentTo: number;
  receivedBy: number;
}

export type MessageCallback = (err: Error | null, answer?: MessageAnswer) => void;

interface Events {
  error: [error: Error];
}

declare class Emitter<E extends Events> extends EventEmitter {
  on<N extends keyof E & string>(event: N, listener: (this: this, ...args: E[N] & unknown[]) => void): this;
  once<N extends keyof E & string>(event: N, listener: (this: this, ...args: E[N] & unknown[]) => void): this;
  off<N extends keyof E & string>(event: N, listener: (this: this, ...args: E[N] & unknown[]) => void): this;
  addListener<N extends keyof E & string>(event: N, listener: (this: this, ...args: E[N] & unknown[]) => void): this;
  removeListener<N extends keyof E & string>(event: N, listener: (this: this, ...args: E[N] & unknown[]) => void): this;
}

interface ClientEvents extends Events {
  connect: [err: Error | null];
  sysmsg: [content: any, from: string];
}

/** Connects at once, and keeps the process alive until it is closed. */
export class Client extends Emitter<ClientEvents> {
  constructor(opts?: ClientOptions | string);
  readonly id: string;
  readonly options: Readonly<ClientOptions>;
  /** For an array, the results are in its order; any other value is one work. */
  work<R = any>(works: readonly any[], opts: WorkOptions | null | undefined, cb?: (err: null, results: Result<R>[]) => void): void;
  work<R = any>(works: readonly any[], cb?: (err: null, results: Result<R>[]) => void): void;
  work<R = any>(work: any, opts: WorkOptions | null | undefined, cb?: (err: WorkError | null, data: R) => void): void;
  work<R = any>(work: any, cb?: (err: WorkError | null, data: R) => void): void;
  /** Calls `workCb` for each work as it finishes, then `groupCb`. */
  workIndividual<R = any, W = any>(
    works: readonly W[],
    opts: WorkOptions | null | undefined,
    workCb?: ((err: WorkError | null, data: R, w: PushedWork<W>) => void) | null,
    groupCb?: (err: null, results: Result<R>[]) => void,
  ): void;
  workIndividual<R = any, W = any>(
    works: readonly W[],
    workCb: (err: WorkError | null, data: R, w: PushedWork<W>) => void,
    groupCb?: (err: null, results: Result<R>[]) => void,
  ): void;
  systemMessage(msg: any, opts: MessageOptions | null | undefined, cb?: MessageCallback): void;
  systemMessage(msg: any, cb?: MessageCallback): void;
  /** Aborts unfinished works with the error ECLOSED, and leaves. */
  close(): Promise<void>;
  close(cb: (err: null) => void): void;
}

interface WorkerEvents<W> extends Events {
  work: [w: GivenWork<W>, handler: (err?: any, data?: any) => void];
  abort: [w: GivenWork<W>];
  sysmsg: [content: any, from: string];
}

/** Does works. */
export class Worker<W = any> extends Emitter<WorkerEvents<W>> {
  /** Throws an Error with the code EINVSLOTNR for invalid slots. */
  constructor(opts?: WorkerOptions);
  /** Its address; 0 before the start. */
  readonly id: string | 0;
  readonly options: Readonly<WorkerOptions>;
  start(): void;
  /** Releases its works, and leaves. */
  stop(): Promise<void>;
  stop(cb: (err: null) => void): void;
  systemMessage(msg: any, opts: MessageOptions | null | undefined, cb?: MessageCallback): void;
  systemMessage(msg: any, cb?: MessageCallback): void;
}

export interface ClientRecord {
  id: string;
  host: string;
  pid: number;
  joinedAt: number;
}

export interface WorkerRecord extends ClientRecord {
  slots: number;
  running: number;
  free: number;
}

interface ManagerEvents extends Events {
  receive: [w: KnownWork];
  finish: [w: KnownWork, result: Result];
  /** Without a worker if the work was waiting. */
  abort: [w: KnownWork, workerId: string | null];
  /** For a worker that is not registered any more, there is only its id. */
  giveup: [w: KnownWork, worker: Pick<WorkerRecord, "id"> & Partial<WorkerRecord>];
  assigntimeout: [w: KnownWork];
  sysmsg: [message: { from: string; content: any }];
  cleanup: [];
}

export type WorkSelectWorker = (
  this: Manager,
  work: KnownWork,
  workers: { [id: string]: number },
  totalAvailable: number,
) => WorkerRecord | null | undefined;

/** Monitors works, and sets how they are distributed. */
export class Manager extends Emitter<ManagerEvents> {
  constructor(opts?: ManagerOptions);
  readonly options: Readonly<ManagerOptions>;
  readonly workers: { readonly [id: string]: WorkerRecord };
  readonly clients: { readonly [id: string]: ClientRecord };
  /**
   * If it is set, before or after the start, each work is assigned to the worker whose record it returns; with `null` the work waits until works or
   * workers change. `workers` has the free slots for the work by the ids of the workers, `totalAvailable` is their sum. If it throws or returns
   * another value, that is an `error` event, and the work waits. It has a second; after it, works are assigned to the least loaded worker.
   */
  workSelectWorker?: WorkSelectWorker | null;
  start(): void;
  stop(): Promise<void>;
  stop(cb: (err: null) => void): void;
}
