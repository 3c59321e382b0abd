"""Every error this package raises, under one `SwarmError`: a class per kind, the same kinds in every language.

A class also derives from the builtin exception a Python program would expect for it, such as `TimeoutError`.
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "SwarmAssignTimeout",
    "SwarmAuthFailed",
    "SwarmBufferFull",
    "SwarmCancelled",
    "SwarmClosed",
    "SwarmCodec",
    "SwarmDependencyFailed",
    "SwarmError",
    "SwarmEvictionPolicy",
    "SwarmForked",
    "SwarmInCallback",
    "SwarmInternal",
    "SwarmInvalidArgument",
    "SwarmJobDeleted",
    "SwarmJobFailed",
    "SwarmLeaseLost",
    "SwarmMessagesDropped",
    "SwarmNotDurable",
    "SwarmNotEnoughReplicas",
    "SwarmNotFound",
    "SwarmOutcomeUnknown",
    "SwarmPanic",
    "SwarmPermissionDenied",
    "SwarmPersistenceFailed",
    "SwarmProtectedMode",
    "SwarmProtocolVersion",
    "SwarmProxyFailed",
    "SwarmReadOnlyReplica",
    "SwarmRunTimeout",
    "SwarmStaleFence",
    "SwarmStoreCorrupt",
    "SwarmStoreFull",
    "SwarmTimeout",
    "SwarmTls",
    "SwarmTooLarge",
    "SwarmTooManyClients",
    "SwarmTotalTimeout",
    "SwarmUnavailable",
    "SwarmUnsupportedVersion",
    "SwarmWrongServer",
]


class SwarmError(Exception):
    """Any error of libswarm. The message states what was attempted and what to do about the error."""

    #: The number of the kind, as in the C header.
    code: ClassVar[int] = 0
    #: The name of the kind, such as `TIMEOUT`.
    kind: ClassVar[str] = ""
    #: Whether the same call may succeed later without any change by the caller.
    retryable: ClassVar[bool] = False


class SwarmInvalidArgument(SwarmError, ValueError):
    """An argument or option is malformed or out of its bounds."""

    code, kind = 1, "INVALID_ARGUMENT"


class SwarmTooLarge(SwarmError, ValueError):
    """A payload, result or name is over its limit."""

    code, kind = 2, "TOO_LARGE"


class SwarmUnavailable(SwarmError, ConnectionError):
    """Redis cannot be reached, or is loading, failing over or busy. The connection is being retried."""

    code, kind, retryable = 3, "UNAVAILABLE", True


class SwarmAuthFailed(SwarmError):
    """Redis refused the username or password."""

    code, kind = 4, "AUTH_FAILED"


class SwarmPermissionDenied(SwarmError, PermissionError):
    """The ACL user lacks a permission."""

    code, kind = 5, "PERMISSION_DENIED"


class SwarmWrongServer(SwarmError):
    """The peer is not a Redis server, or not of the configured kind (Sentinel, Cluster)."""

    code, kind = 6, "WRONG_SERVER"


class SwarmUnsupportedVersion(SwarmError):
    """The server is older than Redis 6.2."""

    code, kind = 7, "UNSUPPORTED_VERSION"


class SwarmReadOnlyReplica(SwarmError):
    """The address is that of a read-only replica."""

    code, kind, retryable = 8, "READ_ONLY_REPLICA", True


class SwarmEvictionPolicy(SwarmError):
    """The server evicts keys when it is full, so jobs could vanish."""

    code, kind = 9, "EVICTION_POLICY"


class SwarmStoreFull(SwarmError):
    """Redis reached `maxmemory`; nothing was added."""

    code, kind, retryable = 10, "STORE_FULL", True


class SwarmStoreCorrupt(SwarmError):
    """A key or record under the prefix does not have the format of this protocol."""

    code, kind = 11, "STORE_CORRUPT"


class SwarmProtocolVersion(SwarmError):
    """Members with a newer protocol version use the cluster."""

    code, kind = 12, "PROTOCOL_VERSION"


class SwarmTimeout(SwarmError, TimeoutError):
    """The caller's time limit passed. For `run`, the message states whether the job continues."""

    code, kind, retryable = 13, "TIMEOUT", True


class SwarmOutcomeUnknown(SwarmError):
    """The reply was lost and the outcome cannot be determined any more: the jobs may or may not have been added."""

    code, kind = 14, "OUTCOME_UNKNOWN"


class SwarmCancelled(SwarmError):
    """The caller cancelled the wait."""

    code, kind = 15, "CANCELLED"


class SwarmClosed(SwarmError):
    """The object was closed or terminated earlier."""

    code, kind = 16, "CLOSED"


