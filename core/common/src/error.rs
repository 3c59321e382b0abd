//! The table of error kinds. Every binding maps each kind; numbers are never reused.

use std::fmt;

macro_rules! error_kinds {
    ($($(#[doc = $doc:literal])+ $name:ident = $number:literal, $text:literal, retryable: $retryable:literal;)+) => {
        /// What went wrong, in terms a caller can act on.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(i32)]
        #[cfg_attr(not(feature = "bindings"), non_exhaustive)]
        pub enum ErrorKind { $($(#[doc = $doc])+ $name = $number,)+ }

        impl ErrorKind {
            /// Every kind, in the order of its numbers.
            pub const ALL: &'static [ErrorKind] = &[$(ErrorKind::$name,)+];

            /// Stable upper-case name, such as `TIMEOUT`; the bindings prefix it (`SWARM_ERR_TIMEOUT`, `SWARM_TIMEOUT`).
            pub const fn name(self) -> &'static str {
                match self { $(ErrorKind::$name => $text,)+ }
            }

            /// Whether the same call may succeed later without any change by the caller.
            pub const fn is_retryable(self) -> bool {
                match self { $(ErrorKind::$name => $retryable,)+ }
            }
        }
    };
}

error_kinds! {
    /// An argument or option is malformed or out of its bounds.
    InvalidArgument = 1, "INVALID_ARGUMENT", retryable: false;
    /// A payload, result or name is over its limit.
    TooLarge = 2, "TOO_LARGE", retryable: false;
    /// Redis cannot be reached, or is loading, failing over or busy. The connection is being retried.
    Unavailable = 3, "UNAVAILABLE", retryable: true;
    /// Redis refused the username or password.
    AuthFailed = 4, "AUTH_FAILED", retryable: false;
    /// The ACL user lacks a permission.
    PermissionDenied = 5, "PERMISSION_DENIED", retryable: false;
    /// The peer is not a Redis server, or not of the configured kind (Sentinel, Cluster).
    WrongServer = 6, "WRONG_SERVER", retryable: false;
    /// The server is older than Redis 6.2.
    UnsupportedVersion = 7, "UNSUPPORTED_VERSION", retryable: false;
    /// The address is that of a read-only replica.
    ReadOnlyReplica = 8, "READ_ONLY_REPLICA", retryable: true;
    /// The server evicts keys when it is full, so jobs could vanish.
    EvictionPolicy = 9, "EVICTION_POLICY", retryable: false;
    /// Redis reached `maxmemory`; nothing was added.
    StoreFull = 10, "STORE_FULL", retryable: true;
    /// A key or record under the prefix does not have the format of this protocol.
    StoreCorrupt = 11, "STORE_CORRUPT", retryable: false;
    /// Members with a newer protocol version use the cluster.
    ProtocolVersion = 12, "PROTOCOL_VERSION", retryable: false;
    /// The caller's time limit passed. For `run`, the message states whether the job continues.
    Timeout = 13, "TIMEOUT", retryable: true;
    /// The reply was lost and the outcome cannot be determined any more: the jobs may or may not have been added.
    OutcomeUnknown = 14, "OUTCOME_UNKNOWN", retryable: false;
    /// The caller cancelled the wait.
    Cancelled = 15, "CANCELLED", retryable: false;
    /// The object was closed or terminated earlier.
    Closed = 16, "CLOSED", retryable: false;
    /// The job is no longer assigned to this execution: it was reclaimed, and the fencing token is stale. Nothing was changed.
    StaleFence = 17, "STALE_FENCE", retryable: false;
    /// No such job, or its result has expired.
    NotFound = 18, "NOT_FOUND", retryable: false;
    /// The job was deleted.
    JobDeleted = 19, "JOB_DELETED", retryable: false;
    /// The job failed permanently; the message is the job's own error.
    JobFailed = 20, "JOB_FAILED", retryable: false;
    /// The worker could not renew its lease in time and lost its jobs.
    LeaseLost = 21, "LEASE_LOST", retryable: true;
    /// The TLS handshake failed, or a certificate or key could not be used.
    Tls = 22, "TLS", retryable: false;
    /// The object was made before a fork and is used in the child.
    Forked = 23, "FORKED", retryable: false;
    /// The call is not allowed inside a callback of the same object.
    InCallback = 24, "IN_CALLBACK", retryable: false;
    /// A panic was caught at the language boundary. A bug in libswarm.
    Panic = 25, "PANIC", retryable: false;
    /// An unexpected reply or state: a bug in libswarm, or data in Redis that was altered.
    Internal = 26, "INTERNAL", retryable: false;
    /// The job was not assigned to a worker within its `assign_timeout`.
    AssignTimeout = 27, "ASSIGN_TIMEOUT", retryable: false;
    /// An execution of the job took longer than its `run_timeout`, and no retry was left.
    RunTimeout = 28, "RUN_TIMEOUT", retryable: false;
    /// The job had not finished within its `total_timeout`.
    TotalTimeout = 29, "TOTAL_TIMEOUT", retryable: false;
    /// The jobs were added, but less durably than requested.
    NotDurable = 30, "NOT_DURABLE", retryable: false;
    /// Messages for this member were dropped, because it did not read its inbox or its program did not take them.
    MessagesDropped = 31, "MESSAGES_DROPPED", retryable: false;
    /// Redis, or a proxy in front of it, has reached its limit of clients.
    TooManyClients = 32, "TOO_MANY_CLIENTS", retryable: true;
    /// Redis is in protected mode: it accepts clients of its own machine only.
    ProtectedMode = 33, "PROTECTED_MODE", retryable: false;
    /// Redis refuses writes because it cannot save its data to disk.
    PersistenceFailed = 34, "PERSISTENCE_FAILED", retryable: true;
    /// Redis refuses writes because too few replicas are in reach.
    NotEnoughReplicas = 35, "NOT_ENOUGH_REPLICAS", retryable: true;
    /// A proxy in front of Redis answered with an error of its own.
    ProxyFailed = 36, "PROXY_FAILED", retryable: true;
    /// Jobs that Redis has not stored yet use `max_pending_bytes` in this process. Nothing was added.
    BufferFull = 37, "BUFFER_FULL", retryable: true;
    /// A job that the job waited for failed or was deleted.
    DependencyFailed = 38, "DEPENDENCY_FAILED", retryable: false;
    /// A value in Redis is encrypted with a key that this member does not have, or cannot be decrypted or decompressed.
    Codec = 39, "CODEC", retryable: false;
}

impl ErrorKind {
    /// The kind with this number.
    pub fn from_number(number: i32) -> Option<ErrorKind> {
        Self::ALL.iter().copied().find(|kind| *kind as i32 == number)
    }
}

/// An error of any call: its kind, and a message that states what was being done and what to do about the error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    kind: ErrorKind,
    message: String,
}

impl Error {
    /// An error of `kind` with a complete message.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error { kind, message: message.into() }
    }

    /// The kind of the error.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The message without the kind's name.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The same error, with what was being done in front of its message.
    pub fn context(mut self, doing: impl fmt::Display) -> Self {
        self.message = format!("{doing}: {}", self.message);
        self
    }
}

/// `Result` with [`Error`] as the default error type.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An [`ErrorKind::InvalidArgument`] error.
pub fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidArgument, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_are_unique_and_found_again() {
        for (index, kind) in ErrorKind::ALL.iter().enumerate() {
            assert_eq!(*kind as usize, index + 1, "numbers have no gaps");
            assert_eq!(ErrorKind::from_number(*kind as i32), Some(*kind));
            assert_eq!(ErrorKind::ALL.iter().filter(|other| other.name() == kind.name()).count(), 1);
        }
        assert_eq!(ErrorKind::from_number(0), None);
    }
}
