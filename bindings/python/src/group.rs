//! The outcomes of many jobs, each as its job ends.

use std::sync::Arc;
use std::time::{Duration, Instant};

use libswarm::{Error, ErrorKind, Master, NewJob, Outcome, Result};
use pyo3::prelude::*;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use crate::call::Call;
use crate::errors::raise;
use crate::fork::Owned;
use crate::runtime::Owner;
use crate::value::Value;

/// Outcomes told in one crossing, at most.
const BATCH: usize = 256;

/// Jobs that were added together, of which some have not ended. Dropping it ends the waits, not the jobs.
#[pyclass(frozen, module = "libswarm._native")]
pub(crate) struct Group {
    inner: Owned<(Arc<Mutex<Progress>>, Arc<Owner>)>,
    deadline: Option<Instant>,
}

enum Progress {
    /// In a task of its own, so that a wait that is given up loses nothing.
    Adding(JoinHandle<Result<libswarm::Group>>),
    Added(libswarm::Group),
}

impl Group {
    /// Adds the jobs at once.
    pub(crate) fn start(master: Master, runtime: Arc<Owner>, jobs: Vec<NewJob>, limit: Option<Duration>) -> Group {
        let adding = runtime.handle().spawn(async move { master.run_each(jobs).await });
        let progress = Arc::new(Mutex::new(Progress::Adding(adding)));
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        Group { inner: Owned::new((progress, runtime)), deadline }
    }
}

#[pymethods]
impl Group {
    /// Waits until a job has ended, and answers `[(position, value or error)]` of all that have; nothing when all were told.
    fn take(&self) -> PyResult<Call> {
        let (progress, runtime) = self.inner.get().map_err(raise)?;
        let limit = self
            .deadline
            .map(|deadline| (deadline.saturating_duration_since(Instant::now()), "not all jobs have ended; the others go on"));
        Ok(Call::spawn(runtime, None, limit, ended(progress.clone())))
    }
}

async fn ended(progress: Arc<Mutex<Progress>>) -> Result<Value> {
    let mut progress = progress.lock().await;
    if let Progress::Adding(adding) = &mut *progress {
        let added = adding.await.unwrap_or_else(|_| Err(Error::new(ErrorKind::Closed, "the master is closed")));
        *progress = Progress::Added(added?);
    }
    let Progress::Added(group) = &mut *progress else { return Ok(Value::Ended(Vec::new())) };
    let mut ended: Vec<(usize, Result<Outcome>)> = Vec::new();
    ended.extend(group.next().await);
    // No wait from here on: what was taken out is told.
    while !ended.is_empty() && ended.len() < BATCH {
        tokio::select! {
            biased;
            Some(next) = group.next() => ended.push(next),
            () = std::future::ready(()) => break,
        }
    }
    Ok(Value::Ended(ended))
}
