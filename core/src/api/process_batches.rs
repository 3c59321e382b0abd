//! Runs a handler for each batch of jobs of a worker.

use std::collections::HashMap;
use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use libswarm_common::error::Result;
use serde::Serialize;
use tokio::task::{AbortHandle, JoinSet};

use super::batches::{Batches, Step};
use super::event::Event;
use super::gathering::Batching;
use super::job::Job;
use super::process::{GRACE, failed, leave, panicked};
use super::spans::Attempt;
use super::worker::Worker;
use crate::model::execution::DeleteReason;
use crate::model::job::Finish;
use crate::model::payload::Payload;

/// What a handler of batches returns: `()`, or a list with a result for each job.
pub trait BatchResults {
    /// How each of `count` jobs finishes.
    #[doc(hidden)]
    fn finishes(self, count: usize) -> Vec<Finish>;
}

impl BatchResults for () {
    fn finishes(self, count: usize) -> Vec<Finish> {
        vec![Finish::Complete(Payload::default()); count]
    }
}

impl<T: Serialize> BatchResults for Vec<T> {
    fn finishes(self, count: usize) -> Vec<Finish> {
        if self.len() != count {
            let text = format!(
                "the handler of a batch of {count} jobs returned {} results; it returns `()`, or a list with a result for each job",
                self.len()
            );
            return vec![Finish::Fail(text.into()); count];
        }
        let finish =
            |result| Payload::json(&result).map_or_else(|error| Finish::Fail(error.to_string().into()), Finish::Complete);
        self.into_iter().map(finish).collect()
    }
}

/// A worker with its handler of batches; returned by [`Worker::process_batches`].
pub struct ProcessBatches<H> {
    batches: Batches,
    handler: H,
    grace: Duration,
}

/// A handler that runs, as each of its jobs refers to it.
struct Running {
    abort: AbortHandle,
    /// Jobs of the batch that need not stop.
    left: AtomicUsize,
}

impl Worker {
    /// Runs `handler` for several jobs at once: see [`Batching`]. Each job uses a slot: 10 without the option `slots`, or `size` if that is more; with
    /// fewer slots than `size` no batch is full, so each waits its whole `wait`.
    ///
    /// Each job keeps its own lease, fence and outcome. The handler returns `()` or a list with a result for each job, which complete them; an error,
    /// a panic or a list of another length fails this attempt of each. That concerns the jobs that it has not finished itself, for example by
    /// [`Job::fail`]. A job that is deleted while it waits for others is not in the batch.
    ///
    /// Fails with [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) if a value of `batching` is out of its bounds.
    ///
    /// ```no_run
    /// use std::time::Duration;
    ///
    /// use libswarm::{Batching, Cluster, Error, Job};
    ///
    /// # async fn example(cluster: Cluster) -> libswarm::Result<()> {
    /// let worker = cluster.worker().start().await?;
    /// let handler = |jobs: Vec<Job>| async move { jobs.iter().map(|job| Ok(job.json::<u64>()? * 2)).collect::<Result<Vec<_>, Error>>() };
    /// worker.process_batches(Batching::new(100).wait(Duration::from_millis(50)), handler)?.until(std::future::pending()).await?;
    /// # Ok(()) }
    /// ```
    pub fn process_batches<H, F, R, E>(&self, batching: Batching, handler: H) -> Result<ProcessBatches<H>>
    where
        H: Fn(Vec<Job>) -> F,
        F: Future<Output = std::result::Result<R, E>> + Send + 'static,
        R: BatchResults + 'static,
        E: Display + 'static,
    {
        Ok(ProcessBatches { batches: self.batches(batching)?, handler, grace: GRACE })
    }
}

