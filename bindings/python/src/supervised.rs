//! The readiness of a process, for its supervisor.

use pyo3::prelude::*;

use crate::errors::raise;

/// Reports readiness. Returns whether a supervisor waited for it.
#[pyfunction]
pub(crate) fn say_ready() -> PyResult<bool> {
    libswarm_supervisor::supervised::ready().map_err(raise)
}
