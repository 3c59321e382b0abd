// Messages between members, and members that join, leave or are lost.

/** The recipients. Only members with a listener of `message` receive messages. */
export type To =
  | "all"
  /** The members with this option `group`. */
  | { group: string }
  /** The members with this option `name`. */
  | { name: string }
  /** The members of a process, on this machine or on `host`, a host name as in `members()`. */
  | { pid: number; host?: string }
  /** The member with this incarnation. */
  | { member: string };

/** What the sender waits for. One of the two limits, 1 ms to 365 days, can be set. */
export interface SendOptions {
  /** Waits up to this many milliseconds until each recipient's program has taken the message. */
  acknowledged?: number | null;
  /** Waits up to this many milliseconds until each recipient has replied. */
  request?: number | null;
  /** Whether the sender may be a recipient; default false. */
  toSelf?: boolean;
}

/** How the process exits on request. */
export interface ExitOptions {
  /** Called first; the exit waits for the returned promise. */
  onKill?: (code: number, from: MemberRef) => unknown;
  /** The time for `onKill` and leaving, in milliseconds: 0 to 3,600,000, default 5,000. */
  grace?: number;
}

/** The identity of a member. */
export interface MemberRef {
  /** Its incarnation. */
  incarnation: string;
  /** The option `name`. */
  name: string;
  /** The option `group`. */
  group: string;
  /** The host name of its machine. */
  host: string;
  /** Its process id. */
  pid: number;
}

/** What happened to a member: it registered; it left the cluster; its lease ended. */
export type Change = "joined" | "left" | "lost";

/** A member that joined, left or was lost. */
export interface ChangedMember extends MemberRef {
  role: "master" | "worker";
}

/** The result of sending a message. */
export interface Receipt<R = any> {
  /** The incarnations of the recipients. */
  recipients: string[];
  /** How many more recipients there would have been: their inboxes are full, because they do not read them. */
  dropped: number;
  /** The recipients that acknowledged or replied, in order; an acknowledgement has no payload. */
  replies: { from: MemberRef; payload: R | undefined }[];
  /** The recipients that did not answer in time, or are gone. */
  missing: string[];
}

/** A received message. */
export interface Message<P = any> {
  /** The payload: a value parsed from JSON, or a Buffer if it was sent as bytes. */
  payload: P;
  /** The payload's bytes as they were sent, JSON or not. */
  readonly payloadBytes: Buffer;
  /** The member that sent it. */
  readonly from: MemberRef;
  /** Whether the sender waits for a reply. */
  readonly wantsReply: boolean;
  /**
   * Queues a reply; only the first reply counts. Throws an InvalidArgumentError if the sender does not wait for a reply, and a TooLargeError over 64
   * KiB. Returns false if the member is closed, which may happen before its last messages are emitted.
   */
  reply(payload?: unknown): boolean;
}
