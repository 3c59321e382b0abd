//! The transitions of jobs, as a master follows them.

use std::sync::Arc;

use libswarm::{Error, ErrorKind, EventsOptions, Master, Result};
use pyo3::prelude::*;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;

use crate::call::Call;
use crate::errors::raise;
use crate::fork::Owned;
use crate::runtime::Runtime;
use crate::value::Value;

/// Limit of events per crossing.
const BATCH: usize = 256;

/// A follower. Dropping it ends the following.
#[pyclass(frozen, module = "libswarm._native")]
pub(crate) struct JobEvents {
    inner: Owned<(Arc<Following>, Runtime)>,
}

struct Following {
    progress: Mutex<Progress>,
    closed: watch::Sender<bool>,
}

enum Progress {
    /// A separate task, so that an aborted wait does not end the start.
    Starting(JoinHandle<Result<libswarm::JobEvents>>),
    Started(libswarm::JobEvents),
    /// It could not start.
    Over(Error),
}

impl Progress {
    async fn started(&mut self) -> Result<&mut libswarm::JobEvents> {
        if let Progress::Starting(starting) = self {
            let started = starting.await.unwrap_or_else(|_| Err(Error::new(ErrorKind::Closed, "the master is closed")));
            *self = started.map_or_else(Progress::Over, Progress::Started);
        }
        match self {
            Progress::Started(events) => Ok(events),
            Progress::Over(error) => Err(error.clone()),
            Progress::Starting(_) => Err(Error::new(ErrorKind::Internal, "a follower has not started")),
        }
    }
}

impl JobEvents {
    /// Starts at once.
    pub(crate) fn start(master: Master, runtime: Runtime, options: EventsOptions) -> JobEvents {
        let starting = runtime.handle().spawn(async move { master.events(options).await });
        let following = Following { progress: Mutex::new(Progress::Starting(starting)), closed: watch::Sender::new(false) };
        JobEvents { inner: Owned::new((Arc::new(following), runtime)) }
    }
}

#[pymethods]
impl JobEvents {
    /// Waits until transitions are recorded.
    fn ready(&self) -> PyResult<Call> {
        let (following, runtime) = self.inner.get().map_err(raise)?;
        let following = following.clone();
        let ready = async move { following.progress.lock().await.started().await.map(|_| Value::Nothing) };
        Ok(Call::spawn(runtime, None, None, ready))
    }

    /// Waits for the next events. Returns a list of them, empty at the end.
    fn take(&self) -> PyResult<Call> {
        let (following, runtime) = self.inner.get().map_err(raise)?;
        Ok(Call::spawn(runtime, None, None, take(following.clone())))
    }

    /// Ends the following, and a wait for events.
    fn close(&self) -> PyResult<()> {
        let (following, _) = self.inner.get().map_err(raise)?;
        following.closed.send_replace(true);
        // If it is in use, `take` ends it.
        if let Ok(mut progress) = following.progress.try_lock() {
            *progress = Progress::Over(over());
        }
        Ok(())
    }
}

fn over() -> Error {
    Error::new(ErrorKind::Closed, "the events are closed")
}

async fn take(following: Arc<Following>) -> Result<Value> {
    let mut closed = following.closed.subscribe();
    let mut progress = following.progress.lock().await;
    let events = tokio::select! {
        biased;
        _ = closed.wait_for(|closed| *closed) => None,
        events = async { progress.started().await?.next_many(BATCH).await } => Some(events?),
    };
    if events.is_none() {
        *progress = Progress::Over(over());
    }
    Ok(Value::Events(events.unwrap_or_default()))
}
