//! What a forked child does before it goes on.

use pyo3::PyResult;

pub(crate) use libswarm_host::fork::Owned;

use crate::errors::raise;

/// Notices every fork, also one that Python does not know of. Called once, when the module is loaded.
pub(crate) fn install() -> PyResult<()> {
    /// Only atomics and sigaction: little else is allowed between fork and exec in a process that had threads.
    extern "C" fn in_child() {
        crate::runtime::forget_after_fork();
        crate::signals::give_back_after_fork();
    }
    libswarm_host::fork::in_child_call(in_child);
    libswarm_host::fork::watch().map_err(raise)
}
