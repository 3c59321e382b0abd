//! Runs a handler for each job of a worker.

use std::any::Any;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::task::{AbortHandle, JoinSet};

use super::worker::Worker;
use crate::api::event::Event;
use crate::api::job::Job;
use crate::model::event::DeleteReason;
use crate::model::job::Finish;
use crate::model::payload::Payload;
use libswarm_common::error::Result;

/// The default number of jobs that a worker with a handler runs at once, in every language.
pub const DEFAULT_CONCURRENCY: u32 = 10;

/// The default time for which handlers may continue after shutdown.
pub(super) const GRACE: Duration = Duration::from_secs(10);
/// The time in which handlers must stop after that.
const LAST_GRACE: Duration = Duration::from_secs(1);

/// A worker with its handler; returned by [`Worker::process`].
///
/// ```no_run
/// use libswarm::{Cluster, Job};
///
/// # async fn example(cluster: Cluster) -> libswarm::Result<()> {
/// let worker = cluster.worker().start().await?;
/// let stop = async { tokio::signal::ctrl_c().await.unwrap() };
/// worker.process(|job: Job| async move { job.json::<u64>().map(|number| number * 2) }).until(stop).await?;
/// # Ok(()) }
/// ```
pub struct Process<H> {
    worker: Worker,
    handler: H,
    other: Option<Box<dyn FnMut(Event) + Send>>,
    grace: Duration,
}

impl Worker {
    /// Runs `handler` for each job, as many at once as the worker has slots: [`DEFAULT_CONCURRENCY`] without the option `slots`.
    pub fn process<H, F, T, E>(&self, handler: H) -> Process<H>
    where
        H: Fn(Job) -> F,
        F: Future<Output = std::result::Result<T, E>> + Send + 'static,
        T: serde::Serialize + 'static,
        E: std::fmt::Display + 'static,
    {
        Process::new(self.clone(), handler)
    }
}

impl<H, F, T, E> Process<H>
where
    H: Fn(Job) -> F,
    F: Future<Output = std::result::Result<T, E>> + Send + 'static,
    T: serde::Serialize + 'static,
    E: std::fmt::Display + 'static,
{
    pub(super) fn new(worker: Worker, handler: H) -> Self {
        worker.accept(Some(DEFAULT_CONCURRENCY));
        Process { worker, handler, other: None, grace: GRACE }
    }

    /// Sets the function that is called with all other events: messages, changes of members, outcomes, errors. It must be quick.
    #[must_use]
    pub fn on_event(mut self, listener: impl FnMut(Event) + Send + 'static) -> Self {
        self.other = Some(Box::new(listener));
        self
    }

    /// How long handlers may continue once `shutdown` has resolved; default 10 s. After it, handlers are dropped at their next await, and their
    /// jobs are requeued. Jobs of handlers that do not stop are requeued, too.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Runs until `shutdown` resolves or the worker is closed. After `shutdown`, it waits up to [`grace`](Process::grace) for its active jobs, and
    /// terminates the worker. It returns at most a second plus the option `timeout` after the grace, even if a handler hangs. A handler's `Ok`
    /// completes its job, `Err` or a panic fails it. The handler of a deleted or lost job is dropped at its next await. If the worker is
    /// [terminated](Worker::terminate), handlers continue until they are done, or the grace of that call is over.
    pub async fn until(mut self, shutdown: impl Future<Output = ()>) -> Result<()> {
        let mut running: JoinSet<()> = JoinSet::new();
        let mut aborts: HashMap<u64, AbortHandle> = HashMap::new();
        let mut shutdown = std::pin::pin!(shutdown);
        let overdue = Arc::new(AtomicBool::new(false));
        let mut leaving = None;
        loop {
            let event = tokio::select! {
                event = self.worker.next() => event,
                () = &mut shutdown, if leaving.is_none() => {
                    leaving = Some(tokio::spawn(leave(self.worker.clone(), self.grace, overdue.clone())));
                    continue;
                }
                Some(_) = running.join_next() => continue,
            };
            match event {
                Some(Event::Add(job)) => {
                    aborts.retain(|_, abort| !abort.is_finished());
                    let worker = self.worker.clone();
                    let fence = job.fence;
                    match catch_unwind(AssertUnwindSafe(|| (self.handler)(job))) {
                        Ok(work) => {
                            aborts.insert(fence, running.spawn(finish_with(worker, fence, work)));
                        }
                        Err(panic) => worker.finish(fence, panicked(&*panic), None),
                    }
                }
                Some(Event::Delete { job, reason }) => {
                    let stop = reason != DeleteReason::Terminated || overdue.load(Ordering::Relaxed);
                    if let Some(abort) = aborts.remove(&job.fence).filter(|_| stop) {
                        abort.abort();
                    }
                }
                Some(event) => {
                    if let Some(other) = &mut self.other {
                        other(event);
                    }
                }
                None => break,
            }
        }
        match leaving {
            Some(leaving) => leaving.await.unwrap_or(Ok(())),
            None => Ok(()),
        }
    }
}

/// Waits up to `grace` for the active jobs, then stops the remaining ones.
pub(super) async fn leave(worker: Worker, grace: Duration, overdue: Arc<AtomicBool>) -> Result<()> {
    match tokio::time::timeout(grace, worker.drain()).await {
        Ok(drained) => {
            drained?;
            worker.terminate(Duration::ZERO).await
        }
        Err(_) => {
            overdue.store(true, Ordering::Relaxed);
            worker.terminate(LAST_GRACE).await
        }
    }
}

/// Finishes the job when its handler is done, or as stopped when the handler was dropped.
async fn finish_with<T: serde::Serialize, E: std::fmt::Display>(
    worker: Worker,
    fence: u64,
    work: impl Future<Output = std::result::Result<T, E>> + Send + 'static,
) {
    struct OnDrop(Worker, u64, Finish);
    impl Drop for OnDrop {
        fn drop(&mut self) {
            self.0.finish(self.1, self.2.clone(), None);
        }
    }
    let mut end = OnDrop(worker, fence, Finish::Stopped);
    // Serialization of the value and formatting of the error run code of the program, too, which may panic.
    let finish = async move {
        match work.await {
            Ok(value) => Payload::json(&value).map_or_else(|error| Finish::Fail(error.to_string().into()), Finish::Complete),
            Err(error) => Finish::Fail(error.to_string().into()),
        }
    };
    end.2 = AssertUnwindSafe(finish).catch_unwind().await.unwrap_or_else(|panic| panicked(&*panic));
}

/// A panic fails the attempt as an error does, with the text of the panic.
pub(super) fn panicked(panic: &(dyn Any + Send)) -> Finish {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Finish::Fail(format!("the handler panicked: {}", text.unwrap_or("no message")).into())
}
