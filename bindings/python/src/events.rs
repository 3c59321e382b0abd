//! Events of members as tuples of Python.

use libswarm::Event;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::errors::to_object;
use crate::messages::{self, Message};

/// An event without a job. None for an event with one.
pub(crate) fn event_tuple<'py>(py: Python<'py>, event: Event, rejoin: bool) -> PyResult<Option<Bound<'py, PyAny>>> {
    let tuple: Bound<'py, PyTuple> = match event {
        Event::Ready { incarnation } => ("ready", incarnation).into_pyobject(py)?,
        Event::Error(error) => ("error", to_object(py, &error)?).into_pyobject(py)?,
        Event::Close(None) => ("close", py.None(), true).into_pyobject(py)?,
        Event::Close(Some(error)) => ("close", to_object(py, &error)?, !rejoin).into_pyobject(py)?,
        Event::Message(message) => ("message", Message::new(message)).into_pyobject(py)?,
        Event::Kill { code, from } => ("kill", messages::kill(py, code, &from)?).into_pyobject(py)?,
        Event::Member { change, role, member } => ("member", messages::change(py, change, role, &member)?).into_pyobject(py)?,
        Event::Add(_) | Event::Delete { .. } | Event::Completed { .. } | Event::Failed { .. } | Event::Retrying { .. } => {
            return Ok(None);
        }
    };
    Ok(Some(tuple.into_any()))
}
