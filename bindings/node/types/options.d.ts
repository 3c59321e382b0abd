// Options of members, jobs and waits.

/** Options of masters and workers. Times are in milliseconds. */
export interface MemberOptions {
  /** `redis://`, `rediss://`, `unix://`, `redis+sentinel://h1,h2/master/db`, `redis+cluster://h1,h2`. */
  url?: string | URL;
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
  /** Whether the server's certificate is verified; true unless set. Without, the connection is encrypted, but its other end may be anybody. */
  tlsVerify?: boolean;
  /** How long a member may be silent before its jobs go elsewhere; 1,000 to 86,400,000. */
  lease?: number;
  /** The lease under the name of assemblage 0.1; 60,000 unless set, at least 1,000. */
  expireDelay?: number;
  /** How long a call waits for Redis before it fails; 5,000 unless set. */
  timeout?: number;
  /** Largest payload that is accepted, in bytes; 524,288 unless set. */
  maxPayload?: number;
  /**
   * Bytes of payloads submitted and not yet stored by Redis, at most: 1,048,576 to 4,294,967,296; 67,108,864 unless set. Beyond, adding fails with a
   * BufferFullError, but one call alone never does.
   */
  maxPendingBytes?: number;
  /** What to do about a server that may evict keys. */
  eviction?: "refuse" | "warn";
  /** The member's name, for people. */
  name?: string;
  /** The member's group. */
  group?: string;
  /** A job fails as `poison` when more workers than this died holding it; 3 unless set. */
  maxCrashes?: number;
  /** Failed jobs that the cluster keeps at most, the newest: 1 to 1,000,000; 10,000 unless a member sets it. */
  failedMax?: number;
  /** Bytes of failed jobs that the cluster keeps at most, the newest: 1 MiB to 1 TiB; 256 MiB unless a member sets it. */
  failedMaxBytes?: number;
  /** How long failed jobs are kept; for ever unless a member sets it. */
  failedTtl?: number;
}

export type MasterOptions = MemberOptions;

export interface WorkerOptions extends MemberOptions {
  /** Active jobs at most. Unless set, 10 with a handler (`process`), and no limit with `add` listeners only; `Infinity` for none. */
  slots?: number;
  /**
   * Whether the worker leaves on SIGINT and SIGTERM, if the program has no listener of its own for the signal: its jobs move at once, and then
   * the process ends by the signal. Default true. Signals reach the event loop of the main thread only.
   */
  handleSignals?: boolean;
  /** Slots guaranteed to jobs from a priority on, such as `{ 1: 30, 2: 20 }`. What is left of `slots` belongs to priority 0. */
  prioritySlots?: Readonly<Record<number, number>> | ReadonlyMap<number, number>;
  /** Whether a range of priorities that is full may take free slots of priority 0 only, not of all lower ones; false unless set. */
  strictSlots?: boolean;
  /** Jobs given beyond the slots, to be at hand when one becomes free; 0 to 10,000, 0 unless set. */
  prefetch?: number;
  /** Tasks that the worker takes, `""` for jobs without one; only those unless set. `process` with handlers per task sets it too. */
  tasks?: string | readonly string[];
  /** Whether jobs that other workers hold beyond the mean are moved when this worker joins; false unless set. */
  rebalance?: boolean;
  /** Jobs given but not yet taken up, at most; 1,000 unless set. */
  window?: number;
  /**
   * How long a handler may take to stop once its job's timeout is over, in milliseconds: 100 to 86,400,000; 30,000 unless set. Then the job is
   * retried elsewhere, and the handler is stuck and keeps its slot until it settles.
   */
  stopGrace?: number;
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
  /** Higher ones are given first: an integer, -2^53 to 2^53; 0 unless set. */
  priority?: number;
  /** Not to be started before so many milliseconds have passed, up to 10 years. */
  delay?: number;
  /** Not to be started before this time, as a Date or in milliseconds since 1970. */
  runAt?: Date | number;
  /** How often the job is run again after a failed attempt, 0 to 200; 0 unless set. */
  retries?: number;
  /** The pauses before retries; a number is a fixed pause in milliseconds. 1,000 unless set. */
  backoff?: number | Backoff;
  /** Jobs with the same resource run one at a time, in the order in which their turn came. */
  resource?: string;
  /** While a job with the same key exists, this one waits and ends as that one ends. */
  similar?: string;
  /** The name of the work: only workers that take this task are given the job. */
  task?: string;
  /** Names and values that travel with the job, at most 30 KiB together; no name has a `=`. */
  headers?: Readonly<Record<string, string>>;
  /** Limits in milliseconds, 1 to 365 days. */
  timeouts?: Timeouts;
  /** The job is given up when the master that added it leaves or is lost. */
  ephemeral?: boolean;
  /** How surely the job is stored before it counts as added; "memory" unless set. Less than that is a NotDurableError. */
  durability?: "memory" | "fsync" | "replica";
}

/** The pause before a failed job runs again. */
export interface Backoff {
  /** Whether every pause is as long as the first, or twice as long as the one before; "fixed" unless set. */
  type?: "fixed" | "exponential";
  /** The first pause in milliseconds, 1,000 unless set. */
  delay?: number;
  /** The longest pause in milliseconds, 3,600,000 unless set. */
  max?: number;
  /** The share of each pause that is random, 0 to 1; 0 unless set. */
  jitter?: number;
}

export interface Timeouts {
  /** Fails with an AssignTimeoutError if no worker was given the job so long after it was added, or due. */
  assign?: number;
  /** An execution that takes longer is stopped and counts as failed, with a RunTimeoutError if no retry is left. */
  run?: number;
  /** Fails with a TotalTimeoutError, whatever its state, so long after it was added. */
  total?: number;
}

export interface WaitOptions {
  /** Ends the wait with a CancelledError; the job goes on. */
  signal?: AbortSignal;
  /** Ends the wait with a TimeoutError after so many milliseconds; the job goes on. */
  timeout?: number;
}

export interface RunOptions extends Omit<JobOptions, "result">, WaitOptions {
  /** Called with the id if a job of this `id` existed: the result is that one's. */
  onExisted?: (jobId: string) => void;
}

/** Options of all jobs of a group, and of the wait for them. */
export interface GroupOptions extends Omit<JobOptions, "id" | "result">, WaitOptions {
  /** The jobs go on when the master that added them leaves or is lost; else they are given up. */
  keep?: boolean;
}

/** How a master chooses the workers of jobs. */
export interface ChooseOptions {
  /** How many milliseconds jobs wait for a choice, 10 to 3,600,000, 1,000 unless set; after that they go to the workers that hold the fewest. */
  within?: number;
  /** Tasks whose jobs are chosen for, `""` for jobs without one; all unless set. */
  tasks?: string | readonly string[] | null;
}
