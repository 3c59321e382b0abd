//! The clock that leases are counted on: it goes on while the machine is suspended, and nobody can set it.

use std::time::Duration;

/// Time since boot, suspension included.
#[cfg(target_os = "linux")]
pub(crate) fn boottime() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// Elsewhere the monotonic clock, which may stand still while the machine is suspended: a member that was suspended past
/// its lease then fences itself only when Redis refuses its next call.
#[cfg(not(target_os = "linux"))]
pub(crate) fn boottime() -> Duration {
    use std::sync::LazyLock;
    use std::time::Instant;
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed()
}

/// The instant after a duration; of one that cannot be counted, one that is far away.
pub(crate) fn from_now(duration: Duration) -> tokio::time::Instant {
    tokio::time::Instant::now() + duration.min(libswarm_common::value::YEAR)
}

/// Resolves when `deadline` (of [`boottime`]) has passed. Timers stand still in suspension: with `promptly` it looks every 250 ms, which is
/// half of the smallest margin between a member's right and its lease; else when it is polled, and when its timer ends.
pub(crate) async fn reached(deadline: Duration, promptly: bool) {
    let longest = if promptly { Duration::from_millis(250) } else { Duration::MAX };
    while let Some(left) = deadline.checked_sub(boottime()).filter(|left| !left.is_zero()) {
        tokio::time::sleep(left.min(longest)).await;
    }
}
