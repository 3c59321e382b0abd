// Messages between members, and who comes and goes.

/** The recipients. Only members with a listener of `message` receive messages. */
export type To =
  | "all"
  /** Those with the option `group`. */
  | { group: string }
  /** Those with the option `name`. */
  | { name: string }
  /** Those of a process, on this machine unless another `host` is named, by the host name in `members()`. */
  | { pid: number; host?: string }
  /** One incarnation. */
  | { member: string };

/** What a sender waits for. Limits are 1 ms to 365 days; if there are both, `request` counts. */
export interface SendOptions {
  /** Waits up to so many milliseconds until each recipient has taken it. */
  acknowledged?: number | null;
  /** Waits up to so many milliseconds until each recipient has replied. */
  request?: number | null;
  /** Whether the sender may be a recipient; default false. */
  toSelf?: boolean;
}

/** How a process ends that is asked to. */
export interface ExitOptions {
  /** Called first; the end waits for what it returns. */
  onKill?: (code: number, from: MemberRef) => unknown;
  /** How long that, and the leaving, may take, in milliseconds: 0 to 3,600,000, 5,000 unless set. */
  grace?: number;
}

/** Which member it is. */
export interface MemberRef {
  /** Its identity. */
  incarnation: string;
  /** The option `name`. */
  name: string;
  /** The option `group`. */
  group: string;
  /** The machine it runs on. */
  host: string;
  /** Its process there. */
  pid: number;
}

/** How a member came or went: `left` said that it goes, `lost` let its lease end. */
export type Change = "joined" | "left" | "lost";

/** A member that came or went. */
export interface ChangedMember extends MemberRef {
  role: "master" | "worker";
}

/** What became of a message. */
export interface Receipt<R = any> {
  /** The incarnations that it was sent to. */
  recipients: string[];
  /** How many more recipients do not read their inboxes, which are full. */
  dropped: number;
  /** Those who acknowledged it or replied, in the order in which they did; a mere acknowledgement has no payload. */
  replies: { from: MemberRef; payload: R | undefined }[];
  /** The recipients that had not in time, or are gone. */
  missing: string[];
}

/** A message that has arrived. */
export interface Message<P = any> {
  /** A value read from JSON, or a Buffer if the sender gave bytes. */
  payload: P;
  /** The payload's bytes as they were sent, JSON or not. */
  readonly payloadBytes: Buffer;
  /** Who sent it. */
  readonly from: MemberRef;
  /** Whether the sender waits for a reply. */
  readonly wantsReply: boolean;
  /**
   * Replies, to be sent soon; the first reply counts. Fails with an InvalidArgumentError if nobody waits for it, with a TooLargeError
   * over 64 KiB. False if the member is closed, as it can be before its last messages are emitted.
   */
  reply(payload?: unknown): boolean;
}
