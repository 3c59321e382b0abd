//! Jobs of a worker in batches.

use libswarm_common::error::Result;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::event::Event;
use super::gathering::{Batching, Gathering};
use super::job::Job;
use super::process::DEFAULT_CONCURRENCY;
use super::worker::Worker;
use crate::model::job::Finish;

/// The jobs of a worker in batches; returned by [`Worker::batches`].
///
/// ```no_run
/// use std::time::Duration;
///
/// use libswarm::{Batching, Payload, Worker};
///
/// # async fn example(worker: Worker) -> libswarm::Result<()> {
/// let mut batches = worker.batches(Batching::new(100).wait(Duration::from_millis(50)))?;
/// while let Some(jobs) = batches.next().await {
///     for job in jobs {
///         job.complete(Payload::default()).await?;
///     }
/// }
/// # Ok(()) }
/// ```
pub struct Batches {
    pub(super) worker: Worker,
    batching: Batching,
    gathering: Gathering,
    draining: watch::Receiver<bool>,
    pub(super) other: Option<Box<dyn FnMut(Event) + Send>>,
}

/// What the next event of a worker has led to.
pub(super) enum Step {
    Batch(Vec<Job>),
    Other(Event),
    Closed,
}

impl Worker {
    /// Yields the jobs of this worker in batches, for a program that finishes each job itself; see also
    /// [`process_batches`](Worker::process_batches). Each job uses a slot: 10 without the option `slots`, or `size` if that is more; with fewer
    /// slots than `size` no batch is full, so each waits its whole `wait`. A job keeps its own lease, fence and outcome, and is active until the
    /// program finishes it. Jobs that wait for others when the worker [drains](Worker::drain), or when the returned value is dropped, are requeued.
    ///
    /// Fails with [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) if a value of `batching` is out of its bounds.
    pub fn batches(&self, batching: Batching) -> Result<Batches> {
        batching.check()?;
        self.accept(Some(DEFAULT_CONCURRENCY.max(batching.size)));
        let draining = self.handle.0.draining.subscribe();
        Ok(Batches { worker: self.clone(), batching, gathering: Gathering::default(), draining, other: None })
    }
}

impl Batches {
    /// Sets the function that is called with all other events: jobs of earlier batches that must stop, messages, errors. It must be quick.
    #[must_use]
    pub fn on_event(mut self, listener: impl FnMut(Event) + Send + 'static) -> Self {
        self.other = Some(Box::new(listener));
        self
    }

    /// The next batch; `None` when the worker is closed. A job that was deleted while it waited is not in it. One that is deleted later is
    /// [cancelled](Job::is_cancelled), and occupies its slot until the program finishes it, such as by [`Job::stopped`]. Dropping the future loses no
    /// job.
    pub async fn next(&mut self) -> Option<Vec<Job>> {
        loop {
            match self.step().await {
                Step::Batch(jobs) => return Some(jobs),
                Step::Other(event) => self.emit(event),
                Step::Closed => return None,
            }
        }
    }

    pub(super) fn emit(&mut self, event: Event) {
        if let Some(other) = &mut self.other {
            other(event);
        }
    }

    /// Waits for the next batch or another event. Dropping the future loses no job.
    pub(super) async fn step(&mut self) -> Step {
        loop {
            if let Some(jobs) = self.gathering.take_full() {
                return Step::Batch(jobs);
            }
            let due = self.gathering.due();
            let event = tokio::select! {
                // Jobs that are there come into the batch even if its wait is over.
                biased;
                Ok(()) = self.draining.changed() => {
                    self.requeue();
                    continue;
                }
                event = self.worker.next() => event,
                () = until(due) => match self.gathering.take_due() {
                    Some(jobs) => return Step::Batch(jobs),
                    None => continue,
                },
            };
            match event {
                None => return Step::Closed,
                Some(Event::Add(job)) => self.add(job),
                Some(Event::Delete { job, .. }) if self.gathering.remove(job.fence) => {
                    self.worker.finish(job.fence, Finish::Stopped, None);
                }
                Some(event) => return Step::Other(event),
            }
        }
    }

    fn add(&mut self, job: Job) {
        self.gathering.add(job, &self.batching);
        // Taken just before the drain.
        if *self.draining.borrow() {
            self.requeue();
        }
    }

    /// Releases the jobs that wait: in a worker that drains, they would delay it, and no more jobs come.
    fn requeue(&mut self) {
        for job in self.gathering.withdraw() {
            self.worker.finish(job.fence, Finish::Release, None);
        }
    }
}

/// No other receives the jobs that wait.
impl Drop for Batches {
    fn drop(&mut self) {
        self.requeue();
    }
}

/// Waits until this moment, or forever.
async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
