//! The state of a member, and the counts of its cluster.

use std::ffi::c_char;

use libswarm::{Health, Stats};

use crate::call::{Answer, call, swarm_call};
use crate::error::swarm_error;
use crate::guard::guard;
use crate::member::swarm_member;
use crate::sized;
use crate::status::swarm_status;

/// The state of a member as it is known locally. Start with `swarm_health health = SWARM_HEALTH_INIT;`.
#[repr(C)]
pub struct swarm_health {
    /// The size of the struct; set by SWARM_HEALTH_INIT.
    pub struct_size: usize,
    /// Connected and registered, and the last renewal was answered in time.
    pub healthy: bool,
    /// All connections that the member needs are up.
    pub connected: bool,
    /// The status of the last background error; SWARM_OK if it has gone away.
    pub trouble: i32,
    /// The milliseconds for which the member may process its active jobs without another renewal.
    pub lease_left: u64,
    /// Active jobs (worker).
    pub active: u64,
    /// Jobs or finishes that were submitted but not yet acknowledged by Redis.
    pub pending: u64,
    /// The current incarnation, NUL-terminated; empty before the first registration.
    pub incarnation: [c_char; 64],
    /// The message of the background error, NUL-terminated, cut to fit; empty if it has gone away.
    pub trouble_message: [c_char; 256],
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
    /// Jobs whose handlers were asked to stop and did not within the option `stop_grace`; each keeps a slot until its handler
    /// returns (worker).
    pub stuck: u64,
}

/// Counts of a whole cluster at one moment. Valid as long as the call from which it was read.
#[repr(C)]
pub struct swarm_stats {
    /// The size of the struct in this library; a later one may be larger.
    pub struct_size: usize,
    /// Jobs waiting for a worker.
    pub waiting: u64,
    /// Active jobs.
    pub active: u64,
    /// Deleted jobs whose worker has not yet confirmed that it stopped them.
    pub deleting: u64,
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
    /// Delayed jobs that are not due yet.
    pub delayed: u64,
    /// Jobs that wait at a limit, for their resource or for other jobs.
    pub blocked: u64,
    /// Attempts that failed and were followed by another.
    pub retries: u64,
    /// Failed jobs that were requeued by swarm_master_retry_failed.
    pub revived: u64,
    /// Records and keys that did not have the format of this protocol, and were removed, replaced or repaired.
    pub damaged: u64,
    /// Completed jobs that are kept.
    pub kept: u64,
}

/// Writes the local state of the member to `health`, whose struct_size must be set. Sends nothing to Redis and never blocks.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_member_health(
    member: Option<&swarm_member>,
    health: *mut swarm_health,
    error: *mut *mut swarm_error,
) -> swarm_status {
    guard(error, || {
        let now = swarm_member::open(member)?.core()?.health();
        // SAFETY: the caller's struct starts with its size.
        unsafe { sized::write(health, &now.into(), "health") }
    })
}

/// Starts to read the counts of the cluster from Redis; swarm_call_stats reads the answer.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_member_stats(member: Option<&swarm_member>) -> *mut swarm_call {
    call(|| {
        let member = swarm_member::open(member)?;
        let core = member.core()?.clone();
        Ok(swarm_call::spawned(
            &member.context,
            "asking for the counts",
            async move { core.stats().await.map(swarm_stats::from) },
        ))
    })
}

/// The counts of a swarm_member_stats call; NULL before its end or if it failed. Valid as long as the call.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_call_stats(call: Option<&swarm_call>) -> *const swarm_stats {
    swarm_call::read::<swarm_stats>(call).map_or(std::ptr::null(), |stats| stats)
}

impl Answer for swarm_stats {}

impl From<Health> for swarm_health {
    // Destructured field by field, so that a new field of the core does not compile until it is added here.
    fn from(health: Health) -> Self {
        let Health {
            healthy,
            connected,
            incarnation,
            lease_left,
            active,
            pending,
            error,
            registrations,
            added,
            assigned,
            finished,
            sent,
            received,
            dropped,
            stuck,
        } = health;
        swarm_health {
            struct_size: size_of::<swarm_health>(),
            healthy,
            connected,
            trouble: error.as_ref().map_or(0, |error| error.kind() as i32),
            lease_left: lease_left.as_millis() as u64,
            active,
            pending,
            incarnation: fixed(incarnation.as_deref().unwrap_or("")),
            trouble_message: fixed(error.as_ref().map_or("", |error| error.message())),
            registrations,
            added,
            assigned,
            finished,
            sent,
            received,
            dropped,
            stuck,
        }
    }
}

impl From<Stats> for swarm_stats {
    fn from(stats: Stats) -> Self {
        let Stats {
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
        } = stats;
        let struct_size = size_of::<swarm_stats>();
        swarm_stats {
            struct_size,
            waiting,
            active,
            deleting,
            failed,
            results,
            members,
            added,
            completed,
            failures,
            deleted,
            crashes,
            delayed,
            blocked,
            retries,
            revived,
            damaged,
            kept,
        }
    }
}

/// As much of `text` as fits with its NUL, cut between characters.
fn fixed<const N: usize>(text: &str) -> [c_char; N] {
    let mut end = text.len().min(N - 1);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut fixed = [0; N];
    for (place, byte) in fixed.iter_mut().zip(text[..end].bytes()) {
        *place = byte as c_char;
    }
    fixed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_between_characters() {
        let text: [c_char; 4] = fixed("aéé");
        assert_eq!(text.map(|c| c as u8), [b'a', 0xc3, 0xa9, 0]);
        let text: [c_char; 3] = fixed("aéé");
        assert_eq!(text.map(|c| c as u8), [b'a', 0, 0]);
    }
}
