//! The status codes of functions that can fail.

use std::ffi::{CString, c_char};
use std::sync::OnceLock;

use libswarm::ErrorKind;

/// The result of a function: `SWARM_OK`, or the kind of error. Numbers are never reused.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum swarm_status {
    /// The call succeeded and its outputs are set.
    SWARM_OK = 0,
    /// An argument or option is malformed or out of its bounds.
    SWARM_ERR_INVALID_ARGUMENT = 1,
    /// A payload, result or name is over its limit.
    SWARM_ERR_TOO_LARGE = 2,
    /// Redis cannot be reached, or is loading, failing over or busy. The connection is being retried.
    SWARM_ERR_UNAVAILABLE = 3,
    /// Redis refused the username or password.
    SWARM_ERR_AUTH_FAILED = 4,
    /// The ACL user lacks a permission.
    SWARM_ERR_PERMISSION_DENIED = 5,
    /// The peer is not a Redis server, or not of the configured kind (Sentinel, Cluster).
    SWARM_ERR_WRONG_SERVER = 6,
    /// The server is older than Redis 6.2.
    SWARM_ERR_UNSUPPORTED_VERSION = 7,
    /// The address is that of a read-only replica.
    SWARM_ERR_READ_ONLY_REPLICA = 8,
    /// The server evicts keys when it is full, so jobs could vanish.
    SWARM_ERR_EVICTION_POLICY = 9,
    /// Redis reached `maxmemory`; nothing was added.
    SWARM_ERR_STORE_FULL = 10,
    /// A key or record under the prefix does not have the format of this protocol.
    SWARM_ERR_STORE_CORRUPT = 11,
    /// Members with a newer protocol version use the cluster.
    SWARM_ERR_PROTOCOL_VERSION = 12,
    /// The time limit passed. The operation may still take effect.
    SWARM_ERR_TIMEOUT = 13,
    /// The reply was lost and the outcome cannot be determined any more: the jobs may or may not have been added.
    SWARM_ERR_OUTCOME_UNKNOWN = 14,
    /// The caller cancelled the wait.
    SWARM_ERR_CANCELLED = 15,
    /// The object was closed, terminated or freed earlier.
    SWARM_ERR_CLOSED = 16,
    /// The job is no longer assigned to this execution: it was finished or reclaimed before. Nothing was changed.
    SWARM_ERR_STALE_FENCE = 17,
    /// No such job, or its result has expired.
    SWARM_ERR_NOT_FOUND = 18,
    /// The job was deleted.
    SWARM_ERR_JOB_DELETED = 19,
    /// The job failed permanently. In `status` of swarm_outcome_details: a failed job is data, not an error of the call.
    SWARM_ERR_JOB_FAILED = 20,
    /// The worker could not renew its lease in time and lost its jobs.
    SWARM_ERR_LEASE_LOST = 21,
    /// The TLS handshake failed, or a certificate or key could not be used.
    SWARM_ERR_TLS = 22,
    /// The object was made before a fork and is used in the child.
    SWARM_ERR_FORKED = 23,
    /// The call is not allowed inside a callback of the same object.
    SWARM_ERR_IN_CALLBACK = 24,
    /// A panic was caught at the language boundary. A bug in libswarm.
    SWARM_ERR_PANIC = 25,
    /// An unexpected reply or state: a bug in libswarm, or data in Redis that was altered.
    SWARM_ERR_INTERNAL = 26,
    /// The job was not assigned to a worker within its `assign_timeout`. In `status` of swarm_outcome_details.
    SWARM_ERR_ASSIGN_TIMEOUT = 27,
    /// An execution of the job took longer than its `run_timeout`, and no retry was left. In `status` of swarm_outcome_details.
    SWARM_ERR_RUN_TIMEOUT = 28,
    /// The job had not finished within its `total_timeout`. In `status` of swarm_outcome_details.
    SWARM_ERR_TOTAL_TIMEOUT = 29,
    /// The jobs were added, but less durably than requested.
    SWARM_ERR_NOT_DURABLE = 30,
    /// Messages for this member were dropped, because it did not read its inbox or its program did not take them.
    SWARM_ERR_MESSAGES_DROPPED = 31,
    /// Redis, or a proxy in front of it, has reached its limit of clients.
    SWARM_ERR_TOO_MANY_CLIENTS = 32,
    /// Redis is in protected mode: it accepts clients of its own machine only.
    SWARM_ERR_PROTECTED_MODE = 33,
    /// Redis refuses writes because it cannot save its data to disk.
    SWARM_ERR_PERSISTENCE_FAILED = 34,
    /// Redis refuses writes because too few replicas are in reach.
    SWARM_ERR_NOT_ENOUGH_REPLICAS = 35,
    /// A proxy in front of Redis answered with an error of its own.
    SWARM_ERR_PROXY_FAILED = 36,
    /// Jobs that Redis has not stored yet use `max_pending_bytes` in this process. Nothing was added.
    SWARM_ERR_BUFFER_FULL = 37,
    /// A job that the job waited for failed or was deleted.
    SWARM_ERR_DEPENDENCY_FAILED = 38,
    /// A value in Redis is encrypted with a key that this member does not have, or cannot be decrypted or decompressed.
    SWARM_ERR_CODEC = 39,
}

