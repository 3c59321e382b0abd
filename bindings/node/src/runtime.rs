//! The runtime of libswarm: created with the first member of the process, ended with the last.

use libswarm::Error;
use libswarm_host::runtime::{RuntimeSlot, Settings};

pub use libswarm_host::runtime::Runtime;

/// The last share may be dropped by a task of the runtime, so its end is not awaited. Node handles signals on its own thread.
static SLOT: RuntimeSlot = RuntimeSlot::new(Settings { thread_name: "assemblage", wait_at_end: None, blocks_signals: false });

/// A share in the runtime of this process.
pub fn share() -> Result<Runtime, Error> {
    SLOT.share(|| ())
}
