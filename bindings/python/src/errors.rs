//! Converts the core's errors to the exception classes of `libswarm.errors`.

use libswarm::{Error, ErrorKind, Failure};
use pyo3::prelude::*;

use crate::package::package;

/// Number, name and retryability of every kind, for the test that the classes match.
#[pyfunction]
pub(crate) fn error_kinds() -> Vec<(i32, &'static str, bool)> {
    ErrorKind::ALL.iter().map(|kind| (*kind as i32, kind.name(), kind.is_retryable())).collect()
}

/// The exception to raise for an error of the core.
pub(crate) fn raise(error: Error) -> PyErr {
    Python::attach(|py| match to_object(py, &error) {
        Ok(exception) => PyErr::from_value(exception),
        Err(broken) => broken,
    })
}

/// The exception object for an error of the core.
pub(crate) fn to_object<'py>(py: Python<'py>, error: &Error) -> PyResult<Bound<'py, PyAny>> {
    package(py)?.error_class(py, error.kind()).call1((error.message(),))
}

/// The exception for a job that failed.
pub(crate) fn job_failed(py: Python<'_>, failure: &Failure) -> PyErr {
    let made =
        package(py).and_then(|package| package.error_class(py, failure.kind()).call1((&failure.message, failure.reason.name())));
    made.map_or_else(|broken| broken, PyErr::from_value)
}

/// Whether a raised exception is an error of libswarm.
pub(crate) fn is_ours(py: Python<'_>, raised: &PyErr) -> PyResult<bool> {
    Ok(raised.matches(py, package(py)?.error.bind(py))?)
}

/// The exception for an invalid argument.
pub(crate) fn invalid(message: impl Into<String>) -> PyErr {
    raise(Error::new(ErrorKind::InvalidArgument, message))
}

/// The exception for copying or pickling an object that belongs to its process.
pub(crate) fn not_copied(what: &str, instead: &str) -> PyErr {
    pyo3::exceptions::PyTypeError::new_err(format!(
        "{what} cannot be copied or pickled: it belongs to its process; pass on {instead}"
    ))
}
