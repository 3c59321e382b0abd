//! Jobs of a worker in batches.

use std::time::Duration;

use libswarm_common::error::Result;
use libswarm_common::value::{bounded, within};
use tokio::time::Instant;

use super::event::Event;
use super::job::Job;
use super::process::DEFAULT_CONCURRENCY;
use super::worker::Worker;
use crate::model::job::Finish;

/// The limit of jobs in a batch.
const MAX_SIZE: u32 = 1000;
/// The longest wait of the first job of a batch for others.
const MAX_WAIT: Duration = Duration::from_secs(60);

/// The jobs of a worker in batches, each of one task; returned by [`Worker::batches`].
///
/// ```no_run
/// use std::time::Duration;
///
/// use libswarm::{Payload, Worker};
///
/// # async fn example(worker: Worker) -> libswarm::Result<()> {
/// let mut batches = worker.batches(100, Duration::from_millis(50))?;
/// while let Some(jobs) = batches.next().await {
///     for job in jobs {
///         job.complete(Payload::default()).await?;
///     }
/// }
/// # Ok(()) }
/// ```
pub struct Batches {
    worker: Worker,
    size: usize,
    wait: Duration,
    waiting: Vec<Group>,
    other: Option<Box<dyn FnMut(Event) + Send>>,
}

/// Jobs of one task that wait for others.
struct Group {
    jobs: Vec<Job>,
    due: Instant,
}

impl Worker {
    /// Yields the jobs of this worker in batches of up to `size` (1 to 1,000) jobs of one task, at the latest `wait` (at most 60 s) after the first of
    /// them arrived; with 0, a batch has the jobs that are there. Each job uses a slot: 10 without the option `slots`, or `size` if that is more. It
    /// keeps its own lease, fence and outcome, and is active until the program finishes it.
    pub fn batches(&self, size: u32, wait: Duration) -> Result<Batches> {
        bounded("size", size, 1, MAX_SIZE)?;
        within("call.wait", wait, Duration::ZERO, MAX_WAIT)?;
        self.accept(Some(DEFAULT_CONCURRENCY.max(size)));
        Ok(Batches { worker: self.clone(), size: size as usize, wait, waiting: Vec::new(), other: None })
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
            if let Some(full) = self.waiting.iter().position(|group| group.jobs.len() >= self.size) {
                return Some(self.waiting.remove(full).jobs);
            }
            let first = self.waiting.iter().enumerate().min_by_key(|(_, group)| group.due).map(|(at, group)| (at, group.due));
            let over = async {
                match first {
                    Some((at, due)) => {
                        tokio::time::sleep_until(due).await;
                        at
                    }
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                // Jobs that are there come into the batch even if its time is over.
                biased;
                event = self.worker.next() => match event? {
                    Event::Add(job) => self.add(job),
                    Event::Delete { job, reason } => {
                        if !self.remove(&job) && let Some(other) = &mut self.other {
                            other(Event::Delete { job, reason });
                        }
                    }
                    event => if let Some(other) = &mut self.other {
                        other(event);
                    }
                },
                at = over => return Some(self.waiting.remove(at).jobs),
            }
        }
    }

    fn add(&mut self, job: Job) {
        match self.waiting.iter_mut().find(|group| group.jobs.first().is_some_and(|first| first.task() == job.task())) {
            Some(group) => group.jobs.push(job),
            None => self.waiting.push(Group { jobs: vec![job], due: Instant::now() + self.wait }),
        }
    }

    /// Removes a job that waits, and confirms that it has stopped. Returns whether there was one.
    fn remove(&mut self, job: &Job) -> bool {
        for at in 0..self.waiting.len() {
            let jobs = &mut self.waiting[at].jobs;
            if let Some(found) = jobs.iter().position(|other| other.fence == job.fence) {
                jobs.remove(found);
                if jobs.is_empty() {
                    self.waiting.remove(at);
                }
                self.worker.finish(job.fence, Finish::Stopped, None);
                return true;
            }
        }
        false
    }
}
