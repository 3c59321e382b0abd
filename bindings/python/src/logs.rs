//! The core's log records, handed to Python on the log's own thread.

use libswarm::log::{LogRecord, set_sink};
use pyo3::prelude::*;

use crate::errors::raise;

/// Sends records up to `level` (1 error to 5 trace, 0 none) to `sink(level, target, message)`, or to nobody if None.
#[pyfunction]
#[pyo3(signature = (level, sink=None))]
pub(crate) fn set_log_sink(py: Python<'_>, level: u8, sink: Option<Py<PyAny>>) -> PyResult<()> {
    let Some(sink) = sink else {
        // Detached: the log's thread may be waiting to hand over a record.
        return py.detach(|| set_sink(0, None)).map_err(raise);
    };
    let forward = Box::new(move |record: &LogRecord| {
        // When the interpreter is ending there is nobody to tell.
        Python::try_attach(|py| {
            if let Err(error) = sink.call1(py, (record.level, &record.target, &record.message)) {
                error.write_unraisable(py, None);
            }
        });
    });
    py.detach(|| set_sink(level, Some(forward))).map_err(raise)
}
