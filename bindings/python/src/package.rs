//! The classes and functions of the Python package that this module uses. The package passes them in when it is imported, so that this
//! module imports nothing above it.

use std::collections::HashMap;

use libswarm::ErrorKind;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple};

static PACKAGE: PyOnceLock<Package> = PyOnceLock::new();

macro_rules! package {
    ($($field:ident = $name:literal,)*) => {
        /// What was passed to `install`.
        pub(crate) struct Package {
            /// By the number of the kind.
            errors: HashMap<i32, Py<PyAny>>,
            $(pub(crate) $field: Py<PyAny>,)*
        }

        impl Package {
            fn read(parts: &Bound<'_, PyDict>) -> PyResult<Self> {
                let part = |name: &str| match parts.get_item(name)? {
                    Some(part) => Ok(part.unbind()),
                    None => Err(PyRuntimeError::new_err(format!("the package passes no `{name}` to its native module"))),
                };
                Ok(Package { errors: errors(parts)?, $($field: part($name)?,)* })
            }
        }
    };
}

package! {
    error = "SwarmError",
    new_job = "NewJob",
    candidate = "Candidate",
    added = "Added",
    added_flow = "AddedFlow",
    flow_info = "FlowInfo",
    flow_job = "FlowJob",
    health = "Health",
    histogram = "Histogram",
    input = "Input",
    job_info = "JobInfo",
    job_page = "JobPage",
    kill_request = "KillRequest",
    member_change = "MemberChange",
    member_info = "MemberInfo",
    member_ref = "MemberRef",
    metrics_row = "MetricsRow",
    process_info = "ProcessInfo",
    queue_count = "QueueCount",
    queues = "Queues",
    receipt = "Receipt",
    reply = "Reply",
    job_event = "JobEvent",
    limit_info = "LimitInfo",
    log_line = "LogLine",
    failed_attempt = "FailedAttempt",
    schedule_info = "ScheduleInfo",
    schedule_page = "SchedulePage",
    stats = "Stats",
    check_job_listener = "check_job_listener",
    to_json = "to_json",
    traceback_of = "traceback_of",
}

impl Package {
    /// The exception class of a kind of error.
    pub(crate) fn error_class<'py>(&self, py: Python<'py>, kind: ErrorKind) -> &Bound<'py, PyAny> {
        // `install` has refused a package without a class for some kind.
        self.errors.get(&(kind as i32)).unwrap_or(&self.error).bind(py)
    }
}

/// The class of each kind, by the number that it has as `code`.
fn errors(parts: &Bound<'_, PyDict>) -> PyResult<HashMap<i32, Py<PyAny>>> {
    let mut errors = HashMap::new();
    for part in parts.values() {
        if let Ok(code) = part.getattr("code")
            && let Ok(code) = code.extract::<i32>()
        {
            errors.insert(code, part.unbind());
        }
    }
    match ErrorKind::ALL.iter().find(|kind| !errors.contains_key(&(**kind as i32))) {
        Some(kind) => Err(PyRuntimeError::new_err(format!("the package has no exception class for {}", kind.name()))),
        None => Ok(errors),
    }
}

/// Receives the classes and functions of the package, by their names. Only the first call has an effect.
#[pyfunction]
#[pyo3(signature = (**parts))]
pub(crate) fn install(py: Python<'_>, parts: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
    let parts = parts.cloned().unwrap_or_else(|| PyDict::new(py));
    PACKAGE.get_or_try_init(py, || Package::read(&parts)).map(drop)
}

pub(crate) fn package(py: Python<'_>) -> PyResult<&Package> {
    PACKAGE.get(py).ok_or_else(|| PyRuntimeError::new_err("this module is private; import libswarm"))
}

/// Creates an object of a class of the package from fields by name.
pub(crate) fn make<'py>(class: &Py<PyAny>, fields: &Bound<'py, PyDict>) -> PyResult<Bound<'py, PyAny>> {
    let py = fields.py();
    class.bind(py).call(PyTuple::empty(py), Some(fields))
}

/// A `PyDict` of fields: `fields!(py; a, b = value)`.
macro_rules! fields {
    ($py:expr; $($name:ident $(= $value:expr)?),* $(,)?) => {{
        let fields = pyo3::types::PyDict::new($py);
        $(fields.set_item(pyo3::intern!($py, stringify!($name)), $crate::package::fields!(@ $name $($value)?))?;)*
        fields
    }};
    (@ $name:ident) => { $name };
    (@ $name:ident $value:expr) => { $value };
}
pub(crate) use fields;
