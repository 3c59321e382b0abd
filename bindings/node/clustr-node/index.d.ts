import { EventEmitter } from "node:events";
import type { MemberOptions } from "../types/options.js";

/** How processes find each other, and their logger. Times are in milliseconds. */
export interface Options {
  /** Called by `log`; default console.log. */
  logger?: (message: any) => void;
  /** A client of node_redis, redis or ioredis: its address is read; the client is not used. */
  publisher?: object;
  /** Used if there is no `publisher`. */
  subscriber?: object;
  /** The pause before a registration, and between two workers of a reload; default 500. */
  reloadDelay?: number;
  /** Any other address of Redis: a url, or options of a member. Takes precedence over the clients, which take precedence over SWARM_REDIS_URL. */
  redis?: string | MemberOptions;
  /** Separates clusters on one Redis; spawned processes use that of their spawner. */
  cluster?: string;
  /** How long a process may be silent until it counts as gone, 1,000 to 86,400,000; default 15,000. */
  lease?: number;
  /** How long an `onKill` handler may take, and how long spawned processes have to exit before they are killed; default 5,000. */
  grace?: number;
  /**
   * Whether it leaves, and stops its spawned processes, before SIGINT or SIGTERM ends the process, unless the program has its own listener for the
   * signal; default true.
   */
  handleSignals?: boolean;
}

export interface WorkerOptions extends Options {
  group: string;
  [option: string]: unknown;
}

export interface Message<T = any> {
  meta: { pid: number; group: string };
  data: T;
}

export interface WorkerFile {
  /** Resolved against the directory of the main script. */
  file: string;
  /** The program that runs the file; default that of this process. */
  command?: string;
  /** CPUs it may run on, such as 1 or "0,2-3"; Linux only. */
  cpu?: number | string | null;
  /** Whether it is restarted when it fails; default true. */
  respawn?: boolean;
  /** Options of its command line; those that begin with `cluster-` are also passed to the processes that it spawns. */
  args?: Readonly<Record<string, unknown>>;
}

export type Stats = Record<
  | "emitPublic" | "emitPrivate" | "emitGroup" | "emitKill" | "emitConfirmation" | "onMessage" | "onPublic" | "onGroup" | "onPrivate"
  | "spawnChildProcess" | "respawnChildProcess" | "receivedConfirmations" | "successfulConfirmations",
  number
>;

declare class Part extends EventEmitter {
  readonly config: Record<string, any>;
  readonly stats: Stats;
  readonly pid: number;

  onPublic(callback: (message: Message) => void): void;
  onPrivate(callback: (message: Message) => void): void;
  onGroup(callback: (message: Message) => void): void;
  /** The process exits when `done` is called. Only the last handler is used. */
  onKill(callback: (done: () => void) => void): void;
  /** Called with the messages each time `count` members have confirmed the identifier. */
  onConfirmation(count: number, identifier: string, callback: (messages: Message<string>[]) => void): void;
  emitPublic(data?: unknown): void;
  emitPrivate(pid: number | string, data?: unknown): void;
  emitGroup(group: string, data?: unknown): void;
  emitKill(pid: number | string, code?: number): void;
  emitConfirmation(identifier: string): void;
  spawn(list: readonly WorkerFile[]): void;
  /** Stops the processes that were spawned here, then exits this process; default code 1. */
  close(code?: number): void;
  log(message: any): void;
  setLogger(logger: (message: any) => void): void;
}

export class Master extends Part {
  constructor(config?: Options);
  static create(this: void, config?: Options): Master;
  /** Pids of registered workers by group. */
  readonly clusterInfo: Record<string, number[]>;
  onClusterStarted(callback: (workerCount: number) => void): void;
  onClusterReloaded(callback: (workerCount: number) => void): void;
}

export class Worker extends Part {
  constructor(config: WorkerOptions);
  static create(this: void, config: WorkerOptions): Worker;
  /** Undefined without a master. */
  readonly masterPid: number | undefined;
  emitReady(): void;
  emitClusterInfo(callback: (message: Message<Record<string, number[]>>) => void): void;
}
