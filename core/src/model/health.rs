//! The health of a member and the counts of a cluster.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use libswarm_common::error::Error;
use serde::Serialize;

use super::as_json::{as_ms, error_fields, or_empty};

/// A member's own view; costs nothing to ask.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub struct Health {
    /// Connected, registered, and the last renewal was answered in time.
    pub healthy: bool,
    /// Both connections that are needed are up.
    pub connected: bool,
    /// The identity in Redis; `None` before the first registration.
    #[serde(serialize_with = "or_empty")]
    pub incarnation: Option<String>,
    /// How long the member may still act for its active jobs.
    #[serde(serialize_with = "as_ms", rename = "lease_left_ms")]
    pub lease_left: Duration,
    /// Active jobs (a worker).
    pub active: u64,
    /// Jobs or finishes gathered but not yet acknowledged by Redis.
    pub pending: u64,
    /// The last background error; `None` if it has healed.
    #[serde(flatten, serialize_with = "error_fields")]
    pub error: Option<Error>,
    /// Registrations since the start: one, and one more for each lease that was lost.
    pub registrations: u64,
    /// Jobs that Redis has stored for it (a master).
    pub added: u64,
    /// Jobs that its program has taken (a worker).
    pub assigned: u64,
    /// Ends of jobs that Redis has accepted: completed, failed, retried, released or stopped (a worker).
    pub finished: u64,
    /// Messages that Redis has put into inboxes.
    pub sent: u64,
    /// Messages that its program has taken.
    pub received: u64,
    /// Messages for it that were dropped, as far as it knows.
    pub dropped: u64,
    /// Jobs whose handlers were asked to stop and did not within the option `stop_grace`; each keeps a slot until its handler returns (a
    /// worker).
    pub stuck: u64,
}

/// What a member counts of itself through all its incarnations; see [`Health`].
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) registrations: AtomicU64,
    pub(crate) added: AtomicU64,
    pub(crate) finished: AtomicU64,
    pub(crate) sent: AtomicU64,
    /// Messages that were dropped because its inbox was full.
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
    /// Deleted jobs whose worker has not confirmed yet that it stopped.
    pub deleting: u64,
    /// Jobs whose time has not come.
    pub delayed: u64,
    /// Jobs that wait for their resource or for a similar job.
    pub blocked: u64,
    /// Failed jobs kept.
    pub failed: u64,
    /// Results kept.
    pub results: u64,
    /// Members alive.
    pub members: u64,
    /// Jobs added since the cluster began.
    pub added: u64,
    /// Jobs completed.
    pub completed: u64,
    /// Jobs that ended as failed.
    pub failures: u64,
    /// Jobs deleted.
    pub deleted: u64,
    /// Crashes of workers counted on jobs.
    pub crashes: u64,
    /// Attempts that failed and were followed by another.
    pub retries: u64,
    /// Failed jobs that were requeued by hand.
    pub revived: u64,
    /// Things in Redis that were not as this protocol writes them, and were set aside, replaced or mended.
    pub damaged: u64,
}
