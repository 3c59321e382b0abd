//! The core's errors as the exception classes of `libswarm.errors`.

use libswarm::{Error, ErrorKind, Failure};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyModule;

/// The name of the class for a kind. No default arm: a new kind must be given a class to compile.
fn class_name(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidArgument => "SwarmInvalidArgument",
        ErrorKind::TooLarge => "SwarmTooLarge",
        ErrorKind::Unavailable => "SwarmUnavailable",
        ErrorKind::AuthFailed => "SwarmAuthFailed",
        ErrorKind::PermissionDenied => "SwarmPermissionDenied",
        ErrorKind::WrongServer => "SwarmWrongServer",
        ErrorKind::UnsupportedVersion => "SwarmUnsupportedVersion",
        ErrorKind::ReadOnlyReplica => "SwarmReadOnlyReplica",
        ErrorKind::EvictionPolicy => "SwarmEvictionPolicy",
        ErrorKind::StoreFull => "SwarmStoreFull",
        ErrorKind::StoreCorrupt => "SwarmStoreCorrupt",
        ErrorKind::ProtocolVersion => "SwarmProtocolVersion",
        ErrorKind::Timeout => "SwarmTimeout",
        ErrorKind::OutcomeUnknown => "SwarmOutcomeUnknown",
        ErrorKind::Cancelled => "SwarmCancelled",
        ErrorKind::Closed => "SwarmClosed",
        ErrorKind::StaleFence => "SwarmStaleFence",
        ErrorKind::NotFound => "SwarmNotFound",
        ErrorKind::JobDeleted => "SwarmJobDeleted",
        ErrorKind::JobFailed => "SwarmJobFailed",
        ErrorKind::LeaseLost => "SwarmLeaseLost",
        ErrorKind::Tls => "SwarmTls",
        ErrorKind::Forked => "SwarmForked",
        ErrorKind::InCallback => "SwarmInCallback",
        ErrorKind::Panic => "SwarmPanic",
        ErrorKind::Internal => "SwarmInternal",
        ErrorKind::AssignTimeout => "SwarmAssignTimeout",
        ErrorKind::RunTimeout => "SwarmRunTimeout",
        ErrorKind::TotalTimeout => "SwarmTotalTimeout",
        ErrorKind::NotDurable => "SwarmNotDurable",
        ErrorKind::MessagesDropped => "SwarmMessagesDropped",
        ErrorKind::TooManyClients => "SwarmTooManyClients",
        ErrorKind::ProtectedMode => "SwarmProtectedMode",
        ErrorKind::PersistenceFailed => "SwarmPersistenceFailed",
        ErrorKind::NotEnoughReplicas => "SwarmNotEnoughReplicas",
        ErrorKind::ProxyFailed => "SwarmProxyFailed",
        ErrorKind::BufferFull => "SwarmBufferFull",
    }
}

/// Number, name, class and retryability of every kind, for the test that no class is missing.
#[pyfunction]
pub(crate) fn error_kinds() -> Vec<(i32, &'static str, &'static str, bool)> {
    ErrorKind::ALL.iter().map(|kind| (*kind as i32, kind.name(), class_name(*kind), kind.is_retryable())).collect()
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
    classes(py)?.getattr(class_name(error.kind()))?.call1((error.message(),))
}

/// The exception for a job that ended as failed.
pub(crate) fn job_failed(py: Python<'_>, failure: &Failure) -> PyErr {
    let made = classes(py)
        .and_then(|classes| classes.getattr(class_name(failure.kind())))
        .and_then(|class| class.call1((&failure.message, &failure.reason)));
    made.map_or_else(|broken| broken, PyErr::from_value)
}

/// Whether a raised exception is an error of libswarm.
pub(crate) fn is_ours(py: Python<'_>, raised: &PyErr) -> PyResult<bool> {
    Ok(raised.matches(py, classes(py)?.getattr("SwarmError")?)?)
}

/// An argument of the wrong form, found by this front.
pub(crate) fn invalid(message: impl Into<String>) -> PyErr {
    raise(Error::new(ErrorKind::InvalidArgument, message))
}

/// What is raised when an object that is tied to this process is to be copied or pickled.
pub(crate) fn not_copied(what: &str, instead: &str) -> PyErr {
    pyo3::exceptions::PyTypeError::new_err(format!(
        "{what} cannot be copied or pickled: it belongs to its process; pass on {instead}"
    ))
}

pub(crate) fn classes(py: Python<'_>) -> PyResult<&Bound<'_, PyModule>> {
    static MODULE: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
    Ok(MODULE.get_or_try_init(py, || py.import("libswarm.errors").map(Bound::unbind))?.bind(py))
}
