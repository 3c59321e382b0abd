// Errors: one class per kind, and what handlers throw.

/** The base of all errors. */
export class SwarmError extends Error {
  constructor(message?: string, options?: { cause?: unknown });
  /** `SWARM_` and the name of the kind, the same as in the other languages. */
  readonly code: string;
  /** Whether the same call may succeed later. */
  readonly retryable: boolean;
}
/** An argument or option is malformed or out of its bounds. */
export class InvalidArgumentError extends SwarmError {}
/** A payload, result or name is over its limit. */
export class TooLargeError extends SwarmError {}
/** Redis cannot be reached, or is loading, failing over or busy. The connection is being retried. */
export class UnavailableError extends SwarmError {}
/** Redis refused the username or password. */
export class AuthFailedError extends SwarmError {}
/** The ACL user lacks a permission. */
export class PermissionDeniedError extends SwarmError {}
/** The peer is not a Redis server, or not of the configured kind. */
export class WrongServerError extends SwarmError {}
/** The server is older than Redis 6.2. */
export class UnsupportedVersionError extends SwarmError {}
/** The address is that of a read-only replica. */
export class ReadOnlyReplicaError extends SwarmError {}
/** The server evicts keys when it is full, so jobs could vanish. */
export class EvictionPolicyError extends SwarmError {}
/** Redis reached `maxmemory`; nothing was added. */
export class StoreFullError extends SwarmError {}
/** A key or record under the prefix does not have the format of this protocol. */
export class StoreCorruptError extends SwarmError {}
/** Members with a newer protocol version use the cluster. */
export class ProtocolVersionError extends SwarmError {}
/** The caller's time limit passed. */
export class TimeoutError extends SwarmError {}
/** The reply was lost: the jobs may or may not have been added. */
export class OutcomeUnknownError extends SwarmError {}
/** The caller cancelled the wait. */
export class CancelledError extends SwarmError {}
/** The object was closed or terminated earlier. */
export class ClosedError extends SwarmError {}
/** The job is no longer assigned to this execution. Nothing was changed. */
export class StaleFenceError extends SwarmError {}
/** No such job, or its result has expired. */
export class NotFoundError extends SwarmError {}
/** The job was deleted. */
export class JobDeletedError extends SwarmError {}
/** The job failed permanently; the message is the job's own error. */
export class JobFailedError extends SwarmError {
  /** `failed` (by its handler), `poison` (too many crashes of its workers), `corrupt` (its record could not be read) or `undecodable` (its payload could not be decoded). */
  readonly reason: string;
}
/** The worker could not renew its lease in time and lost its jobs. */
export class LeaseLostError extends SwarmError {}
/** The TLS handshake failed, or a certificate or key could not be used. */
export class TlsError extends SwarmError {}
/** The object was made before a fork and is used in the child. */
export class ForkedError extends SwarmError {}
/** The call is not allowed inside a callback of the same object. */
export class InCallbackError extends SwarmError {}
/** A panic was caught at the language boundary. A bug in libswarm. */
export class PanicError extends SwarmError {}
/** An unexpected reply or state: a bug in libswarm, or data in Redis that was altered. */
export class InternalError extends SwarmError {}
/** The job was not assigned to a worker within its `timeouts.assign`. */
export class AssignTimeoutError extends SwarmError {
  readonly reason: string;
}
/** An execution of the job took longer than its `timeouts.run`, and no retry was left. */
export class RunTimeoutError extends SwarmError {
  readonly reason: string;
}
/** The job had not finished within its `timeouts.total`. */
export class TotalTimeoutError extends SwarmError {
  readonly reason: string;
}
/** The jobs were added, but less durably than requested. */
export class NotDurableError extends SwarmError {}
/** Messages for this member were dropped, because it did not take them, or did not read its inbox. Emitted as an `error` event. */
export class MessagesDroppedError extends SwarmError {}
/** Redis, or a proxy in front of it, has reached its limit of clients. */
export class TooManyClientsError extends SwarmError {}
/** Redis is in protected mode: it accepts clients of its own machine only. */
export class ProtectedModeError extends SwarmError {}
/** Redis refuses writes because it cannot save its data to disk. */
export class PersistenceFailedError extends SwarmError {}
/** Redis refuses writes because too few replicas are in reach. */
export class NotEnoughReplicasError extends SwarmError {}
/** A proxy in front of Redis answered with an error of its own. */
export class ProxyFailedError extends SwarmError {}
/** Jobs that Redis has not stored yet use `maxPendingBytes` in this process. Nothing was added. */
export class BufferFullError extends SwarmError {}
/** A job that the job waited for failed or was deleted. */
export class DependencyFailedError extends SwarmError {
  readonly reason: string;
}
/** A value in Redis is encrypted with a key that this member does not have, or cannot be decrypted or decompressed. */
export class CodecError extends SwarmError {}

/** Thrown by a handler: the job fails permanently, even if retries are left. */
export class PermanentFailure extends Error {
  constructor(message?: string, options?: { cause?: unknown });
}

/** Thrown by a handler: this attempt failed; the next one, if any is left, starts `after` milliseconds later. */
export class RetryAfter extends Error {
  /** `after` is 0 to 31,536,000,000 ms. */
  constructor(after: number, message?: string, options?: { cause?: unknown });
  readonly after: number;
}

/**
 * Thrown by a handler whose request was refused for now (HTTP 429): the limit named `limit`, or without it each limit of the job, starts no jobs for `after`
 * milliseconds. No attempt is counted. A job without the limit is delayed by the time.
 */
export class RateLimited extends Error {
  /** `after` is 0 to 31,536,000,000 ms. */
  constructor(after: number, limit?: string | null);
  readonly after: number;
  readonly limit: string | undefined;
}
