//! The single runtime of the process: created with the first object, ended with the last.

use std::time::{Duration, Instant};

use libswarm::{Error, ErrorKind, Result};
use libswarm_host::runtime::{RuntimeSlot, Settings};

pub(crate) use libswarm_host::runtime::Runtime;

/// No time limit. The option `timeout` still limits every command to Redis.
pub const SWARM_NO_TIMEOUT: u64 = u64::MAX;

/// How long the end of the runtime waits for its threads. Only a name look-up can take longer; its thread is abandoned.
const SHUTDOWN: Duration = Duration::from_secs(1);

/// How long freeing an open member waits for Redis. Without an answer its lease ends later.
pub(crate) const FAREWELL: Duration = Duration::from_secs(1);

/// Only objects have shares, so the last one is never dropped on a runtime thread.
static SLOT: RuntimeSlot =
    RuntimeSlot::new(Settings { thread_name: "swarm-runtime", wait_at_end: Some(SHUTDOWN), blocks_signals: true });

/// A share in the runtime, which is created if no object has one.
pub(crate) fn share() -> Result<Runtime> {
    extern "C" fn in_child() {
        SLOT.forget_after_fork();
        crate::log::forget_default();
    }
    libswarm_host::fork::in_child_call(in_child);
    SLOT.share(crate::log::set_default)
}

/// The end of a time limit that begins now; none without a limit.
pub(crate) fn deadline(timeout_ms: u64) -> Option<Instant> {
    (timeout_ms != SWARM_NO_TIMEOUT).then(|| Instant::now().checked_add(Duration::from_millis(timeout_ms))).flatten()
}

/// The error after a time limit of the caller.
pub(crate) fn timed_out(timeout_ms: u64, doing: &str) -> Error {
    Error::new(
        ErrorKind::Timeout,
        format!("{doing} took longer than the time limit of {timeout_ms} ms; it may still take effect"),
    )
}
