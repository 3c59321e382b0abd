//! The one runtime of the process: made with the first handle, ended with the last.

use std::time::{Duration, Instant};

use libswarm::{Error, ErrorKind, Result};
use libswarm_host::runtime::{RuntimeSlot, Settings};

pub(crate) use libswarm_host::runtime::Runtime;

/// No time limit beyond the option `timeout`, which bounds every command to Redis.
pub const SWARM_NO_TIMEOUT: u64 = u64::MAX;

/// How long the end of the runtime waits for its threads; only a name look-up can take longer, and is left behind.
const SHUTDOWN: Duration = Duration::from_secs(1);

/// How long freeing an open member waits for Redis to learn of it; without an answer its lease ends.
pub(crate) const FAREWELL: Duration = Duration::from_secs(1);

/// Only handles have shares, so the last one is never dropped on a runtime thread.
static SLOT: RuntimeSlot =
    RuntimeSlot::new(Settings { thread_name: "swarm-runtime", wait_at_end: Some(SHUTDOWN), blocks_signals: true });

/// A share in the runtime, which is made if no handle has one.
pub(crate) fn share() -> Result<Runtime> {
    extern "C" fn in_child() {
        SLOT.forget_after_fork();
        crate::log::forget_default();
    }
    libswarm_host::fork::in_child_call(in_child);
    SLOT.share(crate::log::set_default)
}

/// When a time limit that begins now is over; never without one.
pub(crate) fn deadline(timeout_ms: u64) -> Option<Instant> {
    (timeout_ms != SWARM_NO_TIMEOUT).then(|| Instant::now().checked_add(Duration::from_millis(timeout_ms))).flatten()
}

/// The error of a time limit of the caller's.
pub(crate) fn timed_out(timeout_ms: u64, doing: &str) -> Error {
    Error::new(ErrorKind::Timeout, format!("{doing} took longer than the {timeout_ms} ms given; it may still happen"))
}
