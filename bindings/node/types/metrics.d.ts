/** Options of `metricsHistory`. */
export interface MetricsHistoryOptions {
  /** The length of a slot: a minute (default; the last 24 hours are kept) or an hour (30 days). */
  resolution?: "minute" | "hour" | null;
  /** From the slot of this time on, in milliseconds since 1970; all that are kept. */
  start?: number | null;
  /** Until before this time; now. */
  end?: number | null;
  /** One task, `""` for jobs without one; all tasks. */
  task?: string | null;
}

/** Times by range. */
export interface Histogram {
  /** How many there are. */
  count: number;
  /** How many are in each of 28 ranges: up to 1 ms, each next one up to twice as long, the last without a bound. */
  buckets: number[];
  /** Percentiles in milliseconds, wrong by a factor of 2 at most; missing if there are no times. */
  p50?: number;
  p95?: number;
  p99?: number;
}

/** The counts of one task in one minute or hour. */
export interface MetricsRow {
  /** When it began, in milliseconds since 1970. */
  start: number;
  /** The task, `""` for jobs without one, `"other"` for tasks after the first 100. */
  task: string;
  /** Jobs that were completed. */
  completed: number;
  /** Jobs that failed permanently. */
  failed: number;
  /** Attempts that failed and were followed by another. */
  retried: number;
  /** Executions whose job waits again without a failed attempt. */
  released: number;
  /** Jobs that were deleted. */
  deleted: number;
  /** How long jobs waited before their first attempt. */
  wait: Histogram;
  /** How long handlers ran, each attempt by itself. */
  run: Histogram;
}
