//! The outcomes of many jobs, each as its job finishes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use libswarm::{Error, ErrorKind, Master, NewJob, Outcome, Result};
use pyo3::prelude::*;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use crate::call::{Call, Limit};
use crate::errors::raise;
use crate::fork::Owned;
use crate::runtime::Runtime;
use crate::value::Value;

/// Limit of outcomes per crossing.
const BATCH: usize = 256;

/// Jobs that were added together. Dropping it ends the waits, not the jobs.
#[pyclass(frozen, module = "libswarm._native")]
pub(crate) struct Group {
    inner: Owned<(Arc<Mutex<Progress>>, Runtime)>,
    deadline: Option<Instant>,
}

enum Progress {
    /// A separate task, so that an aborted wait loses no outcome.
    Adding(JoinHandle<Result<libswarm::Group>>),
    Added(libswarm::Group),
    /// The jobs could not be added, or the master is closed.
    Over(Error),
}

impl Progress {
    /// Waits until the jobs are added, or could not be.
    async fn begun(&mut self) {
        if let Progress::Adding(adding) = self {
            let added = adding.await.unwrap_or_else(|_| Err(closed()));
            *self = added.map_or_else(Progress::Over, Progress::Added);
        }
    }
}

impl Group {
    /// Adds the jobs at once.
    pub(crate) fn start(master: Master, runtime: Runtime, jobs: Vec<NewJob>, limit: Option<Duration>) -> Group {
        let adding = runtime.handle().spawn(async move { master.run_each(jobs).await });
        let progress = Arc::new(Mutex::new(Progress::Adding(adding)));
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        Group { inner: Owned::new((progress, runtime)), deadline }
    }

    fn limit(&self) -> Limit {
        let left = |deadline: Instant| deadline.saturating_duration_since(Instant::now());
        self.deadline.map(|deadline| (left(deadline), "not all jobs have finished; the others continue"))
    }
}

#[pymethods]
impl Group {
    /// Waits until a job has finished. Returns `[(position, value or error)]` of all that have; `[]` after the last.
    fn take(&self) -> PyResult<Call> {
        let (progress, runtime) = self.inner.get().map_err(raise)?;
        Ok(Call::spawn(runtime, None, self.limit(), ended(progress.clone())))
    }

    /// Waits until Redis has stored the jobs: `[(id, existed, replaced)]`.
    fn added(&self) -> PyResult<Call> {
        let (progress, runtime) = self.inner.get().map_err(raise)?;
        Ok(Call::spawn(runtime, None, self.limit(), added(progress.clone())))
    }
}

async fn added(progress: Arc<Mutex<Progress>>) -> Result<Value> {
    let mut progress = progress.lock().await;
    progress.begun().await;
    match &*progress {
        Progress::Added(group) => Ok(Value::Added(group.added.clone())),
        Progress::Over(error) => Err(error.clone()),
        Progress::Adding(_) => Err(closed()),
    }
}

async fn ended(progress: Arc<Mutex<Progress>>) -> Result<Value> {
    let mut progress = progress.lock().await;
    progress.begun().await;
    let mut ended: Vec<(usize, Result<Outcome>)> = Vec::new();
    loop {
        let group = match &mut *progress {
            Progress::Added(group) => group,
            Progress::Over(error) if ended.is_empty() => return Err(error.clone()),
            Progress::Adding(_) | Progress::Over(_) => break,
        };
        let next = if ended.is_empty() {
            group.next().await
        } else {
            // Without waiting: outcomes that were taken must be returned.
            tokio::select! { biased; next = group.next() => next, () = std::future::ready(()) => None }
        };
        match next {
            // Not an outcome of the job: the wait has ended.
            Some((_, Err(error))) if error.kind() == ErrorKind::Closed => *progress = Progress::Over(error),
            Some(next) if ended.len() + 1 < BATCH => ended.push(next),
            last => {
                ended.extend(last);
                break;
            }
        }
    }
    Ok(Value::Ended(ended))
}

fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the master is closed")
}
