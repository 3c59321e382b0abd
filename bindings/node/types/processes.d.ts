// Supervisors and their processes.

/** Options of a supervisor, for all its processes. Times are in milliseconds. */
export interface SupervisorOptions {
  /** Time between TERM and KILL: 0 to 3,600,000; 5,000 unless set. */
  grace?: number;
  /** The pause before a process that failed is started again; a number is a fixed one. */
  backoff?:
    | number
    | {
        /** How it grows; `"exponential"` unless set. */
        type?: "fixed" | "exponential";
        /** The first pause: 1 to 3,600,000; 100 unless set. */
        delay?: number;
        /** The longest, from `delay` to a day; 30,000 unless set. */
        max?: number;
        /** The share of each pause that is random, 0 to 1; 0.2 unless set. */
        jitter?: number;
      };
  /** After so long ready, pauses begin with the first again: 0 to a day; 60,000 unless set. */
  healthy?: number;
  /** A process that fails after so many respawns within `respawnWindow` is given up: at most 10,000, 0 for never; 10 unless set. */
  maxRespawns?: number;
  /** 1 to a day; 60,000 unless set. */
  respawnWindow?: number;
  /** Whether lines go to stdout and stderr of this process, headed by `[name pid]`; true unless set. */
  forward?: boolean;
  /** Whether lines are emitted as `line`; default false. */
  lines?: boolean;
  /** Bytes of lines kept until they are taken, 64 more for each: 65,536 to 2 ** 30; 2 ** 20 unless set. */
  lineBuffer?: number;
}

/** How a program is run. */
export interface ProgramOptions {
  /** Added to the environment of this process; what is undefined is left out. */
  env?: Readonly<Record<string, string | number | boolean | undefined>> | null;
  /** Working directory; that of this process unless set. */
  cwd?: string | null;
  /** CPUs it may run on, 0 to 1,023, such as `[0, 2]` or `"0,2-3"`; Linux only. */
  cpus?: number | readonly number[] | string | null;
  /** In events, lists and prefixes: 1 to 256 bytes; the command's file name unless set. */
  name?: string | null;
  /** How many of it run, each with an id of its own: 1 to 1,000; 1 unless set. */
  count?: number | null;
  /** Whether it is started again when it fails; true unless set. */
  respawn?: boolean | null;
  /** How it is known to be ready: once it was started, or when it says so by `ready()`; `"start"` unless set. */
  ready?: "start" | "explicit" | null;
  /** Milliseconds to say so, after which it is stopped and counts as failed: 1 to a day; 30,000 unless set. */
  readyTimeout?: number | null;
}

export interface ProcessId {
  /** Which it is; a process started in place of another has the same id. */
  id: number;
  /** The name of its program. */
  name: string;
}

export interface RunningProcess extends ProcessId {
  /** Its number in the system, which is that of its group too. */
  pid: number;
}

/** How a process ended, and what follows. */
export interface ProcessExit extends ProcessId {
  /** `null` if it could not be started. */
  pid: number | null;
  /** By itself with a code, by a signal, stopped because it was not ready in time, not started, or not known. */
  reason: "code" | "signal" | "not_ready" | "not_started" | "unknown";
  /** The exit code; 0 ends it for good, all others are failures. */
  code: number | null;
  /** The signal's name, or its number if it has none. */
  signal: NodeJS.Signals | number | null;
  /** All of this for people. */
  message: string;
  /** The pause in milliseconds after which another is started; `null` if none is for this reason. */
  respawn: number | null;
}

export interface ProcessLine extends RunningProcess {
  stream: "stdout" | "stderr";
  /** Without the newline, at most 64 KiB: a longer line comes in pieces, cut between characters if it is UTF-8. */
  line: Buffer;
}

/** A process as it is at one moment. */
export interface ProcessInfo extends ProcessId {
  /** `null` if there is none. */
  pid: number | null;
  /** There is none when it is `pausing` until the next start, or `gave_up`. */
  state: "starting" | "ready" | "stopping" | "pausing" | "gave_up";
  /** When it was started, or when it came to be without a process, in milliseconds since 1970. */
  startedAt: number;
  /** How often a process of this id was started because the one before had failed. */
  restarts: number;
}
