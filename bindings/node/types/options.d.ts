import type { JobLimit } from "./limits.js";

// Options of members, jobs and waits.

/** Options of masters and workers. Times are in milliseconds. */
export interface MemberOptions {
  /** `redis://`, `rediss://`, `unix://`, `redis+sentinel://h1,h2/master/db`, `redis+cluster://h1,h2`. */
  url?: string | URL;
  /** Host name; default `localhost`. */
  host?: string;
  /** Port; default 6379. */
  port?: number | string;
  /** Path of a Unix socket, in place of host and port. */
  socket?: string;
  /** A client of node_redis, redis or ioredis: its address, database and login are read. The client is not used. */
  client?: object;
  /** Replaces the cluster id in the keys. */
  prefix?: string;
  /** Number of the database; as in assemblage 0.1, `abs(db) % 16`. A database in `url` is used unchanged. */
  db?: number | string;
  /** ACL user. */
  username?: string;
  /** Password of the user, or of the server. */
  password?: string;
  /**
   * A function that returns the credentials, or resolves with them, instead of `username` and `password`. It is called at each connection and every
   * `credentialsInterval`, and has 5 s. When they have changed, open connections authenticate again.
   */
  credentials?: () => { username?: string; password: string } | PromiseLike<{ username?: string; password: string }>;
  /**
   * Path of a file with JSON, `{"username": …, "password": …}`, instead of `username` and `password`. When it has changed, open connections authenticate
   * again.
   */
  credentialsFile?: string;
  /** Milliseconds between two looks at the file, 100 to a day; 10,000. */
  credentialsInterval?: number;
  /** The Sentinels, each `host:port`. */
  sentinels?: string | string[];
  /** Name of the master that the Sentinels monitor. */
  sentinelMaster?: string;
  /** ACL user at the Sentinels. */
  sentinelUsername?: string;
  /** Password at the Sentinels. */
  sentinelPassword?: string;
  /** Nodes of a Redis Cluster, each `host:port`. */
  nodes?: string | string[];
  /** TLS with the certificates of the system. */
  tls?: boolean;
  /** File with the CA certificates to trust instead, PEM. */
  tlsCa?: string;
  /** File with the client's certificate chain, PEM. */
  tlsCert?: string;
  /** File with the client's private key, PEM. */
  tlsKey?: string;
  /**
   * Whether the server's certificate is verified; default true. Without verification, the connection is encrypted, but the server may be an
   * impostor.
   */
  tlsVerify?: boolean;
  /** How long a member may be silent before its jobs are reclaimed; 1,000 to 86,400,000. */
  lease?: number;
  /** The lease under its name in assemblage 0.1; default 60,000, at least 1,000. */
  expireDelay?: number;
  /** How long a call waits for Redis before it fails; default 5,000. */
  timeout?: number;
  /** Largest payload that is accepted, in bytes; default 524,288. */
  maxPayload?: number;
  /**
   * The limit of payload bytes that are submitted and not yet stored by Redis: 1,048,576 to 4,294,967,296; default 67,108,864. Beyond it, adding
   * fails with a BufferFullError; a call while nothing waits is always accepted.
   */
  maxPendingBytes?: number;
  /**
   * Keys with which this member encrypts what it stores, `id:key` with the base64 of 32 bytes; several with commas between: the first writes, all
   * read.
   */
  codecKeys?: string;
  /** Whether this member refuses to read values that are not encrypted; default false. */
  codecRequired?: boolean;
  /** Values of at least this number of bytes are compressed, 64 to 16,777,216; default none. */
  compressFrom?: number;
  /** What to do about a server that may evict keys. */
  eviction?: "refuse" | "warn";
  /** The member's name, which `members` and logs show. */
  name?: string;
  /** The member's group. */
  group?: string;
  /** A job fails as `poison` when more workers than this crashed in a row while they ran it; default 3. */
  maxCrashes?: number;
  /** The limit of failed jobs that the cluster keeps, the newest ones: 1 to 1,000,000. If no member sets it, 10,000. */
  failedMax?: number;
  /** The limit of bytes of failed jobs that the cluster keeps, the newest ones: 1 MiB to 1 TiB. If no member sets it, 256 MiB. */
  failedMaxBytes?: number;
  /** How long failed jobs are kept. If no member sets it, forever. */
  failedTtl?: number;
  /** When the cluster records transitions of jobs for `events`: while a master follows them and for 30 s after that, or always. `"follow"` if no member sets it. */
  events?: "follow" | "always";
  /** The limit of transitions that it keeps, 100 to 1,000,000; the newest are kept. 10,000 if no member sets it. */
  eventsMax?: number;
  /**
   * The limit of completed jobs that the cluster keeps, the newest ones: 0 to 1,000,000. If no member sets it, or 0, none but those with the option
   * `keepCompleted`, at most 10,000.
   */
  completedMax?: number;
  /** The limit of bytes of completed jobs that the cluster keeps, the newest ones: 1 MiB to 1 TiB. If no member sets it, 256 MiB. */
  completedMaxBytes?: number;
  /** How long completed jobs are kept: 1 s to 10 years. If no member sets it, as long as the limits allow. */
  completedTtl?: number;
  /**
   * Writes a value of a payload, result, message or reply, as JSON text or as bytes; default `JSON.stringify`. Buffers and typed arrays are sent
   * unchanged. What it throws, and text that is not JSON, is an `InvalidArgumentError` of the call.
   */
  serialize?: (value: any) => string | Uint8Array;
  /** Reads what `serialize` wrote: text, or a Buffer for bytes, also for those that were sent unchanged. What it throws reaches who reads the value. */
  parse?: (content: string | Buffer) => any;
}

