//! The clock of leases: it continues while the machine is suspended, and cannot be set.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// Time since boot, including suspension.
#[cfg(target_os = "linux")]
pub(crate) fn boottime() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// On other systems the monotonic clock, which may stop while the machine is suspended: a member that was suspended for longer than its lease then
/// notices it only when Redis rejects its next call.
#[cfg(not(target_os = "linux"))]
pub(crate) fn boottime() -> Duration {
    use std::sync::LazyLock;
    use std::time::Instant;
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed()
}

/// The instant after a duration; a distant one if that is out of range.
pub(crate) fn from_now(duration: Duration) -> tokio::time::Instant {
    tokio::time::Instant::now() + duration.min(libswarm_common::value::YEAR)
}

/// Resolves when `deadline` (of [`boottime`]) has passed. Timers stop during suspension: with `promptly` it checks every 250 ms, which is half of
/// the smallest margin between the end of a member's right to act and the end of its lease; else when it is polled, and when its timer ends.
pub(crate) async fn reached(deadline: Duration, promptly: bool) {
    let longest = if promptly { Duration::from_millis(250) } else { Duration::MAX };
    while let Some(left) = deadline.checked_sub(boottime()).filter(|left| !left.is_zero()) {
        tokio::time::sleep(left.min(longest)).await;
    }
}

/// The clock of the cluster as this member estimates it: the replies of rounds have its time.
pub(crate) struct ClusterClock {
    /// Its time minus that of [`boottime`], in ms; `UNKNOWN` before the first reply.
    offset: AtomicI64,
}

const UNKNOWN: i64 = i64::MIN;
/// A reply that took longer does not replace an estimate: its error is half of that at most.
const PRECISE: Duration = Duration::from_millis(100);

impl Default for ClusterClock {
    fn default() -> Self {
        ClusterClock { offset: AtomicI64::new(UNKNOWN) }
    }
}

impl ClusterClock {
    /// A call that was sent at `sent`, on the clock of [`boottime`], was answered now with the cluster's time in ms.
    pub(crate) fn answered(&self, sent: Duration, time: u64) {
        let received = boottime();
        let took = received.saturating_sub(sent);
        if took <= PRECISE || self.offset.load(Ordering::Relaxed) == UNKNOWN {
            let middle = sent + took / 2;
            self.offset.store(time as i64 - middle.as_millis() as i64, Ordering::Relaxed);
        }
    }

    /// The cluster's time in ms; `None` before the first reply.
    pub(crate) fn now(&self) -> Option<u64> {
        let offset = Some(self.offset.load(Ordering::Relaxed)).filter(|offset| *offset != UNKNOWN)?;
        u64::try_from(offset.saturating_add(boottime().as_millis() as i64)).ok()
    }

    /// A time of the cluster in ms as one of [`boottime`]; 0 if it is before that.
    pub(crate) fn local(&self, time: u64) -> Option<Duration> {
        let offset = Some(self.offset.load(Ordering::Relaxed)).filter(|offset| *offset != UNKNOWN)?;
        let local = i64::try_from(time).ok()?.saturating_sub(offset);
        Some(Duration::from_millis(local.max(0) as u64))
    }
}
