//! The handler that runs in forked children.

use pyo3::PyResult;

pub(crate) use libswarm_host::fork::Owned;

use crate::errors::raise;

/// Detects every fork, even if Python does not. Called once, when the module is loaded.
pub(crate) fn install() -> PyResult<()> {
    /// Uses only atomics and sigaction: little else is allowed between fork and exec in a process that had threads.
    extern "C" fn in_child() {
        crate::runtime::forget_after_fork();
        crate::signals::give_back_after_fork();
    }
    libswarm_host::fork::in_child_call(in_child);
    libswarm_host::fork::watch().map_err(raise)
}
