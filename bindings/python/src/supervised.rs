//! What a process can say to its supervisor.

use pyo3::prelude::*;

use crate::errors::raise;

/// Whether somebody waited for it.
#[pyfunction]
pub(crate) fn say_ready() -> PyResult<bool> {
    libswarm_supervisor::supervised::ready().map_err(raise)
}