/// The name of a status without its prefix, such as "TIMEOUT"; "OK" for 0, "UNKNOWN" for any other number. The text is static.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_status_name(status: i32) -> *const c_char {
    static NAMES: OnceLock<Vec<CString>> = OnceLock::new();
    if status == swarm_status::SWARM_OK as i32 {
        return c"OK".as_ptr();
    }
    let names = NAMES.get_or_init(|| ErrorKind::ALL.iter().map(|kind| CString::new(kind.name()).unwrap_or_default()).collect());
    let position = ErrorKind::ALL.iter().position(|kind| *kind as i32 == status);
    position.map_or(c"UNKNOWN".as_ptr(), |index| names[index].as_ptr())
}

impl From<ErrorKind> for swarm_status {
    // No `_` arm: a new kind of the core does not compile until it has its number here.
    fn from(kind: ErrorKind) -> Self {
        use swarm_status::*;
        match kind {
            ErrorKind::InvalidArgument => SWARM_ERR_INVALID_ARGUMENT,
            ErrorKind::TooLarge => SWARM_ERR_TOO_LARGE,
            ErrorKind::Unavailable => SWARM_ERR_UNAVAILABLE,
            ErrorKind::AuthFailed => SWARM_ERR_AUTH_FAILED,
            ErrorKind::PermissionDenied => SWARM_ERR_PERMISSION_DENIED,
            ErrorKind::WrongServer => SWARM_ERR_WRONG_SERVER,
            ErrorKind::UnsupportedVersion => SWARM_ERR_UNSUPPORTED_VERSION,
            ErrorKind::ReadOnlyReplica => SWARM_ERR_READ_ONLY_REPLICA,
            ErrorKind::EvictionPolicy => SWARM_ERR_EVICTION_POLICY,
            ErrorKind::StoreFull => SWARM_ERR_STORE_FULL,
            ErrorKind::StoreCorrupt => SWARM_ERR_STORE_CORRUPT,
            ErrorKind::ProtocolVersion => SWARM_ERR_PROTOCOL_VERSION,
            ErrorKind::Timeout => SWARM_ERR_TIMEOUT,
            ErrorKind::OutcomeUnknown => SWARM_ERR_OUTCOME_UNKNOWN,
            ErrorKind::Cancelled => SWARM_ERR_CANCELLED,
            ErrorKind::Closed => SWARM_ERR_CLOSED,
            ErrorKind::StaleFence => SWARM_ERR_STALE_FENCE,
            ErrorKind::NotFound => SWARM_ERR_NOT_FOUND,
            ErrorKind::JobDeleted => SWARM_ERR_JOB_DELETED,
            ErrorKind::JobFailed => SWARM_ERR_JOB_FAILED,
            ErrorKind::LeaseLost => SWARM_ERR_LEASE_LOST,
            ErrorKind::Tls => SWARM_ERR_TLS,
            ErrorKind::Forked => SWARM_ERR_FORKED,
            ErrorKind::InCallback => SWARM_ERR_IN_CALLBACK,
            ErrorKind::Panic => SWARM_ERR_PANIC,
            ErrorKind::Internal => SWARM_ERR_INTERNAL,
            ErrorKind::AssignTimeout => SWARM_ERR_ASSIGN_TIMEOUT,
            ErrorKind::RunTimeout => SWARM_ERR_RUN_TIMEOUT,
            ErrorKind::TotalTimeout => SWARM_ERR_TOTAL_TIMEOUT,
            ErrorKind::NotDurable => SWARM_ERR_NOT_DURABLE,
            ErrorKind::MessagesDropped => SWARM_ERR_MESSAGES_DROPPED,
            ErrorKind::TooManyClients => SWARM_ERR_TOO_MANY_CLIENTS,
            ErrorKind::ProtectedMode => SWARM_ERR_PROTECTED_MODE,
            ErrorKind::PersistenceFailed => SWARM_ERR_PERSISTENCE_FAILED,
            ErrorKind::NotEnoughReplicas => SWARM_ERR_NOT_ENOUGH_REPLICAS,
            ErrorKind::ProxyFailed => SWARM_ERR_PROXY_FAILED,
            ErrorKind::BufferFull => SWARM_ERR_BUFFER_FULL,
            ErrorKind::DependencyFailed => SWARM_ERR_DEPENDENCY_FAILED,
            ErrorKind::Codec => SWARM_ERR_CODEC,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CStr;

    fn name(status: i32) -> String {
        // SAFETY: the function returns static, NUL-terminated texts.
        unsafe { CStr::from_ptr(swarm_status_name(status)) }.to_string_lossy().into_owned()
    }

    #[test]
    fn every_kind_has_its_own_number_and_name() {
        for kind in ErrorKind::ALL {
            let status = swarm_status::from(*kind);
            assert_eq!(status as i32, *kind as i32);
            assert_eq!(format!("{status:?}"), format!("SWARM_ERR_{}", kind.name()));
            assert_eq!(name(status as i32), kind.name());
        }
        assert_eq!((name(0), name(-1), name(1000)), ("OK".into(), "UNKNOWN".into(), "UNKNOWN".into()));
    }
}
