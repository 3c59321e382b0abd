import type { LimitInfo } from "./limits.js";

// States and counts: of a member, of the cluster, and of its jobs and members.

/** The state of a member as it is known locally. */
export interface Health {
  /** Connected, registered, and the last renewal was answered in time. */
  healthy: boolean;
  connected: boolean;
  /** The current incarnation; empty before the first registration. */
  incarnation: string;
  /** Milliseconds for which the member may process its active jobs without another renewal. */
  leaseLeft: number;
  /** Active jobs. */
  active: number;
  /** Jobs or finishes not yet acknowledged by Redis. */
  pending: number;
  /** The name of the kind of the last background error; empty if it has gone away. */
  error: string;
  errorMessage: string;
  /** The number of registrations: one at the start, and one after each lost lease. */
  registrations: number;
  /** Jobs that this member added and Redis has stored. */
  added: number;
  /** Jobs that the program has taken (worker). */
  assigned: number;
  /** Finishes that Redis has accepted: jobs completed, failed, retried, released or stopped (worker). */
  finished: number;
  /** Messages that Redis has put into inboxes. */
  sent: number;
  /** Messages that the program has taken. */
  received: number;
  /** Messages for this member that were dropped, as far as the member was notified. */
  dropped: number;
  /** Jobs whose handlers were asked to stop and did not within `stopGrace`; each keeps a slot until its handler settles (worker). */
  stuck: number;
}

/** Counts of a cluster. */
export interface Stats {
  waiting: number;
  active: number;
  deleting: number;
  /** Delayed jobs that are not due yet. */
  delayed: number;
  /** Jobs that wait at a limit, for their resource or for other jobs. */
  blocked: number;
  /** Failed jobs that are kept. */
  failed: number;
  results: number;
  members: number;
  added: number;
  completed: number;
  failures: number;
  deleted: number;
  crashes: number;
  /** Attempts that failed and were followed by another. */
  retries: number;
  /** Failed jobs that were requeued by `retryFailed`. */
  revived: number;
  /** Records and keys that did not have the format of libswarm, and were removed, replaced or repaired. */
  damaged: number;
  /** Completed jobs that are kept. */
  kept: number;
}

/** The state of a job: `blocked` waits at a limit, for its resource or other jobs, `deleting` until its worker has stopped. */
export type JobState = "waiting" | "delayed" | "blocked" | "active" | "deleting" | "failed" | "completed";

/** A job at one moment. Times are in milliseconds since 1970, on Redis' clock. */
export interface JobInfo<P = any> {
  id: string;
  state: JobState;
  /** The payload: a value parsed from JSON, or a Buffer if it was added as bytes. */
  payload: P;
  priority: number;
  /** Its task, or `""`. */
  task: string;
  /** Its resource, or `""`. */
  resource: string;
  /** Its group, or `""`. */
  group: string;
  /** The names of its limits. */
  limits: string[];
  headers: Record<string, string>;
  /** The number of the attempt that runs or comes next, from 1; of a completed job the number of its attempts. */
  attempt: number;
  /** The total number of retries that the job may have. */
  retries: number;
  /** How many workers crashed in a row while they ran it. */
  crashes: number;
  /** The incarnation of the worker that runs it or completed it, or `""`. */
  holder: string;
  /** The fencing token of the execution, or 0. */
  fence: number;
  /** When it was assigned to that worker. */
  assignedAt?: number;
  /** When a delayed job is due. */
  dueAt?: number;
  /** The last value of `job.progress`. */
  progress?: any;
  /** The last value of `job.checkpoint`. */
  checkpoint?: any;
  /** Why it failed: `failed`, `poison`, `corrupt`, `undecodable`, `assign_timeout`, `run_timeout`, `total_timeout` or `dependency_failed`. */
  reason?: string;
  /** The error text of a failed job. */
  error?: string;
  /** The traceback of a failed job, in the form of the handler's language. */
  traceback?: string;
  /** When it failed. */
  failedAt?: number;
  /** When a completed job was completed. */
  completedAt?: number;
  /** The result of a completed job: a value parsed from JSON, or a Buffer. */
  result?: any;
  /** True if the result of a completed job is not kept: it has more than 64 KiB, or its worker did not know yet that the cluster keeps completed jobs. */
  resultOmitted?: boolean;
  /**
   * True if the payload is encrypted or compressed and this member cannot decode it: `payload` is a Buffer of what is stored. Progress, checkpoint
   * and result that cannot be decoded are left out; an error, a traceback and a line of the log are replaced by the reason in parentheses.
   */
  payloadEncoded?: boolean;
  /** The lines that its handlers wrote with `job.log`, the newest 100. Pages of jobs leave them out. */
  log: LogLine[];
  /**
   * The attempts that failed, the last one of a failed job included: of the newest 100 lines and attempts together. A crash is there if its worker had at
   * most 100 jobs. Pages of jobs leave them out.
   */
  failedAttempts: FailedAttempt[];
}