export type MasterOptions = MemberOptions;

export interface WorkerOptions extends MemberOptions {
  /** The limit of active jobs; default 10 with a handler (`process`), and no limit with only `add` listeners; `Infinity` for no limit. */
  slots?: number;
  /**
   * Whether the worker leaves on SIGINT and SIGTERM, if the program has no own listener for the signal: its jobs are requeued at once, and then the
   * process ends by the signal. Default true. Only the event loop of the main thread receives signals.
   */
  handleSignals?: boolean;
  /** Guaranteed slots by the lowest priority of each range, such as `{ 1: 30, 2: 20 }`. The remaining slots belong to priority 0. */
  prioritySlots?: Readonly<Record<number, number>> | ReadonlyMap<number, number>;
  /** Whether a range of priorities that is full may use free slots of priority 0 only, and not of all lower ranges; default false. */
  strictSlots?: boolean;
  /** Jobs assigned beyond the slots, so that one can start at once when a slot becomes free; 0 to 10,000, default 0. */
  prefetch?: number;
  /** Tasks that the worker accepts, `""` for jobs without one; default only jobs without a task. `process` with handlers per task adds to it. */
  tasks?: string | readonly string[];
  /** Whether jobs move to this worker when it joins, from workers with more active jobs than the mean; default false. */
  rebalance?: boolean;
  /** The limit of jobs that are assigned and not yet taken by the program; default 1,000. */
  window?: number;
  /**
   * How long a handler may take to stop once its job's timeout is over, in milliseconds: 100 to 86,400,000; default 30,000. Then the job is retried
   * elsewhere, and the handler counts as stuck and keeps its slot until it settles.
   */
  stopGrace?: number;
  /** Whether a worker that lost its lease registers anew; default true. */
  rejoin?: boolean;
  /** Where this worker's jobs are requeued when it leaves or is lost: before or behind all waiting jobs; default "back". */
  requeue?: "front" | "back";
  /** With OpenTelemetry: whether the span of an attempt has a link to the span that added the job, or is its child; default "link". */
  trace?: "link" | "parent";
}

