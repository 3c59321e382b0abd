import { EventEmitter } from "node:events";

declare namespace JobQueue {
  interface Options {
    /** The queue is named by `namespace` and `queueId` together; "redis-dist-job-queue." unless set. */
    namespace?: string;
    /** "default" unless set. */
    queueId?: string;
    /** Where Redis is: 127.0.0.1:6379, database 0, unless set. */
    redisConfig?: RedisConfig;
    /** How many child processes perform jobs; 0 unless set: this process does. */
    childProcessCount?: number;
    /** How many jobs each process performs at once; the number of processors unless set. */
    workerCount?: number;
    /** Without effect: the jobs of a dead process are found when its lease ends. */
    flushStaleTimeout?: number;
    /**
     * Whether a process that performs jobs leaves the queue before SIGINT or SIGTERM ends it, unless it listens to the signal itself; true unless set. Jobs
     * that are not over within 5 s, or half of their timeout, are performed by other processes, with all their retries.
     */
    handleSignals?: boolean;
  }

  /** Other options of node_redis may be there and are without effect. */
  interface RedisConfig {
    host?: string;
    port?: number | string;
    /** Number of the database; without one, 0. */
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
    /** As the option `url` of `createMaster`, in place of host, port and db. */
    url?: string;
    sentinels?: string | string[];
    sentinelMaster?: string;
    sentinelUsername?: string;
    sentinelPassword?: string;
    nodes?: string | string[];
    /** TLS; which certificates are trusted besides the system's is said by the files below. */
    tls?: boolean | object;
    tlsCa?: string;
    tlsCert?: string;
    tlsKey?: string;
    /** How long a call waits for Redis, in milliseconds; 5,000 unless set. */
    timeout?: number;
    /** What to do about a server that may evict keys; "refuse" unless set. */
    eviction?: "refuse" | "warn";
    /** Failed jobs that are kept at most, the newest; 10,000 unless set. */
    failedMax?: number;
    /** How long they are kept, in milliseconds; for ever unless set. */
    failedTtl?: number;
    [option: string]: unknown;
  }

  interface SubmitOptions {
    /** One job of a resource is performed at a time, in the order of submission. */
    resourceId?: unknown;
    /** What `perform` is given, as JSON; `null` unless set. */
    params?: unknown;
    /** How often the job is performed again after it failed or its process died, at most 200; 0 unless set. */
    retries?: number | string;
  }

  /** What a task module exports. */
  interface Task<P = any> {
    id: string;
    /** Performs the task. The resource is locked until `callback` is called; an error fails the job, as a throw does. */
    perform(params: P, callback: (error?: unknown) => void): unknown;
    /** After how many milliseconds of silence of its process a job is taken for failed; 10,000 unless set. */
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
    /** `code` is there if the error is one of `assemblage`. */
    error: [error: Error & { code?: string }];
    jobSuccess: [job: Job];
    /** Also for a job that will be retried: then `job.retries` is above 0. */
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
  /** The name of the queue's cluster, by which `createMaster` finds the jobs too. */
  readonly cluster: string;
  readonly redisConfig: JobQueue.RedisConfig;
  readonly childProcessCount: number;
  readonly workerCount: number;
  readonly flushStaleTimeout: number;
  readonly handleSignals: boolean;
  readonly shuttingDown: boolean;

  /**
   * Names a task module, from the calling file: as a path or as `require` does. To be called before `start`. Throws
   * `Cannot find module`.
   */
  registerTask(modulePath: string): void;
  /** Begins to perform jobs of the tasks registered. */
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

  /** Takes no more jobs and waits for those in progress. The queue cannot be used again. */
  shutdown(callback?: () => void): void;
  /** Performs all failed jobs again. */
  retryFailedJobs(callback?: (error: Error | null, count?: number) => void): void;
  /** Forgets all failed jobs. */
  deleteFailedJobs(callback?: (error: Error | null, count?: number) => void): void;
  /** Jobs of dead processes are found without it: asks Redis for an answer. */
  forceFlushStaleJobs(callback?: (error: Error | null) => void): void;
  flushStaleJobs(callback?: (error: Error | null) => void): void;

  on<Name extends keyof JobQueue.Events>(event: Name, listener: (this: this, ...args: JobQueue.Events[Name]) => void): this;
  once<Name extends keyof JobQueue.Events>(event: Name, listener: (this: this, ...args: JobQueue.Events[Name]) => void): this;
  off<Name extends keyof JobQueue.Events>(event: Name, listener: (this: this, ...args: JobQueue.Events[Name]) => void): this;
  addListener<Name extends keyof JobQueue.Events>(event: Name, listener: (this: this, ...args: JobQueue.Events[Name]) => void): this;
  removeListener<Name extends keyof JobQueue.Events>(event: Name, listener: (this: this, ...args: JobQueue.Events[Name]) => void): this;
}

export = JobQueue;
