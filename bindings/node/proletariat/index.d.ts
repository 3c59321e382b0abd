import { EventEmitter } from "node:events";
import type { MemberOptions } from "../types/options.js";

/** How the parts find each other. */
export interface AddressOptions {
  /** The host of Redis, 127.0.0.1 unless set. The environment variable SWARM_REDIS_URL goes before it. */
  host?: string;
  /** Names the cluster; 1917 unless set. Programs with several managers keep them apart by it. */
  port?: number | string;
  /** Any other address of Redis: a url, or options of a member. Goes before everything else. */
  redis?: string | MemberOptions;
  /** How long a silent part is counted as there, in milliseconds, 1,000 to 86,400,000; 5,000 unless set. One whose process ended on this machine is noticed within 2 s. */
  lease?: number;
  /**
   * Whether the part leaves before SIGINT or SIGTERM ends the process, unless that listens to the signal itself; true unless set. Works of a worker are done
   * by others at once, those of a client are aborted unless they have `keepState`.
   */
  handleSignals?: boolean;
  /** Without effect: nothing is ever printed. */
  DEBUG?: boolean;
}

export interface ClientOptions extends AddressOptions {
  /** How many refused connections, 2 s apart, are one too few to give up; for ever unless set. */
  MAXRETRIES?: number | null;
  /** Works go on when the client is gone. */
  keepState?: boolean;
  /** Whether works with the same `_key` share a result, whatever the manager says. */
  HOLDSIMILARWORK?: boolean;
}

export interface WorkerOptions extends AddressOptions {
  /** How many works are done at once; 100 unless set. */
  slots?: number;
  /** Slots guaranteed to works from a priority on. What is left of `slots` belongs to priority 0. */
  prioritySlots?: Readonly<Record<number, number>>;
  /** Whether guarantees are strict, whatever the manager says. */
  SACRED_GUARANTEES?: boolean;
  /** Whether works that are functions are evaluated. They can do what this process can. */
  allowFunctions?: boolean;
  /** Without effect, as are the next three: the core answers at once, connects by itself and keeps no lists. */
  ANSWER_THRESHOLD?: number;
  CLEANUP_REQS?: number;
  CLEANUP_CHECKINT?: number;
  CON_RETRYTIME?: number;
}

export interface ManagerOptions extends AddressOptions {
  /** After so many finished works `cleanup` is emitted; 1,000 unless set. */
  CLEANUP_REQS?: number;
  /** The same for a time in milliseconds; 60,000 unless set. */
  CLEANUP_CHECKINT?: number;
  /** High priorities may only take slots of the lowest one, not those guaranteed to others. */
  SACRED_GUARANTEES?: boolean;
  /** Works with the same `_key` share the result of the first one under way. */
  HOLDSIMILARWORK?: boolean;
  /** Without effect, as is the next: works are given as soon as a slot is free. */
  AVAIL_THRESHOLD?: number;
  DISTRIB_RANDMAX?: number;
}

export interface WorkOptions {
  /** Milliseconds from the call on, after which the works that are not done have the error ECSTO. */
  timeout?: number;
  /** Milliseconds of one run, after which a work has the error ETO. */
  runTimeout?: number;
  /** Milliseconds until a worker is given the work, after which it has the error EATO. */
  assigntimeout?: number;
  /** An integer, 0 unless set; higher ones are given first. */
  priority?: number;
  /** The works go on when the client is gone. */
  keepState?: boolean;
}

/** What a handler gave as its error: an Error with its message and code, or any other value as it is. */
export type WorkError = any;

export interface Result<R = any> {
  err: WorkError | null;
  data: R;
}

/** A work as a client knows it. */
export interface PushedWork<W = any> {
  id: string;
  /** When it was pushed last, in milliseconds since 1970; 0 before. */
  pushed: number;
  /** The id of the call. */
  request: string;
  original: W;
  /** It was pushed more than once. */
  resent?: true;
}

/** A work as a worker is given it. */
export interface GivenWork<W = any> {
  id: string;
  args: W;
  /** Its `runTimeout`, if it has one. */
  timeout?: number;
  status: "running" | "done" | "aborted";
}

/** A work as a manager knows it. */
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
  /** It goes on when its client is gone. */
  keepState?: true;
  status: "new" | "queued" | "running";
  /** The worker's id. */
  worker: string | null;
}

export interface MessageOptions {
  /** `"MANAGER"`, or an id; everybody else unless set. */
  to?: string | null;
}

export interface MessageAnswer {
  command: "answer";
  to: "sysmsg";
  id: string;
  done: true;
  /** Clients and workers; managers do not count. */
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
  /** An array gives its results in order; anything else is one work. */
  work<R = any>(works: readonly any[], opts: WorkOptions | null | undefined, cb?: (err: null, results: Result<R>[]) => void): void;
  work<R = any>(works: readonly any[], cb?: (err: null, results: Result<R>[]) => void): void;
  work<R = any>(work: any, opts: WorkOptions | null | undefined, cb?: (err: WorkError | null, data: R) => void): void;
  work<R = any>(work: any, cb?: (err: WorkError | null, data: R) => void): void;
  /** Calls `workCb` for each work as it ends, then `groupCb`. */
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
  /** Ends what is not done with the error ECLOSED, and leaves. */
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
  /** Throws an Error with the code EINVSLOTNR for slots that cannot be. */
  constructor(opts?: WorkerOptions);
  /** Its address; 0 before the start. */
  readonly id: string | 0;
  readonly options: Readonly<WorkerOptions>;
  start(): void;
  /** Gives back what is in hand, and leaves. */
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
  /** Without a worker if it waited. */
  abort: [w: KnownWork, workerId: string | null];
  /** Of a worker that is not known any more there is only its id. */
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

/** Watches, and says how works are to be distributed. */
export class Manager extends Emitter<ManagerEvents> {
  constructor(opts?: ManagerOptions);
  readonly options: Readonly<ManagerOptions>;
  readonly workers: { readonly [id: string]: WorkerRecord };
  readonly clients: { readonly [id: string]: ClientRecord };
  /**
   * If it is set, before or after the start, each work goes to the worker whose record it returns; with `null` the work waits until there
   * is something new. `workers` has the free slots for the work by the ids of the workers, `totalAvailable` is their sum. What it
   * throws, or returns else, is an `error` event, and the work waits. It has a second; then works go to the worker that holds the fewest.
   */
  workSelectWorker?: WorkSelectWorker | null;
  start(): void;
  stop(): Promise<void>;
  stop(cb: (err: null) => void): void;
}
