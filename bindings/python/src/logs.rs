//! The core's log records for Python. A Python thread takes them: a thread of the core must not run Python code, which may block until the
//! interpreter is finalized.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use libswarm_host::lock::Mutex;
use libswarm_host::log::{OpenSink, Sinks};

use libswarm::log::{LogRecord, LogSink, set_sink};
use pyo3::prelude::*;

use crate::errors::raise;
use crate::fork::Owned;
use crate::mailbox::{Mailbox, Post};

/// Limit of records that wait for Python; more are dropped and counted.
const QUEUE: usize = 4096;

#[derive(Default)]
struct Queue {
    records: VecDeque<LogRecord>,
    dropped: u64,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    /// Notified when a sink was dropped, after its last record.
    sinks: Arc<Sinks>,
}

/// Records that wait for Python.
#[pyclass(frozen, module = "libswarm._native")]
pub(crate) struct Log {
    inner: Owned<(Arc<Shared>, Arc<Post>)>,
}

/// The receiver of the core's records. Contains no Python object, because it is dropped on a thread of the core.
struct Sink {
    shared: Arc<Shared>,
    post: Arc<Post>,
    _open: OpenSink<Arc<Sinks>>,
}

impl Sink {
    fn push(&self, record: &LogRecord) {
        let mut queue = self.shared.queue.lock();
        if queue.records.len() < QUEUE {
            queue.records.push_back(record.clone());
        } else {
            queue.dropped += 1;
        }
        drop(queue);
        self.post.announce();
    }
}

#[pymethods]
impl Log {
    /// `mailbox` announces records.
    #[new]
    fn new(mailbox: &Mailbox) -> PyResult<Self> {
        Ok(Log { inner: Owned::new((Arc::default(), mailbox.post()?)) })
    }

    /// Receives records up to `level` from now on: 1 error to 5 trace, 0 none.
    fn fill(&self, py: Python<'_>, level: u8) -> PyResult<()> {
        let (shared, post) = self.inner.get().map_err(raise)?;
        let sink = (level > 0).then(|| {
            let sink = Sink { shared: shared.clone(), post: post.clone(), _open: OpenSink::new(shared.sinks.clone()) };
            Box::new(move |record: &LogRecord| sink.push(record)) as LogSink
        });
        py.detach(|| set_sink(level, sink)).map_err(raise)
    }

    /// Waits until no sink fills the queue, at most this many seconds.
    fn wait(&self, py: Python<'_>, seconds: f64) -> PyResult<()> {
        let (shared, _) = self.inner.get().map_err(raise)?;
        py.detach(|| shared.sinks.wait(Duration::from_secs_f64(seconds)));
        Ok(())
    }

    /// Takes all waiting records, as `(level, target, message)`.
    fn take(&self) -> PyResult<Vec<(u8, String, String)>> {
        let mut queue = self.inner.get().map_err(raise)?.0.queue.lock();
        let records = std::mem::take(&mut queue.records);
        let dropped = std::mem::take(&mut queue.dropped);
        drop(queue);
        let lost = (dropped > 0).then(|| {
            let message = format!("{dropped} log records were dropped, because Python's handlers are slow");
            (2, "libswarm::log".to_owned(), message)
        });
        Ok(records.into_iter().map(|record| (record.level, record.target, record.message)).chain(lost).collect())
    }
}
