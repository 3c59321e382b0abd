//! Processes and their events, as the fields of the package's classes.

use std::time::{Duration, UNIX_EPOCH};

use libswarm_supervisor::{ProcessExit, ProcessInfo, ProcessState, ProcessStream, SupervisorEvent};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use crate::errors::to_object;
use crate::package::{fields, make, package};

// Destructured in full, so that a new field of the core does not compile until it is added here.

/// The kind of an event, and the fields of its class in their order.
pub(crate) fn event_tuple<'py>(py: Python<'py>, event: SupervisorEvent) -> PyResult<Bound<'py, PyTuple>> {
    match event {
        SupervisorEvent::Started { id, name, pid } => ("started", (id, &*name, pid)).into_pyobject(py),
        SupervisorEvent::Ready { id, name, pid } => ("ready", (id, &*name, pid)).into_pyobject(py),
        SupervisorEvent::Exited { id, name, pid, exit, respawn } => {
            let respawn = respawn.as_ref().map(Duration::as_secs_f64);
            ("exited", (id, &*name, pid, exit_fields(&exit), respawn)).into_pyobject(py)
        }
        SupervisorEvent::GaveUp { id, name } => ("gave_up", (id, &*name)).into_pyobject(py),
        SupervisorEvent::Line { id, name, pid, stream, line } => {
            let stream = match stream {
                ProcessStream::Stdout => "stdout",
                ProcessStream::Stderr => "stderr",
            };
            ("line", (id, &*name, pid, stream, PyBytes::new(py, &line))).into_pyobject(py)
        }
        SupervisorEvent::Dropped { lines, events } => ("dropped", (lines, events)).into_pyobject(py),
        SupervisorEvent::Reloaded => ("reloaded", PyTuple::empty(py)).into_pyobject(py),
        SupervisorEvent::ReloadFailed { id, error } => ("reload_failed", (id, to_object(py, &error)?)).into_pyobject(py),
        SupervisorEvent::Signal { signal } => ("signal", (signal,)).into_pyobject(py),
        SupervisorEvent::Stopped => ("stopped", PyTuple::empty(py)).into_pyobject(py),
    }
}

/// `(reason, code, signal, message)`
fn exit_fields(exit: &ProcessExit) -> (&'static str, Option<i32>, Option<i32>, String) {
    let (reason, code, signal) = match exit {
        ProcessExit::Code(code) => ("code", Some(*code), None),
        ProcessExit::Signal(signal) => ("signal", None, Some(*signal)),
        ProcessExit::NotReady => ("not_ready", None, None),
        ProcessExit::NotStarted(_) => ("not_started", None, None),
        ProcessExit::Unknown => ("unknown", None, None),
    };
    (reason, code, signal, exit.to_string())
}

pub(crate) fn info<'py>(py: Python<'py>, info: &ProcessInfo) -> PyResult<Bound<'py, PyAny>> {
    let ProcessInfo { id, name, pid, state, started_at, restarts } = info;
    let state = match state {
        ProcessState::Starting => "starting",
        ProcessState::Ready => "ready",
        ProcessState::Stopping => "stopping",
        ProcessState::Pausing => "pausing",
        ProcessState::GaveUp => "gave_up",
    };
    let started_at = started_at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    make(&package(py)?.process_info, &fields!(py; id, name = &**name, pid, state, started_at, restarts))
}
