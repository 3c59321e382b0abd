// Supervisors and their processes.

/** Options of a supervisor, for all its processes. Times are in milliseconds. */
export interface SupervisorOptions {
  /** The time between TERM and KILL: 0 to 3,600,000; default 5,000. */
  grace?: number;
  /** The pause before a process that failed is restarted; a number is a fixed pause. */
  backoff?:
    | number
    | {
        /** How the pause grows; default `"exponential"`. */
        type?: "fixed" | "exponential";
        /** The first pause: 1 to 3,600,000; default 100. */
        delay?: number;
        /** The longest pause, from `delay` to a day; default 30,000. */
        max?: number;
        /** The share of each pause that is random, 0 to 1; default 0.2. */
        jitter?: number;
      };
  /** The pauses restart from the first after a process was ready for this time: 0 to a day; default 60,000. */
  healthy?: number;
  /**
   * After this many respawns within `respawnWindow`, a process that fails again is not restarted any more: at most 10,000, 0 for no limit; default
   * 10.
   */
  maxRespawns?: number;
  /** The time window of `maxRespawns`: 1 to a day; default 60,000. */
  respawnWindow?: number;
  /** Whether lines are written to stdout and stderr of this process, with the prefix `[name pid]`; default true. */
  forward?: boolean;
  /** Whether lines are emitted as `line`; default false. */
  lines?: boolean;
  /** The limit of bytes of lines that are not taken yet, 64 more for each line: 65,536 to 2 ** 30; default 2 ** 20. */
  lineBuffer?: number;
}

/** How to run a program. */
export interface ProgramOptions {
  /** Added to the environment of this process; undefined values are ignored. */
  env?: Readonly<Record<string, string | number | boolean | undefined>> | null;
  /** Working directory; default that of this process. */
  cwd?: string | null;
  /** CPUs it may run on, 0 to 1,023, such as `[0, 2]` or `"0,2-3"`; Linux only. */
  cpus?: number | readonly number[] | string | null;
  /** The name in events, lists and prefixes: 1 to 256 bytes; default the command's file name. */
  name?: string | null;
  /** The number of processes, each with its own id: 1 to 1,000; default 1. */
  count?: number | null;
  /** Whether it is restarted when it fails; default true. */
  respawn?: boolean | null;
  /** When it counts as ready: when it was started, or when it calls `ready()`; default `"start"`. */
  ready?: "start" | "explicit" | null;
  /** Milliseconds in which it must call `ready()`. After it, the process is stopped and counts as failed: 1 to a day; default 30,000. */
  readyTimeout?: number | null;
}

export interface ProcessId {
  /** The id in the supervisor. A process that replaces another has the same id. */
  id: number;
  /** The name of its program. */
  name: string;
}

export interface RunningProcess extends ProcessId {
  /** The process id, which is also that of its group. */
  pid: number;
}

/** How a process exited, and what follows. */
export interface ProcessExit extends ProcessId {
  /** `null` if it could not be started. */
  pid: number | null;
  /** With a code; by a signal; stopped because it was not ready in time; not started; unknown. */
  reason: "code" | "signal" | "not_ready" | "not_started" | "unknown";
  /** The exit code. With 0 it is not restarted; all other codes are failures. */
  code: number | null;
  /** The signal's name, or its number if it has none. */
  signal: NodeJS.Signals | number | null;
  /** The same as text for people. */
  message: string;
  /** The pause in milliseconds after which another process is started for this reason; `null` if none is. */
  respawn: number | null;
}

export interface ProcessLine extends RunningProcess {
  stream: "stdout" | "stderr";
  /** The line without its newline, at most 64 KiB. Longer lines are split, between characters if they are UTF-8. */
  line: Buffer;
}

/** A process at one moment. */
export interface ProcessInfo extends ProcessId {
  /** `null` if there is no process. */
  pid: number | null;
  /** There is no process when it is `pausing` until the next start, or `gave_up`. */
  state: "starting" | "ready" | "stopping" | "pausing" | "gave_up";
  /** When it was started, or since when there is no process, in milliseconds since 1970. */
  startedAt: number;
  /** How often a process of this id was started because the one before had failed. */
  restarts: number;
}
