import type { Input, Job, JobHandler, JobOptions, Master, MasterOptions, Worker, WorkerOptions } from "../index.js";

/**
 * The URL of the Redis for the tests of this process: the value of SWARM_REDIS_URL, or a private server that the first call starts. The server
 * is the program named by SWARM_REDIS_SERVER, or `redis-server` or `valkey-server` of PATH; it listens on a Unix socket in a temporary directory, stores
 * nothing on disk, and ends when this process has ended, however that ends. Throws UnavailableError if there is no such program.
 */
export function privateRedis(): string;

/** Options of a cluster: those of every member that it makes, and its name. */
export interface TestClusterOptions extends MasterOptions {
  /** Default a random name. `advance` needs one that begins with `swarm-testing-`. */
  cluster?: string;
}

/** A new cluster with a random name, on the server of `privateRedis` unless the options have an address. */
export function cluster(options?: TestClusterOptions): TestCluster;

/** A cluster that no other test uses. Programs that take its name and its URL belong to it, too. */
export class TestCluster {
  constructor(options?: TestClusterOptions);
  /** Begins with `swarm-testing-` unless it was given. */
  readonly name: string;
  /** The URL of its Redis; undefined if its address was given in other options. */
  readonly url: string | undefined;
  /** A new master, which is registered. It is closed with the cluster. */
  master(options?: MasterOptions): Promise<Master>;
  /** A new worker, which is registered and runs these handlers as `process` does. It is terminated with the cluster. */
  worker<P = any, R = any>(handlers?: JobHandler<P, R> | { readonly [task: string]: JobHandler<P, R> }, options?: WorkerOptions): Promise<Worker<P, R>>;
  /**
   * Waits until nothing is left to do now: no job waits or is active, and nothing is due. Jobs that wait for a time do not count: delayed ones, those
   * of schedules, and those that only a limit blocks. Rejects with a TimeoutError after `timeout` milliseconds (5,000), whose message lists the jobs that
   * are left.
   */
  settled(options?: { timeout?: number }): Promise<void>;
  /**
   * Moves the cluster's clock ahead by milliseconds, up to 10 years, as if this time had passed: leases of members that are gone, delays, retries,
   * timeouts, limits, schedules, and the times for which results and failed jobs are kept. First each member is asked to renew its lease; one that does not
   * within a second counts as gone. Leases of the others move with the clock, so none is lost. Then the clock moves from each time at which something is
   * due to the next. At each it waits until the jobs that begin there have ended, at most a second, but not for jobs that were active before. Clocks
   * inside a program do not move.
   */
  advance(by: number): Promise<void>;
  /** Closes the members that it made, and removes the cluster from Redis. */
  close(): Promise<void>;
}

/** Options of a job for a handler: those with which a job is added, and more. */
export interface TestJobOptions extends JobOptions {
  /** The number of the attempt, from 1; 1. */
  attempt?: number;
  /** How many workers crashed while they ran it; 0. */
  crashes?: number;
  /** The checkpoint of an earlier execution. */
  lastCheckpoint?: unknown;
  /** What `job.inputs()` returns. */
  inputs?: Record<string, Input>;
}

/** How a job was finished by one of its methods. */
export interface TestFinish {
  name: "complete" | "fail" | "retry" | "rateLimited" | "failPermanently" | "release" | "stopped";
  /** The result of `complete`, the error text, or the name of the limit. */
  value?: any;
  /** Milliseconds until the next attempt or start. */
  after?: number;
}

/**
 * A job that no worker was assigned, to call a handler with it: `await handler(new TestJob({ user: 7 }, { attempt: 2 }).job)`. Nothing of it uses Redis. What a
 * handler returns or throws is not recorded here: the test has it.
 */
export class TestJob<P = any, R = any> {
  constructor(payload?: P, options?: TestJobOptions);
  /** The job for the handler. */
  readonly job: Job<P, R>;
  /** Each progress that the handler has stored. */
  readonly progress: readonly any[];
  /** Each checkpoint that the handler has stored. */
  readonly checkpoints: readonly any[];
  /** The lines of its log. */
  readonly log: readonly string[];
  /** How the handler has finished the job itself; undefined if it has not. */
  readonly finish: TestFinish | undefined;
  /** Asks the handler to stop, as a deletion does: `job.cancelled` is true, `job.signal` aborts, and listeners of `delete` are called. */
  cancel(): void;
}