/** Options of a job. */
export interface JobOptions {
  /** The job's id, at most 256 bytes. While a job with this id exists, adding it again changes nothing. */
  id?: string;
  /** Whether to keep the result, so that it can be awaited. */
  result?: boolean;
  /** How long the result is kept, in milliseconds; default 300,000. */
  resultTtl?: number;
  /** Jobs of a higher priority are assigned first: an integer, -2^53 to 2^53; default 0. */
  priority?: number;
  /** Delays the job by this many milliseconds, up to 10 years. */
  delay?: number;
  /** Delays the job until this time, a Date or milliseconds since 1970. */
  runAt?: Date | number;
  /** How often the job is retried after a failed attempt, 0 to 200; default 0. */
  retries?: number;
  /** The pauses before retries; a number is a fixed pause in milliseconds. Default 1,000. */
  backoff?: number | Backoff;
  /** Jobs with the same resource run one at a time, in the order in which they would have been assigned. */
  resource?: string;
  /** The groups of jobs that wait with the same priority and task take turns, so that none waits for all jobs of another. */
  group?: string;
  /** How many turns its group has while one of weight 1 has one, 1 to 1,000; default 1. That of the job queued last counts. */
  weight?: number;
  /** Limits that the job is subject to, at most 4; see `limit`. A limit whose figures are not set allows everything. */
  limits?: JobLimit | readonly JobLimit[];
  /** A key that one job has at a time: while another job has it, adding this one does nothing, or what `onConflict` states. */
  unique?: string | Unique;
  /**
   * Delays the job by this many milliseconds, 1 to 365 days. Until it starts, each further add with its unique key replaces its payload and options
   * and delays it anew.
   */
  debounce?: number;
  /** The longest time in milliseconds for which `debounce` delays the job, at most 10 years; default ten times `debounce`. */
  maxWait?: number;
  /**
   * Ids of jobs for whose end it waits, at most 1,000 (in a flow 10,000): jobs that exist, that have ended and whose result or failure is kept, or
   * that are added in the same call. `delay`, `runAt` and `timeouts.assign` count from then on. Excludes `unique` and `ephemeral`.
   */
  after?: Iterable<string> | null;
  /**
   * What it does if one of these fails or is deleted. `fail` (default): it fails, too, at once, with a DependencyFailedError; `run`: it runs when all
   * have ended, and `job.inputs` shows which failed; `ignore`: the same, but they are not shown.
   */
  onFailure?: "fail" | "run" | "ignore";
  /**
   * How long the job is kept once it is completed, at most 10 years, whether or not the cluster keeps completed jobs; 0: it is not kept. Default as
   * `completedMax` and `completedTtl` of the cluster state.
   */
  keepCompleted?: number;
  /** The kind of work: only workers that accept this task are assigned the job. */
  task?: string;
  /** Headers: names and values that the handler receives with the job, at most 30 KiB together; no name contains a `=`. */
  headers?: Readonly<Record<string, string>>;
  /** Limits in milliseconds, 1 to 365 days. */
  timeouts?: Timeouts;
  /** Whether the job is deleted when the master that added it leaves or is lost. */
  ephemeral?: boolean;
  /** The durability that the job has when the call resolves; default "memory". If it cannot be reached, the call fails with a NotDurableError. */
  durability?: "memory" | "fsync" | "replica";
}

/** The pauses before retries. */
export interface Backoff {
  /** Whether every pause is as long as the first, or twice as long as the one before; default "fixed". */
  type?: "fixed" | "exponential";
  /** The first pause in milliseconds; default 1,000. */
  delay?: number;
  /** The longest pause in milliseconds; default 3,600,000. */
  max?: number;
  /** The share of each pause that is random, 0 to 1; default 0. */
  jitter?: number;
}

/** A key that one job has at a time. */
export interface Unique {
  /** The key, 1 to 256 bytes. */
  key: string;
  /**
   * Until when the job has the key: until it has completed, failed or was deleted; until it is assigned to a worker for the first time; or for so many
   * milliseconds after it was added, 1 to 365 days, also if it has completed before. Default "end".
   */
  until?: "end" | "start" | number;
  /**
   * What adding this job does while another job has the key; default "drop".
   * - drop: nothing; the answer has the id of the other job.
   * - replace: if the other job has not been assigned, it gets the payload and the options of this one.
   * - attach: this job waits, and then finishes with the outcome of the other one.
   * - latest: as replace; but if the other job is active, this one runs after it. Of several, only the newest does.
   */
  onConflict?: "drop" | "replace" | "attach" | "latest";
}

export interface Timeouts {
  /** The job fails with an AssignTimeoutError if it is not assigned within this time after it was added or became due. */
  assign?: number;
  /** An execution that takes longer is stopped and counts as failed, with a RunTimeoutError if no retry is left. */
  run?: number;
  /** The job fails with a TotalTimeoutError in any state, this long after it was added. */
  total?: number;
}

export interface WaitOptions {
  /** Ends the wait with a CancelledError; the job continues. */
  signal?: AbortSignal;
  /** Ends the wait with a TimeoutError after this many milliseconds; the job continues. */
  timeout?: number;
}

export interface RunOptions extends Omit<JobOptions, "result">, WaitOptions {
  /** Called with the id of the existing job, if one with this `id` or with its unique key existed: the result is that of this job. */
  onExisted?: (jobId: string) => void;
}

/** Options of all jobs of a group, and of the wait for them. */
export interface GroupOptions extends Omit<JobOptions, "id" | "result">, WaitOptions {
  /** Whether the jobs continue when the master that added them leaves or is lost; otherwise they are deleted. */
  keep?: boolean;
}

/** Options of a master that chooses workers. */
export interface ChooseOptions {
  /** How many milliseconds jobs wait for a choice, 10 to 3,600,000, default 1,000. After it they are assigned to the least loaded workers. */
  within?: number;
  /** The tasks for whose jobs workers are chosen, `""` for jobs without one; default all. */
  tasks?: string | readonly string[] | null;
}