class SwarmStaleFence(SwarmError):
    """The job is no longer assigned to this execution: it was reclaimed, and its fence is stale. Nothing was changed."""

    code, kind = 17, "STALE_FENCE"


class SwarmNotFound(SwarmError, LookupError):
    """No such job, or its result has expired."""

    code, kind = 18, "NOT_FOUND"


class SwarmJobDeleted(SwarmError):
    """The job was deleted."""

    code, kind = 19, "JOB_DELETED"


class SwarmJobFailed(SwarmError):
    """The job failed permanently; the message is the job's own error."""

    code, kind = 20, "JOB_FAILED"

    _reason: ClassVar[str] = "failed"

    def __init__(self, message: str, reason: str = "", traceback: str = "") -> None:
        super().__init__(message)
        #: `failed` (by its handler), `poison` (too many crashes of its workers), `corrupt` (its record could not be read),
        #: `undecodable` (its payload could not be decoded), `dependency_failed`, or the timeout that failed it: `assign_timeout`,
        #: `run_timeout`, `total_timeout`.
        self.reason = reason or self._reason
        #: The traceback of the handler's exception, for listeners of its worker; "" for callers that await the result, see
        #: `Master.job`.
        self.traceback = traceback


class SwarmLeaseLost(SwarmError):
    """The worker could not renew its lease in time and lost its jobs."""

    code, kind, retryable = 21, "LEASE_LOST", True


class SwarmTls(SwarmError):
    """The TLS handshake failed, or a certificate or key could not be used."""

    code, kind = 22, "TLS"


class SwarmForked(SwarmError):
    """The object was made before a fork and is used in the child."""

    code, kind = 23, "FORKED"


class SwarmInCallback(SwarmError):
    """The call is not allowed inside a callback of the same object."""

    code, kind = 24, "IN_CALLBACK"


class SwarmPanic(SwarmError):
    """A panic was caught at the language boundary. A bug in libswarm."""

    code, kind = 25, "PANIC"


class SwarmInternal(SwarmError):
    """An unexpected reply or state: a bug in libswarm, or data in Redis that was altered."""

    code, kind = 26, "INTERNAL"


class SwarmAssignTimeout(SwarmJobFailed):
    """The job failed because it was not assigned to a worker within its timeout `assign`."""

    code, kind, _reason = 27, "ASSIGN_TIMEOUT", "assign_timeout"


class SwarmRunTimeout(SwarmJobFailed):
    """The job failed because an execution took longer than its timeout `run`, and no retry was left."""

    code, kind, _reason = 28, "RUN_TIMEOUT", "run_timeout"


class SwarmTotalTimeout(SwarmJobFailed):
    """The job failed because it did not finish within its timeout `total`."""

    code, kind, _reason = 29, "TOTAL_TIMEOUT", "total_timeout"


class SwarmNotDurable(SwarmError):
    """The jobs were added, but less durably than requested."""

    code, kind = 30, "NOT_DURABLE"


class SwarmMessagesDropped(SwarmError):
    """Messages for this member were dropped, because it did not read its inbox or its program did not take them."""

    code, kind = 31, "MESSAGES_DROPPED"


class SwarmTooManyClients(SwarmError):
    """Redis, or a proxy in front of it, has reached its limit of clients."""

    code, kind, retryable = 32, "TOO_MANY_CLIENTS", True


class SwarmProtectedMode(SwarmError):
    """Redis is in protected mode: it accepts clients of its own machine only."""

    code, kind = 33, "PROTECTED_MODE"


class SwarmPersistenceFailed(SwarmError):
    """Redis refuses writes because it cannot save its data to disk."""

    code, kind, retryable = 34, "PERSISTENCE_FAILED", True


class SwarmNotEnoughReplicas(SwarmError):
    """Redis refuses writes because too few replicas are in reach."""

    code, kind, retryable = 35, "NOT_ENOUGH_REPLICAS", True


class SwarmProxyFailed(SwarmError):
    """A proxy in front of Redis answered with an error of its own."""

    code, kind, retryable = 36, "PROXY_FAILED", True


class SwarmBufferFull(SwarmError):
    """Jobs that Redis has not stored yet use `max_pending_bytes` in this process. Nothing was added."""

    code, kind, retryable = 37, "BUFFER_FULL", True


class SwarmDependencyFailed(SwarmJobFailed):
    """The job failed because a job that it waited for failed or was deleted."""

    code, kind, _reason = 38, "DEPENDENCY_FAILED", "dependency_failed"


class SwarmCodec(SwarmError):
    """A value in Redis is encrypted with a key that this member does not have, or cannot be decrypted or decompressed."""

    code, kind = 39, "CODEC"
