//! Flows and inputs as the package shows them.

use libswarm::{AddedFlow, FlowInfo, Input, InputOutcome};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::package::{fields, make, package};
use crate::payload::decode;

pub(crate) fn added<'py>(py: Python<'py>, flow: &AddedFlow) -> PyResult<Bound<'py, PyAny>> {
    let AddedFlow { id, existed, jobs } = flow;
    let package = package(py)?;
    let jobs: Vec<_> = jobs
        .iter()
        .map(|job| make(&package.added, &fields!(py; id = &job.id, existed = job.existed)))
        .collect::<PyResult<_>>()?;
    make(&package.added_flow, &fields!(py; id, existed, jobs))
}

pub(crate) fn info<'py>(py: Python<'py>, flow: &FlowInfo) -> PyResult<Bound<'py, PyAny>> {
    let FlowInfo { id, cancel_rest, jobs } = flow;
    let package = package(py)?;
    let jobs: Vec<_> = jobs
        .iter()
        .map(|job| make(&package.flow_job, &fields!(py; id = &job.id, state = job.state.name(), after = &job.after)))
        .collect::<PyResult<_>>()?;
    make(&package.flow_info, &fields!(py; id, cancel_rest, jobs))
}

/// A dict by the ids of the jobs.
pub(crate) fn inputs<'py>(py: Python<'py>, inputs: &[Input]) -> PyResult<Bound<'py, PyAny>> {
    let class = &package(py)?.input;
    let dict = PyDict::new(py);
    for Input { id, outcome } in inputs {
        let (mut result, mut reason, mut error) = (None, None, None);
        let state = match outcome {
            InputOutcome::Completed(payload) => {
                result = payload.as_ref().map(|payload| decode(py, payload)).transpose()?;
                "completed"
            }
            InputOutcome::Failed(failure) => {
                (reason, error) = (Some(failure.reason.name()), Some(&*failure.message));
                "failed"
            }
            InputOutcome::Deleted => "deleted",
        };
        dict.set_item(id, make(class, &fields!(py; state, result, reason, error))?)?;
    }
    Ok(dict.into_any())
}
