//! A master as its program sees it: jobs in, results out.
use std::time::Duration;
use tokio::runtime::Handle;
use crate::error::Result;
use crate::event::Event;
use crate::job::{Added, NewJob, Outcome};
use crate::options::Options;
use crate::health::{Health, Stats};
use crate::worker::Done;

/// Adds and deletes jobs, awaits results.
#[derive(Clone)]
pub struct Master {}

impl Master {
    /// Starts a master on `runtime`; returns at once and connects in the background. Only bad options fail here.
    pub fn start(options: Options, runtime: &Handle) -> Result<Master> { todo!() }
    /// Waits until the master is registered; fails like [`Worker::ready`](crate::Worker::ready).
    pub async fn ready(&self) -> Result<()> { todo!() }
    /// As [`Worker::set_wake`](crate::Worker::set_wake). A master's events are `Ready`, `Error` and `Close`.
    pub fn set_wake(&self, wake: impl Fn() + Send + Sync + 'static) { todo!() }
    /// As [`Worker::take_events`](crate::Worker::take_events).
    pub fn take_events(&self, max: usize) -> Vec<Event> { todo!() }
    /// Adds jobs, all checked before any is sent; any thread, never blocks. `done` hears the ids in order once Redis has stored all.
    /// Callers' jobs share batches: sent at once when none is in flight, gathered while one is.
    pub fn submit(&self, jobs: Vec<NewJob>, done: Done<Vec<Added>>) { todo!() }
    /// Adds one job.
    pub async fn add(&self, job: NewJob) -> Result<Added> { todo!() }
    /// Adds many jobs.
    pub async fn add_many(&self, jobs: Vec<NewJob>) -> Result<Vec<Added>> { todo!() }
    /// Deletes a job whatever its state. True if it existed.
    pub async fn delete(&self, id: impl Into<String>) -> Result<bool> { todo!() }
    /// Deletes many; in the order of the ids, whether each existed.
    pub async fn delete_many(&self, ids: Vec<String>) -> Result<Vec<bool>> { todo!() }
    /// Awaits the result of a job added with `result`, by anyone, at any time within its `result_ttl`. No time limit of its own: drop the future to stop waiting.
    pub async fn result(&self, id: impl Into<String>) -> Result<Outcome> { todo!() }
    /// Adds a job with `result` set and awaits it. Dropping the future stops the wait, not the job.
    pub async fn run(&self, job: NewJob) -> Result<Outcome> { todo!() }
    /// The current incarnation, "" before the first registration.
    pub fn incarnation(&self) -> String { todo!() }
    /// Local state; never asks Redis.
    pub fn health(&self) -> Health { todo!() }
    /// Counts of the cluster, from Redis.
    pub async fn stats(&self) -> Result<Stats> { todo!() }
    /// Removes every key of the cluster, whoever uses it. For tests and for the end of a cluster's life.
    pub async fn obliterate(&self) -> Result<()> { todo!() }
    /// Waits for adds in flight, leaves the cluster, closes the connections. Later calls: `Closed`.
    pub async fn close(&self) -> Result<()> { todo!() }
}
