import { EventEmitter } from "node:events";
import type { MemberOptions } from "../types/options.js";

/** How processes find each other, and what they write. Times are in milliseconds. */
export interface Options {
  /** Called by `log`; console.log unless set. */
  logger?: (message: any) => void;
  /** A client of node_redis, redis or ioredis: its address is read, the client is left alone. */
  publisher?: object;
  /** Read if there is no `publisher`. */
  subscriber?: object;
  /** Before a registration, and between two workers of a reload; 500 unless set. */
  reloadDelay?: number;
  /** Any other address of Redis: a url, or options of a member. Goes before all else; then the clients, then SWARM_REDIS_URL. */
  redis?: string | MemberOptions;
  /** Keeps clusters on one Redis apart; spawned processes have that of their spawner. */
  cluster?: string;
  /** How long a silent process counts as there, 1,000 to 86,400,000; 15,000 unless set. */
  lease?: number;
  /** How long an `onKill` handler may take, and spawned processes have to end before they are killed; 5,000 unless set. */
  grace?: number;
  /** Whether it leaves, and ends what it has spawned, before SIGINT or SIGTERM ends the process, unless that listens to the signal itself; true unless set. */
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
  /** Resolved against the folder of the main script. */
  file: string;
  /** What executes it, this program's own unless set. */
  command?: string;
  /** CPUs it may run on, such as 1 or "0,2-3"; Linux only. */
  cpu?: number | string | null;
  /** Whether it is started again when it fails; true unless set. */
  respawn?: boolean;
  /** Options of its command line; those that begin with `cluster-` go on to what it spawns. */
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
  /** The process ends when `done` is called. The last handler counts. */
  onKill(callback: (done: () => void) => void): void;
  /** Called with the messages whenever so many have confirmed it. */
  onConfirmation(count: number, identifier: string, callback: (messages: Message<string>[]) => void): void;
  emitPublic(data?: unknown): void;
  emitPrivate(pid: number | string, data?: unknown): void;
  emitGroup(group: string, data?: unknown): void;
  emitKill(pid: number | string, code?: number): void;
  emitConfirmation(identifier: string): void;
  spawn(list: readonly WorkerFile[]): void;
  /** Ends what was spawned here, then this process, with code 1 unless set. */
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
