import { EventEmitter } from "node:events";

/** Called once: with an error, or with `null` and the outcome. */
export type Callback<T = void, More extends unknown[] = []> = (error: SwarmError | null, value?: T, ...more: More) => void;

/** Bytes travel as they are; anything else travels as JSON. */
export type Bytes = Uint8Array | ArrayBuffer | SharedArrayBuffer | DataView;

/** Options of masters and workers. Times are in milliseconds. */
export interface MemberOptions {
  /** `redis://`, `rediss://`, `unix://`, `redis+sentinel://h1,h2/master/db`, `redis+cluster://h1,h2`. */
  url?: string;
  /** Host name, `localhost` unless set. */
  host?: string;
  /** Port, 6379 unless set. */
  port?: number | string;
  /** Path of a Unix socket, in place of host and port. */
  socket?: string;
  /** A client of node_redis, redis or ioredis: its address, database and login are read, the client is left alone. */
  client?: object;
  /** Replaces the cluster id in the keys. */
  prefix?: string;
  /** Number of the database. As in assemblage 0.1, `abs(db) % 16`; one in `url` is taken as it is. */
  db?: number | string;
  /** ACL user. */
  username?: string;
  /** Password of the user, or of the server. */
  password?: string;
  /** The Sentinels, each `host:port`. */
  sentinels?: string | string[];
  /** Name of the master that the Sentinels watch. */
  sentinelMaster?: string;
  /** ACL user at the Sentinels. */
  sentinelUsername?: string;
  /** Password at the Sentinels. */
  sentinelPassword?: string;
  /** Nodes of a Redis Cluster, each `host:port`. */
  nodes?: string | string[];
  /** TLS with the system's certificates. */
  tls?: boolean;
  /** File with the CA certificates to trust instead, PEM. */
  tlsCa?: string;
  /** File with the client's certificate chain, PEM. */
  tlsCert?: string;
  /** File with the client's private key, PEM. */
  tlsKey?: string;
  /** How long a member may be silent before its jobs go elsewhere; 1,000 to 86,400,000. */
  lease?: number;
  /** The lease under the name of assemblage 0.1; 60,000 unless set, at least 1,000. */
  expireDelay?: number;
  /** How long a call waits for Redis before it fails; 5,000 unless set. */
  timeout?: number;
  /** Largest payload that is accepted, in bytes; 524,288 unless set. */
  maxPayload?: number;
  /** What to do about a server that may evict keys. */
  eviction?: "refuse" | "warn";
  /** The member's name, for people. */
  name?: string;
  /** The member's group. */
  group?: string;
  /** A job fails as `poison` when more workers than this died holding it; 3 unless set. */
  maxDeaths?: number;
}

export type MasterOptions = MemberOptions;

export interface WorkerOptions extends MemberOptions {
  /** Jobs held at most; unlimited unless set. */
  slots?: number;
  /** Jobs given but not yet taken up, at most; 1,000 unless set. */
  window?: number;
  /** Whether a worker that lost its lease registers anew; true unless set. */
  rejoin?: boolean;
  /** Where this worker's jobs go among the waiting when it leaves or is lost; "back" unless set. */
  requeue?: "front" | "back";
}

/** Options of a job. */
export interface JobOptions {
  /** The caller's own id, at most 256 bytes. While a job with this id exists, adding it again changes nothing. */
  id?: string;
  /** Whether to keep the result, so that it can be awaited. */
  result?: boolean;
  /** How long the result is kept, in milliseconds; 300,000 unless set. */
  resultTtl?: number;
}

export interface WaitOptions {
  /** Ends the wait with a CancelledError; the job goes on. */
  signal?: AbortSignal;
  /** Ends the wait with a TimeoutError after so many milliseconds; the job goes on. */
  timeout?: number;
}

export interface RunOptions extends Omit<JobOptions, "result"> {
  /** Ends the wait with a CancelledError; the job goes on. */
  signal?: AbortSignal;
  /** `total` ends the wait with a TimeoutError after so many milliseconds; the job goes on. */
  timeouts?: { total?: number };
}

export interface Added {
  id: string;
  /** A job with this id was there already and was left as it was. */
  existed: boolean;
}

/** A member's own view; costs nothing to ask. */
export interface Health {
  /** Connected, registered, and the last renewal was answered in time. */
  healthy: boolean;
  connected: boolean;
  /** The identity in Redis, empty before the first registration. */
  incarnation: string;
  /** Milliseconds in which the member may still act as the holder of its jobs. */
  leaseLeft: number;
  /** Jobs held. */
  held: number;
  /** Jobs or finishes not yet acknowledged by Redis. */
  pending: number;
  /** Name of the kind of the last background error, empty if it has healed. */
  error: string;
  errorMessage: string;
}

