// Types of tasks: a map of their names to the types of their payloads and results.

import type { JobHandler } from "../index.js";

/** The types of one task. */
export interface TaskTypes {
  /** What is added, as the handler reads it. */
  payload?: unknown;
  /** What the handler returns. */
  result?: unknown;
}

type IsAny<T> = 0 extends 1 & T ? true : false;

/** The names of the tasks of a map. */
export type TaskName<T> = IsAny<T> extends true ? string : Extract<keyof T, string>;

/** The payload of a task. */
export type PayloadOf<T, K> = IsAny<T> extends true ? unknown : K extends keyof T ? (T[K] extends { payload: infer P } ? P : unknown) : unknown;

/** The result of a task. */
export type ResultOf<T, K> = IsAny<T> extends true ? unknown : K extends keyof T ? (T[K] extends { result: infer R } ? R : unknown) : unknown;

/** Options of a call whose payload has no type: with a map of tasks, that of a job without a task. */
export type Untyped<T, O extends { task?: string }> = IsAny<T> extends true ? O : Omit<O, "task"> & { task?: "" };

/** The handlers of a worker for the tasks of a map: `worker.process(handlers)`. */
export type TaskHandlers<T> = { readonly [K in TaskName<T>]: JobHandler<PayloadOf<T, K>, ResultOf<T, K>> };
