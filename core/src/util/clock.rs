//! The clock of leases: it continues while the machine is suspended, and cannot be set.

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