/** Counts of a cluster. */
export interface Stats {
  waiting: number;
  held: number;
  deleting: number;
  failed: number;
  results: number;
  members: number;
  added: number;
  completed: number;
  failures: number;
  deleted: number;
  deaths: number;
}

interface MemberEvents {
  ready: [];
  close: [];
  error: [error: SwarmError];
}

interface WorkerEvents<P, R> extends MemberEvents {
  add: [job: Job<P, R>];
  delete: [jobId: string];
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
  readonly config: object;
  /** The client given as option `client`, if one was. */
  readonly redisClient: object | undefined;
  /** The prefix as assemblage 0.1 showed it, with a dot at its end unless it is empty. */
  readonly prefix: string;
  readonly db: number;
  readonly expireDelay: number;
  /** The identity in Redis, empty before the first registration. */
  readonly incarnation: string;

  /** Waits until the member is registered. */
  ready(): Promise<void>;
  ready(callback: Callback): void;
  /** Counts of the cluster, from Redis. */
  stats(): Promise<Stats>;
  stats(callback: Callback<Stats>): void;
  /** The member's own view; asks nobody. */
  health(): Health;
}

/** Adds and deletes jobs, awaits results. Keeps the process alive only while a call is pending. */
export class Master extends Member<MemberEvents> {
  constructor(clusterId?: unknown, config?: MasterOptions | null);
  readonly type: "master";
  /** The cluster's id, trimmed. */
  readonly id: string;

  /** Adds a job as assemblage 0.1 did: a falsy payload becomes `{}`. Gives the job's id. */
  addJob(callback: Callback<string, [existed: boolean]>): void;
  addJob(payload?: unknown, options?: JobOptions | null): Promise<string>;
  addJob(payload: unknown, callback: Callback<string, [existed: boolean]>): void;
  addJob(payload: unknown, options: JobOptions | null | undefined, callback: Callback<string, [existed: boolean]>): void;

  /** Adds many jobs as `addJob` does. Gives their ids in order. */
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

  /** Adds many jobs as `add` does, each with options of its own. */
  addMany(jobs: Iterable<{ payload?: unknown } & JobOptions>): Promise<Added[]>;
  addMany(jobs: Iterable<{ payload?: unknown } & JobOptions>, callback: Callback<Added[]>): void;

  /** Deletes a job whatever its state. Gives the id, also if there was no such job; `false` for an empty id. */
  deleteJob(callback: Callback<string | false, [existed: boolean]>): void;
  deleteJob(jobId: unknown): Promise<string | false>;
  deleteJob(jobId: unknown, callback: Callback<string | false, [existed: boolean]>): void;

  /** Deletes many jobs. Gives whether each existed. */
  deleteJobs(jobIds: Iterable<unknown>): Promise<boolean[]>;
  deleteJobs(jobIds: Iterable<unknown>, callback: Callback<boolean[]>): void;

  /** Awaits the result of a job that was added with `result: true`. Fails with JobFailedError if the job failed. */
  result<R = unknown>(jobId: string, options?: WaitOptions): Promise<R>;
  result<R = unknown>(jobId: string, callback: Callback<R>): void;
  result<R = unknown>(jobId: string, options: WaitOptions | undefined, callback: Callback<R>): void;

  /** Adds a job and awaits its result. */
  run<R = unknown>(payload?: unknown, options?: RunOptions): Promise<R>;
  run<R = unknown>(payload: unknown, callback: Callback<R>): void;
  run<R = unknown>(payload: unknown, options: RunOptions | undefined, callback: Callback<R>): void;

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
  constructor(clusterId?: unknown, config?: WorkerOptions | null);
  readonly type: "worker";
  /** The identity in Redis; a random one until the worker is registered. */
  readonly id: string;
  /** The cluster's id, trimmed. */
  readonly assemblageId: string;
  readonly running: boolean;
  /** The jobs held now, by id. */
  readonly jobs: { readonly [jobId: string]: Job<P, R> };

  /** Runs the handler for each job: what it returns completes the job, what it throws fails it. */
  process(
    handler: (job: Job<P, R>, context: { readonly signal: AbortSignal }) => R | PromiseLike<R>,
    options?: { slots?: number },
  ): this;

  /** Queues the deletion of any job of the cluster. Gives whether it existed. */
  queueDeleteJob(jobId: unknown): Promise<boolean>;
  queueDeleteJob(jobId: unknown, callback: Callback<boolean>): void;

  /** Takes no new jobs and waits until those held are finished. */
  drain(): Promise<void>;
  drain(callback: Callback): void;

  /**
   * Emits `delete` on all jobs and gives them back to the cluster, then emits `close`. `grace` is how long handlers have
   * to stop, 5,000 ms unless set.
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
  /** How many workers died while they held this job. */
  readonly deaths: number;
  /** Whether the job was deleted or taken back. */
  readonly cancelled: boolean;
  /** Why it was. */
  readonly deleteReason: "deleted" | "terminated" | "lease_lost" | undefined;
  /** Aborts when the job is deleted or taken back. */
  readonly signal: AbortSignal;

