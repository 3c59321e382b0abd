import type { JobOptions } from "./options.js";

/** Options of a flow, and of all its jobs. */
export interface FlowOptions extends Omit<JobOptions, "id" | "ephemeral"> {
  /**
   * The id of the flow, 1 to 200 bytes; default random. While a flow with this id exists, and for an hour after its last job has ended, adding it
   * again changes nothing.
   */
  id?: string | null;
  /** Whether a failure of one job deletes those of the flow that have not ended; default false. */
  cancelRest?: boolean;
}

/** The result of `addFlow`. */
export interface AddedFlow {
  /** The flow's id. */
  id: string;
  /** Whether a flow with this id existed; then nothing was changed. */
  existed: boolean;
  /** Its jobs, in order. Those that existed were left unchanged, and the others wait for them. */
  jobs: { id: string; existed: boolean }[];
}

/** A flow at one moment. */
export interface FlowInfo {
  id: string;
  cancelRest: boolean;
  /** Its jobs, by their ids; `after` has the ids of those that a job waits for, or waited for. */
  jobs: { id: string; state: "waiting" | "delayed" | "blocked" | "active" | "completed" | "failed" | "deleted"; after: string[] }[];
}

/**
 * How a job ended that another one waited for. `result` is missing if it is not known: the job was assigned before another one waited for it, without
 * the option `result`.
 */
export type Input<R = any> =
  | { state: "completed"; result?: R }
  | { state: "failed"; reason: string; error: string }
  | { state: "deleted" };
