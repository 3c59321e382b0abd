//! When the newest job passed the stages between Redis and its program, for benchmarks. Without the feature `bindings` nothing is compiled; with it, a batch costs one load until somebody measures.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Points on the way of a job.
#[derive(Clone, Copy)]
pub(crate) enum Stage {
    /// The inbox was read.
    Read,
    /// The event is queued for the program.
    Queued,
    /// The program takes it.
    Taken,
}

static MEASURED: AtomicBool = AtomicBool::new(false);
static TIMES: [AtomicU64; 3] = [const { AtomicU64::new(0) }; 3];

/// Notes times from now on.
#[cfg(feature = "bindings")]
pub fn measure_stages() {
    MEASURED.store(true, Ordering::Relaxed);
}

/// When the newest job was read from its inbox, queued for the program and taken by it, in nanoseconds of `CLOCK_MONOTONIC`; 0 where none was.
#[cfg(feature = "bindings")]
pub fn stages() -> [u64; 3] {
    std::array::from_fn(|stage| TIMES[stage].load(Ordering::Acquire))
}

/// Notes that a job passes this stage, if anybody measures.
pub(crate) fn mark(stage: Stage) {
    if cfg!(feature = "bindings") && MEASURED.load(Ordering::Relaxed) {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        TIMES[stage as usize].store(now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64, Ordering::Release);
    }
}
