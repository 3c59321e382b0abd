//! The health of a member and the counts of a cluster.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use libswarm_common::error::Error;
use serde::Serialize;

use super::as_json::{as_ms, error_fields, or_empty};

/// The state of a member as it is known locally; reading it sends nothing to Redis.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub struct Health {
    /// Connected and registered, and the last renewal was answered in time.
    pub healthy: bool,
    /// All connections that the member needs are up.
    pub connected: bool,
    /// The current incarnation; `None` before the first registration.
    #[serde(serialize_with = "or_empty")]
    pub incarnation: Option<String>,
    /// How long the member may process its active jobs without another renewal.
    #[serde(serialize_with = "as_ms", rename = "lease_left_ms")]
    pub lease_left: Duration,
    /// Active jobs (worker).
    pub active: u64,
    /// Jobs or finishes that were submitted but not yet acknowledged by Redis.
    pub pending: u64,
    /// The last background error; `None` if it has gone away.
    #[serde(flatten, serialize_with = "error_fields")]
    pub error: Option<Error>,
    /// The number of registrations: one at the start, and one after each lost lease.
    pub registrations: u64,
    /// Jobs that this member added and Redis has stored.
    pub added: u64,
    /// Jobs that the program has taken (worker).
    pub assigned: u64,
    /// Finishes that Redis has accepted: jobs completed, failed, retried, released or stopped (worker).
    pub finished: u64,
    /// Messages that Redis has put into inboxes.
    pub sent: u64,
    /// Messages that the program has taken.
    pub received: u64,
    /// Messages for this member that were dropped, as far as the member was notified.
    pub dropped: u64,
    /// Jobs whose handlers were asked to stop and did not within the option `stop_grace`; each keeps a slot until its handler returns (worker).
    pub stuck: u64,
}

/// Counters of a member across all its incarnations; see [`Health`].
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) registrations: AtomicU64,
    pub(crate) added: AtomicU64,
    pub(crate) finished: AtomicU64,
    pub(crate) sent: AtomicU64,
    /// Messages that were dropped because the inbox was full.
    pub(crate) missed: AtomicU64,
}

/// Counts of a whole cluster at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub struct Stats {
    /// Jobs waiting for a worker.
    pub waiting: u64,
    /// Active jobs.
    pub active: u64,
    /// Deleted jobs whose worker has not yet confirmed that it stopped them.
    pub deleting: u64,
    /// Delayed jobs that are not due yet.
    pub delayed: u64,
    /// Jobs that wait for their resource or for the job that has their unique key.
    pub blocked: u64,
    /// Failed jobs that are kept.
    pub failed: u64,
    /// Results that are kept.
    pub results: u64,
    /// Live members.
    pub members: u64,
    /// Jobs added since the cluster was created.
    pub added: u64,
    /// Jobs completed.
    pub completed: u64,
    /// Jobs that failed permanently.
    pub failures: u64,
    /// Jobs deleted.
    pub deleted: u64,
    /// Crashes of workers that were counted for jobs.
    pub crashes: u64,
    /// Attempts that failed and were followed by another.
    pub retries: u64,
    /// Failed jobs that were requeued by a call.
    pub revived: u64,
    /// Records and keys that did not have the format of this protocol, and were removed, replaced or repaired.
    pub damaged: u64,
    /// Completed jobs that are kept.
    pub kept: u64,
}

impl Stats {
    /// From the counts in the order of `lua/commands/stats.lua`; `None` if their number is another.
    pub(crate) fn from_counts(counts: &[u64]) -> Option<Stats> {
        let &[
            waiting,
            active,
            deleting,
            delayed,
            blocked,
            failed,
            results,
            members,
            added,
            completed,
            failures,
            deleted,
            crashes,
            retries,
            revived,
            damaged,
            kept,
        ] = counts
        else {
            return None;
        };
        Some(Stats {
            waiting,
            active,
            deleting,
            delayed,
            blocked,
            failed,
            results,
            members,
            added,
            completed,
            failures,
            deleted,
            crashes,
            retries,
            revived,
            damaged,
            kept,
        })
    }
}
