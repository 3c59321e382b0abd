/** The figures of a limit: a rate, a number of active jobs, or both. */
export interface LimitOptions {
  /** Jobs that start in each period, 1 to 1,000,000. */
  rate?: number | null;
  /** The period in milliseconds, 1 ms to a day; 1,000. */
  per?: number | null;
  /** Jobs that may start at once after a pause, 1 to 1,000,000; 1: starts are at least `per / rate` apart. In a period, at most `rate + burst - 1` start. */
  burst?: number | null;
  /** Jobs that are active at a time, 1 to 1,000,000. */
  concurrency?: number | null;
}

/** A limit at one moment. Without figures it allows everything. */
export interface LimitInfo {
  name: string;
  rate?: number;
  /** In milliseconds. */
  per?: number;
  burst?: number;
  concurrency?: number;
  /** The number of active jobs that have this limit. */
  active: number;
  /** The number of jobs that wait at this limit. A job that may start waits in its queue. */
  blocked: number;
  /** Milliseconds until the rate lets the next job start, also after `RateLimited`; 0 if one may start now. */
  nextIn: number;
}

/** A limit of a job: its name, or its name and how much of its rate the job takes, 1 to 1,000,000. */
export type JobLimit = string | { name: string; cost?: number };
