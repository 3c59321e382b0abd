//! Transitions of jobs as the package shows them.

use libswarm::JobEvent;
use pyo3::prelude::*;

use crate::info::seconds;
use crate::package::{fields, make, package};

// Destructured in full, so that a new field of the core does not compile until it is added here.

pub(crate) fn event<'py>(py: Python<'py>, event: &JobEvent) -> PyResult<Bound<'py, PyAny>> {
    let JobEvent { position, kind, time, id, task, worker, fence, reason, text, due_at, name } = event;
    let fields = fields!(py;
        position,
        kind = kind.name(),
        time = seconds(*time),
        id,
        task,
        worker,
        fence = fence.unwrap_or(0),
        reason,
        text,
        due_at = due_at.map(seconds),
        name,
    );
    make(&package(py)?.job_event, &fields)
}
