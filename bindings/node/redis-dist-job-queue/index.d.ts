import { EventEmitter } from "node:events";

declare namespace JobQueue {
  interface Options {
    /** `namespace` and `queueId` together name the queue; default "redis-dist-job-queue.". */
    namespace?: string;
    /** Default "default". */
    queueId?: string;
    /** The address of Redis; default 127.0.0.1:6379, database 0. */
    redisConfig?: RedisConfig;
    /** How many child processes perform jobs; default 0: this process performs them. */
    childProcessCount?: number;
    /** How many jobs each process performs at once; default the number of processors. */
    workerCount?: number;
    /** Has no effect: the jobs of a dead process are requeued when its lease ends. */
    flushStaleTimeout?: number;
    /**
     * Whether a process that performs jobs leaves the queue before SIGINT or SIGTERM ends it, unless the program has its own listener for the
     * signal; default true. Jobs that are not over within 5 s, or half of their timeout, are performed by other processes, with all their retries.
     */
    handleSignals?: boolean;
  }

  /** Other options of node_redis are accepted and have no effect. */
  interface RedisConfig {
    host?: string;
    port?: number | string;
    /** Number of the database; default 0. */
    db?: number | string | null;
    /** ACL user; `user` in node_redis. */
    username?: string;
    user?: string;
    /** Password; `auth_pass` in node_redis. */
    password?: string;
    auth_pass?: string;
    /** Unix socket; `path` in node_redis. */
    socket?: string;
    path?: string;
    /** As the option `url` of `createMaster`; replaces host, port and db. */
    url?: string;
    sentinels?: string | string[];
    sentinelMaster?: string;
    sentinelUsername?: string;
    sentinelPassword?: string;
    nodes?: string | string[];
    /** TLS; the files below set which certificates are trusted besides the system's. */
    tls?: boolean | object;
    tlsCa?: string;
    tlsCert?: string;
    tlsKey?: string;
    /** How long a call waits for Redis, in milliseconds; default 5,000. */
    timeout?: number;
    /** What to do about a server that may evict keys; default "refuse". */
    eviction?: "refuse" | "warn";
    /** The limit of failed jobs that are kept, the newest ones; default 10,000. */
    failedMax?: number;
    /** How long they are kept, in milliseconds; default forever. */
    failedTtl?: number;
    [option: string]: unknown;
  }

  interface SubmitOptions {
    /** One job of a resource is performed at a time, in the order of submission. */
    resourceId?: unknown;
    /** The argument of `perform`, as JSON; default `null`. */
    params?: unknown;
    /** How often the job is performed again after it failed or its process died, at most 200; default 0. */
    retries?: number | string;
  }

  /** The exports of a task module. */
  interface Task<P = any> {
    id: string;
    /** Performs the task. The resource is locked until `callback` is called; an error fails the job, as a throw does. */
    perform(params: P, callback: (error?: unknown) => void): unknown;
    /** The milliseconds for which a process may be silent until its job counts as failed; default 10,000. */
    timeout?: number;
  }

  interface Job {
    type: string;
    resource: string;
    params: any;
    /** How many retries were left when the job was performed. */
    retries: number;
  }

  interface FailedJob extends Job {
    errorStack: string;
  }

  interface Events {
    /** `code` is set if the error is one of `assemblage`. */
    error: [error: Error & { code?: string }];
    jobSuccess: [job: Job];
    /** Also emitted for a job that will be retried: `job.retries` is then above 0. */
    jobFail: [job: FailedJob];
    /** A child process ended and another one took its place. */
    childRestart: [];
  }
}

/** A queue of jobs; performs none before `start`. */
declare class JobQueue extends EventEmitter {
  /** Connects at once. Throws an `InvalidArgumentError` for options that cannot be used. */
  constructor(options?: JobQueue.Options | null);

  readonly namespace: string;
  readonly queueId: string;
  /** The name of the queue's cluster, with which `createMaster` finds the jobs, too. */
  readonly cluster: string;
  readonly redisConfig: JobQueue.RedisConfig;
  readonly childProcessCount: number;
  readonly workerCount: number;
  readonly flushStaleTimeout: number;
  readonly handleSignals: boolean;
  readonly shuttingDown: boolean;

  /** Registers a task module, relative to the calling file: as a path or as `require` does. Call it before `start`. Throws `Cannot find module`. */
  registerTask(modulePath: string): void;
  /** Starts to perform jobs of the registered tasks. */
  start(): void;
  /** `start`, in this process. */
  startWorkers(): void;
  /** `start`, in child processes. */
  startChildProcesses(): void;
  /** The options and tasks for a child process, as JSON. */
  serializeOptions(): string;

  /** Adds a job; `callback` is called when Redis has stored it. Without a callback, a failure is an `error` event. */
  submitJob(taskId: string, callback?: (error: Error | null) => void): void;
  submitJob(taskId: string, options: JobQueue.SubmitOptions | null | undefined, callback?: (error: Error | null) => void): void;

  /** Accepts no more jobs and waits for those in progress. The queue cannot be used again. */
  shutdown(callback?: () => void): void;
  /** Performs all failed jobs again. */
  retryFailedJobs(callback?: (error: Error | null, count?: number) => void): void;
  /** Deletes the records of all failed jobs. */
  deleteFailedJobs(callback?: (error: Error | null, count?: number) => void): void;
  /** Not needed: jobs of dead processes are requeued without it. Only checks that Redis answers. */
  forceFlushStaleJobs(callback?: (error: Error | null) => void): void;
  flushStaleJobs(callback?: (error: Error | null) => void): void;

  on<Name extends keyof JobQueue.Events>(event: Name, listener: (this: this, ...args: JobQueue.Events[Name]) => void): this;
  once<Name extends keyof JobQueue.Events>(event: Name, listener: (this: this, ...args: JobQueue.Events[Name]) => void): this;
  off<Name extends keyof JobQueue.Events>(event: Name, listener: (this: this, ...args: JobQueue.Events[Name]) => void): this;
  addListener<Name extends keyof JobQueue.Events>(event: Name, listener: (this: this, ...args: JobQueue.Events[Name]) => void): this;
  removeListener<Name extends keyof JobQueue.Events>(event: Name, listener: (this: this, ...args: JobQueue.Events[Name]) => void): this;
}

export = JobQueue;
