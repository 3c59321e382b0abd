//! The runtime of all members of this process.

use libswarm::Result;
use libswarm_host::runtime::{RuntimeSlot, Settings};

pub(crate) use libswarm_host::runtime::Runtime;

/// The last share may be dropped by a task of the runtime, so its end is not awaited.
static SLOT: RuntimeSlot = RuntimeSlot::new(Settings { thread_name: "libswarm", wait_at_end: None, blocks_signals: true });

/// A share in the runtime of this process.
pub(crate) fn current() -> Result<Runtime> {
    SLOT.share(|| ())
}

/// In a forked child: the runtime belongs to the parent.
pub(crate) fn forget_after_fork() {
    SLOT.forget_after_fork();
}