/** An attempt of a job that failed, and after which the job continued or failed. */
export interface FailedAttempt {
  /** The fencing token of the execution. */
  fence: number;
  /** The incarnation of the worker that ran it. */
  holder: string;
  /** `failed` by its handler, `run_timeout`, `crashed` with its worker, or the reason of the failed job. */
  reason: string;
  /** The error text, at most 1 KiB. */
  error: string;
  /** When it was assigned, in milliseconds since 1970 on Redis' clock. */
  assignedAt: number;
  /** When it failed. */
  failedAt: number;
}

/** A line of the log of a job. */
export interface LogLine {
  /** When it was written, in milliseconds since 1970 on Redis' clock. */
  time: number;
  /** The text, at most 1 KiB. */
  text: string;
}

/** A page of jobs. */
export interface JobPage {
  /** Pages of active jobs may be slightly shorter or longer than requested. */
  jobs: JobInfo[];
  /** The position of the next page, `null` at the end. Jobs that change their state or position meanwhile may be missed or returned twice. */
  next: string | null;
}

/** The number of waiting jobs of a priority and task. */
export interface QueueCount {
  priority: number;
  /** The task, or `""`. */
  task: string;
  /** In a queue of more than 4,096, deleted jobs count until their turn comes. */
  waiting: number;
  /** Groups that have waiting jobs. */
  groups: number;
}

export interface Queues {
  /** Queues that are not empty, highest priority first. */
  queues: QueueCount[];
  /** Limits that have figures or at which jobs wait, by name. */
  limits: LimitInfo[];
  /** Tasks that are paused; `*` stands for all. */
  paused: string[];
  /** The incarnation of the master that chooses workers, or `""`. */
  chooser: string;
}

/** A worker to which the job can be assigned. */
export interface Candidate {
  /** Its incarnation. */
  incarnation: string;
  name: string;
  group: string;
  /** The host name of its machine. */
  host: string;
  /** Its process id. */
  pid: number;
  /** Tasks it accepts, `""` for jobs without one. */
  tasks: string[];
  /** The number of its active jobs, including those that were just chosen for it. */
  active: number;
  /** How many more such jobs can be assigned to it, at least 1. */
  room: number;
}

/** A member as it is registered in Redis. */
export interface MemberInfo {
  /** Its incarnation. */
  incarnation: string;
  role: "master" | "worker";
  name: string;
  group: string;
  /** The host name of its machine. */
  host: string;
  /** Its process id. */
  pid: number;
  /** The language of its program. */
  language: string;
  /** The version of libswarm. */
  version: string;
  /** The slots that a worker has now, 0 if unlimited. */
  slots: number;
  /** Whether it is paused: it is assigned no jobs. */
  paused: boolean;
  /** Tasks it accepts. */
  tasks: string[];
  /** The number of its active jobs. */
  active: number;
  /** The number of its free slots. */
  free: number;
  /** When it registered, in milliseconds since 1970. */
  joinedAt: number;
  /** Milliseconds until its lease ends. */
  leaseLeft: number;
  /** The value of its `setData`, if it was set. */
  data?: any;
  /** Messages for it that were dropped, because it did not read its inbox. */
  dropped: number;
}