impl<H, F, R, E> ProcessBatches<H>
where
    H: Fn(Vec<Job>) -> F,
    F: Future<Output = std::result::Result<R, E>> + Send + 'static,
    R: BatchResults + 'static,
    E: Display + 'static,
{
    /// Sets the function that is called with all other events, as [`Process::on_event`](crate::Process::on_event) does.
    #[must_use]
    pub fn on_event(mut self, listener: impl FnMut(Event) + Send + 'static) -> Self {
        self.batches = self.batches.on_event(listener);
        self
    }

    /// How long handlers may continue once `shutdown` has resolved, as [`Process::grace`](crate::Process::grace); default 10 s.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Runs until `shutdown` resolves or the worker is closed, as [`Process::until`](crate::Process::until) does. A handler is dropped at its next
    /// await when all jobs of its batch are deleted, timed out or reclaimed.
    pub async fn until(mut self, shutdown: impl Future<Output = ()>) -> Result<()> {
        let mut tasks: JoinSet<()> = JoinSet::new();
        let mut running = HashMap::new();
        let mut shutdown = std::pin::pin!(shutdown);
        let overdue = Arc::new(AtomicBool::new(false));
        let mut leaving = None;
        loop {
            let step = tokio::select! {
                step = self.batches.step() => step,
                () = &mut shutdown, if leaving.is_none() => {
                    leaving = Some(tokio::spawn(leave(self.batches.worker.clone(), self.grace, overdue.clone())));
                    continue;
                }
                Some(_) = tasks.join_next() => continue,
            };
            match step {
                Step::Batch(jobs) => self.begin(jobs, &mut tasks, &mut running),
                Step::Other(Event::Delete { job, reason }) => {
                    if reason != DeleteReason::Terminated || overdue.load(Ordering::Relaxed) {
                        must_stop(job.fence, &mut running);
                    }
                }
                Step::Other(event) => self.batches.emit(event),
                Step::Closed => break,
            }
        }
        match leaving {
            Some(leaving) => leaving.await.unwrap_or(Ok(())),
            None => Ok(()),
        }
    }

    fn begin(&self, jobs: Vec<Job>, tasks: &mut JoinSet<()>, running: &mut HashMap<u64, Arc<Running>>) {
        running.retain(|_, batch| !batch.abort.is_finished());
        let fences: Vec<u64> = jobs.iter().map(|job| job.fence).collect();
        let worker = self.batches.worker.clone();
        let attempt = Attempt::begin_batch(worker.cluster(), jobs.iter().map(|job| job.data.clone()).collect());
        let end = End { worker, finishes: vec![Finish::Stopped; fences.len()], fences: fences.clone(), attempt };
        match catch_unwind(AssertUnwindSafe(|| end.attempt.call(|| (self.handler)(jobs)))) {
            Ok(work) => {
                let abort = tasks.spawn(finish_with(end, work));
                let batch = Arc::new(Running { abort, left: AtomicUsize::new(fences.len()) });
                running.extend(fences.into_iter().map(|fence| (fence, batch.clone())));
            }
            Err(panic) => {
                let finish = panicked(&end.attempt, &*panic);
                end.all(finish);
            }
        }
    }
}

/// Stops the handler if no other job needs it.
fn must_stop(fence: u64, running: &mut HashMap<u64, Arc<Running>>) {
    if let Some(batch) = running.remove(&fence)
        && batch.left.fetch_sub(1, Ordering::Relaxed) == 1
    {
        batch.abort.abort();
    }
}

/// Finishes the jobs of a batch when it is dropped. The core ignores those that the handler has finished itself.
struct End {
    worker: Worker,
    fences: Vec<u64>,
    finishes: Vec<Finish>,
    attempt: Attempt,
}

impl End {
    fn all(mut self, finish: Finish) {
        self.finishes.fill(finish);
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.attempt.ended(&self.finishes);
        for (fence, finish) in self.fences.iter().zip(self.finishes.drain(..)) {
            self.worker.finish(*fence, finish, None);
        }
    }
}

/// Finishes the jobs when their handler is done, or as stopped when the handler was dropped.
async fn finish_with<R: BatchResults, E: Display>(
    mut end: End,
    work: impl Future<Output = std::result::Result<R, E>> + Send + 'static,
) {
    let count = end.fences.len();
    // Serialization of the results and formatting of the error run code of the program, too, which may panic.
    let attempt = end.attempt.clone();
    let finish = async {
        match work.await {
            Ok(results) => results.finishes(count),
            Err(error) => vec![failed(&attempt, std::any::type_name::<E>(), error.to_string()); count],
        }
    };
    end.finishes = AssertUnwindSafe(attempt.run(finish))
        .catch_unwind()
        .await
        .unwrap_or_else(|panic| vec![panicked(&attempt, &*panic); count]);
}