  /** Completes the job; the result is kept if the job was added with `result`. */
  complete(callback: Callback): void;
  complete(result?: R): Promise<void>;
  complete(result: R, callback: Callback): void;
  /** Fails the job for good, with an error or its text. */
  fail(error?: unknown): Promise<void>;
  fail(error: unknown, callback: Callback): void;
  /** Gives the job back to the cluster. */
  release(): Promise<void>;
  release(callback: Callback): void;
  /** Says that the work has stopped. Only for a handler that is told to stop and ends later than its listeners. */
  stopped(): Promise<void>;
  stopped(callback: Callback): void;
  /** Queues the job for deletion; its `delete` event follows. Gives whether the job existed. */
  deleteJob(): Promise<boolean>;
  deleteJob(callback: Callback<boolean>): void;
}

/** Creates a master, which starts to connect at once. Throws an InvalidArgumentError for bad options. */
export function createMaster(clusterId?: unknown, config?: MasterOptions | null): Master;
/** Creates a worker, which starts to connect at once. Throws an InvalidArgumentError for bad options. */
export function createWorker<P = any, R = any>(clusterId?: unknown, config?: WorkerOptions | null): Worker<P, R>;

export type LogLevel = "error" | "warn" | "info" | "debug" | "trace";
export interface LogRecord {
  level: LogLevel;
  target: string;
  message: string;
}
/** Has the core's log records up to `level` ("info" unless set) given to `logger`; `null` turns logging off again. */
export function setLogger(logger: ((record: LogRecord) => void) | null, options?: { level?: LogLevel }): void;

/** The version of libswarm. */
export const version: string;

/** The base of all errors. */
export class SwarmError extends Error {
  constructor(message?: string, options?: { cause?: unknown });
  /** `SWARM_` and the name of the kind, the same as in the other languages. */
  readonly code: string;
  /** Whether the same call may succeed later. */
  readonly retryable: boolean;
}
/** An argument or option is malformed or out of its bounds. */
export class InvalidArgumentError extends SwarmError {}
/** A payload, result or name is over its limit. */
export class TooLargeError extends SwarmError {}
/** Redis cannot be reached, or is loading, failing over or busy. The connection is being retried. */
export class UnavailableError extends SwarmError {}
/** Redis refused the username or password. */
export class AuthFailedError extends SwarmError {}
/** The ACL user lacks a permission. */
export class PermissionDeniedError extends SwarmError {}
/** The peer is not a Redis server, or not of the configured kind. */
export class WrongServerError extends SwarmError {}
/** The server is older than Redis 6.2. */
export class UnsupportedVersionError extends SwarmError {}
/** The address is that of a read-only replica. */
export class ReadOnlyReplicaError extends SwarmError {}
/** The server evicts keys when it is full, so jobs could vanish. */
export class EvictionPolicyError extends SwarmError {}
/** Redis reached `maxmemory`; nothing was added. */
export class StoreFullError extends SwarmError {}
/** A key or record under the prefix is not what this protocol writes. */
export class StoreCorruptError extends SwarmError {}
/** The cluster is used by members of a newer protocol. */
export class ProtocolVersionError extends SwarmError {}
/** The caller's time limit passed. */
export class TimeoutError extends SwarmError {}
/** The reply was lost: the jobs may or may not have been added. */
export class OutcomeUnknownError extends SwarmError {}
/** The caller cancelled the wait. */
export class CancelledError extends SwarmError {}
/** The object was closed or terminated before. */
export class ClosedError extends SwarmError {}
/** The job is no longer this execution's. Nothing was changed. */
export class StaleFenceError extends SwarmError {}
/** No such job, or its result has expired. */
export class NotFoundError extends SwarmError {}
/** The job was deleted. */
export class JobDeletedError extends SwarmError {}
/** The job ended as failed; the message is the job's own error. */
export class JobFailedError extends SwarmError {
  /** `failed` (by its handler), `poison` (its workers died too often) or `corrupt` (its record could not be read). */
  readonly reason: string;
}
/** The worker could not renew its lease in time and gave up its jobs. */
export class LeaseLostError extends SwarmError {}
/** The TLS handshake failed, or a certificate or key could not be used. */
export class TlsError extends SwarmError {}
/** The object was made before a fork and is used in the child. */
export class ForkedError extends SwarmError {}
/** The call is not allowed inside a callback of the same object. */
export class InCallbackError extends SwarmError {}
/** A panic was caught at the language boundary. A bug in libswarm. */
export class PanicError extends SwarmError {}
/** A reply or state that should not exist. A bug in libswarm or an altered store. */
export class InternalError extends SwarmError {}
