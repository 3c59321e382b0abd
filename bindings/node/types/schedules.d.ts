/** When a schedule adds jobs, and how. One of `cron`, `every` and `afterEnd` is set. Times are in milliseconds. */
export interface ScheduleOptions {
  /** 5 fields, or 6 with seconds first; also `@daily` and the like, `L`, `W` and `#`. */
  cron?: string | null;
  /** An interval of 100 ms to a year, counted from `start` or the creation. */
  every?: number | null;
  /** The pause between the end of a job and the next one, 100 ms to a year; without `start`, `end` and `jitter`. */
  afterEnd?: number | null;
  /** The IANA time zone of `cron`; `"UTC"`. */
  tz?: string | null;
  /** No slot is before `start` or after `end`: a Date, or milliseconds since 1970. */
  start?: Date | number | null;
  end?: Date | number | null;
  /** The number of jobs of slots after which it ends. */
  limit?: number | null;
  /** The job of a slot is delayed by up to so much, at random; at most a day. */
  jitter?: number | null;
  /** What happens when the job before has not ended: its slot is skipped (default); both run; one job waits; the one before is deleted. */
  overlap?: "skip" | "allow" | "queue_one" | "replace" | null;
  /** Which slots that passed while nothing ran do run: the last (default); none over 60 s late; all, at most the newest 100. */
  catchUp?: "last" | "none" | "all" | null;
}

/** A schedule. Times of day are in milliseconds since 1970, on Redis' clock. */
export interface ScheduleInfo {
  id: string;
  cron?: string;
  every?: number;
  afterEnd?: number;
  tz: string;
  start?: number;
  end?: number;
  limit?: number;
  jitter: number;
  overlap: "skip" | "allow" | "queue_one" | "replace";
  catchUp: "last" | "none" | "all";
  /** The task of its jobs, or `""`. */
  task: string;
  priority: number;
  /** The next slot. */
  nextAt?: number;
  /** The last slot that has come, whether its job was added or skipped. */
  lastAt?: number;
  /** The id of the last job, also of `runSchedule`, or `""`. */
  lastJob: string;
  paused: boolean;
  /** Whether no slot follows; with `afterEnd` only once its limit is reached. */
  ended: boolean;
  /** The number of jobs that its slots have added. */
  added: number;
  /** Slots that were skipped because the job before had not ended. */
  skipped: number;
}

/** A page of schedules, by their ids. */
export interface SchedulePage {
  /** May be fewer than requested, 200 at most. */
  schedules: ScheduleInfo[];
  /** The position of the next page; `null` at the end. */
  next: string | null;
}
