//! Runs a handler for each job of a worker.

use std::any::Any;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::task::{AbortHandle, JoinSet};

use super::spans::{Attempt, Trace};
use super::worker::Worker;
use crate::api::event::Event;
use crate::api::job::Job;
use crate::model::execution::DeleteReason;
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
    trace: Trace,
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
        Process { worker, handler, other: None, grace: GRACE, trace: Trace::default() }
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

    /// How the span of an attempt refers to the span that added its job; default [`Trace::Link`]. Attempts have spans if the program's `tracing`
    /// subscriber has the layer of `tracing-opentelemetry`.
    #[cfg(feature = "opentelemetry")]
    #[must_use]
    pub fn trace(mut self, trace: Trace) -> Self {
        self.trace = trace;
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
                    let fence = job.fence;
                    let attempt = Attempt::begin(self.worker.cluster(), self.trace, &job.data);
                    let end = End { worker: self.worker.clone(), fence, finish: Finish::Stopped, attempt };
                    match catch_unwind(AssertUnwindSafe(|| end.attempt.call(|| (self.handler)(job)))) {
                        Ok(work) => {
                            aborts.insert(fence, running.spawn(finish_with(end, work)));
                        }
                        Err(panic) => {
                            let finish = panicked(&end.attempt, &*panic);
                            end.with(finish);
                        }
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

/// Finishes the job of a handler when it is dropped.
struct End {
    worker: Worker,
    fence: u64,
    finish: Finish,
    attempt: Attempt,
}

impl End {
    fn with(mut self, finish: Finish) {
        self.finish = finish;
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.attempt.ended(std::slice::from_ref(&self.finish));
        self.worker.finish(self.fence, std::mem::replace(&mut self.finish, Finish::Stopped), None);
    }
}

/// Finishes the job when its handler is done, or as stopped when the handler was dropped.
async fn finish_with<T: serde::Serialize, E: std::fmt::Display>(
    end: End,
    work: impl Future<Output = std::result::Result<T, E>> + Send + 'static,
) {
    // Serialization of the value and formatting of the error run code of the program, too, which may panic.
    let finish = async {
        match work.await {
            Ok(value) => Payload::json(&value).map_or_else(|error| Finish::Fail(error.to_string().into()), Finish::Complete),
            Err(error) => failed(&end.attempt, std::any::type_name::<E>(), error.to_string()),
        }
    };
    let finish =
        AssertUnwindSafe(end.attempt.run(finish)).catch_unwind().await.unwrap_or_else(|panic| panicked(&end.attempt, &*panic));
    end.with(finish);
}

/// An error fails the attempt.
pub(super) fn failed(attempt: &Attempt, class: &'static str, text: String) -> Finish {
    attempt.raised(class, &text);
    Finish::Fail(text.into())
}

/// A panic fails the attempt as an error does, with the text of the panic.
pub(super) fn panicked(attempt: &Attempt, panic: &(dyn Any + Send)) -> Finish {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    failed(attempt, "panic", format!("the handler panicked: {}", text.unwrap_or("no message")))
}
