//! Jobs of a worker that wait for others of their batch.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use libswarm_common::error::Result;
use libswarm_common::value::{bounded, within};
use tokio::time::Instant;

use super::job::Job;

/// The limit of jobs in a batch.
const MAX_SIZE: u32 = 1000;
/// The longest wait of the first job of a batch for others.
const MAX_WAIT: Duration = Duration::from_secs(60);

/// What the jobs of a batch have in common.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub enum BatchBy {
    /// Their task.
    #[default]
    Task,
    /// Their task and [group](crate::NewJob::group): each group of a task has its own batches, and so have the jobs without one.
    Group,
}

/// How jobs are gathered into batches: see [`Worker::process_batches`](crate::Worker::process_batches).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub struct Batching {
    /// The largest number of jobs in a batch, 1 to 1,000: a batch starts when it has so many.
    pub size: u32,
    /// A batch starts this time after its first job arrived, at most 60 s. With 0, the default, it has the jobs that are there.
    pub wait: Duration,
    /// What the jobs of a batch have in common.
    pub by: BatchBy,
}

impl Batching {
    /// Batches of up to `size` jobs of one task that are there.
    pub fn new(size: u32) -> Batching {
        Batching { size, wait: Duration::ZERO, by: BatchBy::Task }
    }

    /// Sets [`Batching::wait`].
    #[must_use]
    pub fn wait(self, wait: Duration) -> Batching {
        Batching { wait, ..self }
    }

    /// Sets [`Batching::by`].
    #[must_use]
    pub fn by(self, by: BatchBy) -> Batching {
        Batching { by, ..self }
    }

    /// Fails with [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) if a value is out of its bounds.
    pub fn check(&self) -> Result<()> {
        bounded("size", self.size, 1, MAX_SIZE)?;
        within("call.wait", self.wait, Duration::ZERO, MAX_WAIT)
    }

    fn key(&self, job: &Job) -> Key {
        let group = match self.by {
            BatchBy::Task => "",
            BatchBy::Group => job.group(),
        };
        Key { task: job.task().to_owned(), group: group.to_owned() }
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    task: String,
    group: String,
}

/// Jobs that wait for others.
struct Waiting {
    jobs: Vec<Job>,
    due: Instant,
}

/// Jobs of a worker that wait for others of their batch, and full batches. Fewer than the worker has slots.
#[derive(Default)]
pub struct Gathering {
    waiting: HashMap<Key, Waiting>,
    full: VecDeque<Vec<Job>>,
}

impl Gathering {
    /// Adds a job. Returns whether its batch waits only since now, so that it is due after `batching.wait`.
    pub fn add(&mut self, job: Job, batching: &Batching) -> bool {
        let size = batching.size as usize;
        // A suspect is alone: another crash must show whether it is the cause.
        if size == 1 || job.suspect {
            self.full.push_back(vec![job]);
            return false;
        }
        let key = batching.key(&job);
        if let Some(waiting) = self.waiting.get_mut(&key) {
            waiting.jobs.push(job);
            if waiting.jobs.len() >= size {
                self.full.extend(self.waiting.remove(&key).map(|waiting| waiting.jobs));
            }
            return false;
        }
        self.waiting.insert(key, Waiting { jobs: vec![job], due: Instant::now() + batching.wait });
        true
    }

    /// Removes a job that was deleted. Returns whether it was here.
    pub fn remove(&mut self, fence: u64) -> bool {
        let without = |jobs: &mut Vec<Job>| {
            let found = jobs.iter().position(|job| job.fence == fence);
            found.map(|at| jobs.remove(at)).is_some()
        };
        let found = self.full.iter_mut().any(without) || self.waiting.values_mut().any(|waiting| without(&mut waiting.jobs));
        if found {
            self.full.retain(|jobs| !jobs.is_empty());
            self.waiting.retain(|_, waiting| !waiting.jobs.is_empty());
        }
        found
    }

    /// Whether no job waits here.
    #[cfg(feature = "bindings")]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.full.is_empty()
    }

    /// Removes and returns a full batch.
    pub fn take_full(&mut self) -> Option<Vec<Job>> {
        self.full.pop_front()
    }

    /// Removes and returns the batch that waits longest of those whose wait is over.
    pub fn take_due(&mut self) -> Option<Vec<Job>> {
        let now = Instant::now();
        let due = self.waiting.iter_mut().filter(|(_, waiting)| waiting.due <= now).min_by_key(|(_, waiting)| waiting.due);
        let jobs = due.map(|(_, waiting)| std::mem::take(&mut waiting.jobs))?;
        self.waiting.retain(|_, waiting| !waiting.jobs.is_empty());
        Some(jobs)
    }

    /// When the next batch is due.
    pub fn due(&self) -> Option<Instant> {
        self.waiting.values().map(|waiting| waiting.due).min()
    }

    /// Removes and returns all jobs.
    pub fn withdraw(&mut self) -> Vec<Job> {
        let waiting = std::mem::take(&mut self.waiting).into_values().map(|waiting| waiting.jobs);
        std::mem::take(&mut self.full).into_iter().chain(waiting).flatten().collect()
    }
}
