// What members say of themselves, and the cluster of its jobs and members.

/** A member's own view; costs nothing to ask. */
export interface Health {
  /** Connected, registered, and the last renewal was answered in time. */
  healthy: boolean;
  connected: boolean;
  /** The identity in Redis, empty before the first registration. */
  incarnation: string;
  /** Milliseconds in which the member may still act as the holder of its jobs. */
  leaseLeft: number;
  /** Active jobs. */
  active: number;
  /** Jobs or finishes not yet acknowledged by Redis. */
  pending: number;
  /** Name of the kind of the last background error, empty if it has healed. */
  error: string;
  errorMessage: string;
  /** Registrations since the start: one, and one more for each lease that was lost. */
  registrations: number;
  /** Jobs that Redis has stored for it (a master). */
  added: number;
  /** Jobs that its program has taken (a worker). */
  assigned: number;
  /** Ends of jobs that Redis has accepted: completed, failed, retried, released or stopped (a worker). */
  finished: number;
  /** Messages that Redis has put into inboxes. */
  sent: number;
  /** Messages that its program has taken. */
  received: number;
  /** Messages for it that were dropped, as it has learnt. */
  dropped: number;
  /** Jobs whose handlers were asked to stop and did not within `stopGrace`; each keeps a slot until its handler settles (a worker). */
  stuck: number;
}

/** Counts of a cluster. */
export interface Stats {
  waiting: number;
  active: number;
  deleting: number;
  /** Jobs whose time has not come. */
  delayed: number;
  /** Jobs that wait for their resource or for a similar job. */
  blocked: number;
  /** Failed jobs kept. */
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
  /** Failed jobs that were run again by `retryFailed`. */
  revived: number;
  /** Things in Redis that were not as libswarm writes them, and were set aside, replaced or mended. */
  damaged: number;
}

/** Where a job is: `blocked` is for its resource or a similar job, `deleting` until its worker has stopped. */
export type JobState = "waiting" | "delayed" | "blocked" | "active" | "deleting" | "failed";

/** A job as it is at one moment. Times are in milliseconds since 1970, on Redis' clock. */
export interface JobInfo<P = any> {
  id: string;
  state: JobState;
  /** What the adder gave: a value read from JSON, or a Buffer if it gave bytes. */
  payload: P;
  priority: number;
  /** Its task, or `""`. */
  task: string;
  /** Its resource, or `""`. */
  resource: string;
  headers: Record<string, string>;
  /** Which attempt is running or comes next, from 1. */
  attempt: number;
  /** How many attempts may follow a failed one in all. */
  retries: number;
  /** How many workers died in a row while they ran it. */
  crashes: number;
  /** The incarnation that holds it, or `""`. */
  holder: string;
  /** Of the execution, or 0. */
  fence: number;
  /** When it was given to its holder. */
  assignedAt?: number;
  /** When a delayed job is due. */
  dueAt?: number;
  /** What its handler reported by `job.progress`. */
  progress?: any;
  /** Why it failed: `failed`, `poison`, `corrupt`, `assign_timeout`, `run_timeout` or `total_timeout`. */
  reason?: string;
  /** The error text of a failed job. */
  error?: string;
  /** Where a failed job failed, as its handler's language shows it. */
  traceback?: string;
  /** When it failed. */
  failedAt?: number;
}

/** Some of many jobs. */
export interface JobPage {
  /** Pages of active jobs may be a little shorter or longer than asked for. */
  jobs: JobInfo[];
  /** Where the next page begins, `null` at the end. Jobs that change their place meanwhile may be missed or come twice. */
  next: string | null;
}

export interface Queues {
  /** Queues that are not empty, highest priority first. */
  queues: { priority: number; task: string; waiting: number }[];
  /** Tasks that are paused; `*` stands for all. */
  paused: string[];
  /** The incarnation of the master that chooses the workers of jobs, or `""`. */
  chooser: string;
}

/** A worker that can be given a job. */
export interface Candidate {
  /** Its identity. */
  incarnation: string;
  name: string;
  group: string;
  /** The machine it runs on. */
  host: string;
  /** Its process there. */
  pid: number;
  /** Tasks it takes, `""` for jobs without one. */
  tasks: string[];
  /** Jobs it holds, with those chosen for it just now. */
  active: number;
  /** How many such jobs it can still be given, at least 1. */
  room: number;
}

/** A member as Redis knows it. */
export interface MemberInfo {
  /** Its identity. */
  incarnation: string;
  role: "master" | "worker";
  name: string;
  group: string;
  /** The machine it runs on. */
  host: string;
  /** Its process there. */
  pid: number;
  /** The language of its program. */
  language: string;
  /** The version of libswarm. */
  version: string;
  /** The option `slots`, 0 if unlimited. */
  slots: number;
  /** Tasks it takes. */
  tasks: string[];
  /** Jobs it holds. */
  active: number;
  /** Jobs it can still be given at once. */
  free: number;
  /** When it registered, in milliseconds since 1970. */
  joinedAt: number;
  /** Milliseconds until its lease ends. */
  leaseLeft: number;
  /** What it says of itself by `setData`, if it does. */
  data?: any;
  /** Messages for it that were dropped, because it did not read its inbox. */
  dropped: number;
}
