/**
 * What became of a job:
 *
 * - `added`: it was added, and waits
 * - `replaced`: an add with its unique key replaced it: it has other data, and waits
 * - `delayed`: until `dueAt`
 * - `blocked`: it waits for what `reason` and `name` state
 * - `waiting`: its delay is over, or what blocked it is free: it waits for a worker
 * - `assigned`: to a worker
 * - `progress`: its worker reported progress
 * - `released`: it left its worker and waits again, without a failed attempt
 * - `retrying`: an attempt failed, or the job timed out, and it is retried, at `dueAt` if that is set; without a reason: it had failed, and is retried on request
 * - `completed`
 * - `failed`: permanently
 * - `deleted`: in any state; a worker that runs it stops
 * - `schedule_fired`: the schedule `name` adds the job; `added` follows
 * - `missed`: events before this one are missing: they are not kept any more, were not recorded, or Redis lost data. It has no job. After a loss of data,
 *   events that are kept may come again.
 */
export type JobEventKind =
  | "added"
  | "replaced"
  | "delayed"
  | "blocked"
  | "waiting"
  | "assigned"
  | "progress"
  | "released"
  | "retrying"
  | "completed"
  | "failed"
  | "deleted"
  | "schedule_fired"
  | "missed";

/** A transition of a job. Times are those of Redis' clock, in milliseconds since 1970. */
export interface JobEvent {
  /** Where it is in the stream: the option `after` of a follower that continues behind it. */
  position: string;
  kind: JobEventKind;
  /** When it happened. */
  time: number;
  /** The job's id; `""` for `missed`. */
  id: string;
  /** The job's task, or `""` if it has none. `completed`, `progress`, `released` and `blocked` may lack it. */
  task: string;
  /** The incarnation of the worker that runs it, or ran it until now; or `""`. */
  worker: string;
  /** The fencing token of that execution; 0 if there is none. */
  fence: number;
  /**
   * `failed`, `retrying`: the reason, as in `JobInfo`. `released`: `""` if the worker released it or left, `"crashed"` or `"limited"`. `blocked`: `"limit"`,
   * `"resource"`, `"unique"` or `"jobs"`.
   */
  reason: string;
  /** `failed`, `retrying`: the error, at most 256 bytes. `progress`: the progress as JSON, or `""` if it is longer. */
  text: string;
  /** `delayed`, `retrying`: when the job is due. */
  dueAt?: number;
  /** `schedule_fired`: the id of the schedule. `blocked`: the name of the limit, the resource or the unique key. */
  name: string;
}

/** Where a follower of events begins. */
export interface EventsOptions {
  /** Default: with what happens from now on. `"0"`: with all that is kept. Else behind the event with this `position`. */
  after?: string | null;
}

/** The transitions of all jobs, in order. `break` and `return()` stop the following; it ends when the master is closed. */
export interface JobEventIterator extends AsyncIterableIterator<JobEvent> {
  /** Resolves when transitions are recorded. Rejects with the error that prevents it. */
  ready(): Promise<void>;
}
