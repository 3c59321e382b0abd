//! A worker as its program sees it: events out, finished jobs in.
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Event, EventQueue};
use crate::job::Finish;
use crate::options::Options;
use crate::health::{Health, Stats};

/// Called once, from a runtime thread, when the outcome is known. Must be quick and must not block.
pub type Done<T> = Box<dyn FnOnce(Result<T>) + Send>;

/// Takes jobs and runs them.
#[derive(Clone)]
pub struct Worker { handle: WorkerHandle }

#[derive(Clone)]
pub(crate) struct WorkerHandle(Arc<Shared>);
struct Shared { events: EventQueue }

impl Worker {
    /// Starts a worker on `runtime`; returns at once and connects in the background. Only bad options fail here.
    pub fn start(options: Options, runtime: &Handle) -> Result<Worker> { todo!() }
    /// Waits until the worker is registered. Fails with the first error that needs the user (wrong password, …) or, after the option `timeout`, with the last connection error.
    pub async fn ready(&self) -> Result<()> { todo!() }
    /// `wake` is called from a runtime thread when events are there and none were announced since `take_events` last emptied the queue. It must be quick and must not block.
    pub fn set_wake(&self, wake: impl Fn() + Send + Sync + 'static) { todo!() }
    /// Takes up to `max` events; any thread, never blocks. After a wake, call it until it answers an empty list.
    pub fn take_events(&self, max: usize) -> Vec<Event> { todo!() }
    /// The next event; `None` after the final `Close`.
    pub async fn next(&self) -> Option<Event> { todo!() }
    /// Ends the hold on a job, by its fence. Any thread, never blocks; `done` (if any) hears when Redis has accepted it.
    pub fn finish(&self, fence: u64, finish: Finish, done: Option<Done<()>>) { todo!() }
    /// Ends the hold on many jobs with one wake.
    pub fn finish_many(&self, finishes: Vec<(u64, Finish, Option<Done<()>>)>) { todo!() }
    /// Queues a job's deletion (any job of the cluster). True if it existed.
    pub async fn delete(&self, id: impl Into<String>) -> Result<bool> { todo!() }
    /// Takes no new jobs, gives back those the program has not taken up, and waits until it has finished those it holds.
    pub async fn drain(&self) -> Result<()> { todo!() }
    /// `Delete` for each held job, waits up to `grace` until all are finished or stopped, gives them back to the cluster, `Close`. A second call: [`ErrorKind::Closed`].
    pub async fn terminate(&self, grace: Duration) -> Result<()> { todo!() }
    /// The current incarnation, "" before the first registration.
    pub fn incarnation(&self) -> String { todo!() }
    /// Local state; never asks Redis.
    pub fn health(&self) -> Health { todo!() }
    /// Counts of the cluster, from Redis.
    pub async fn stats(&self) -> Result<Stats> { todo!() }
}

impl WorkerHandle {
    pub(crate) fn holds(&self, fence: u64) -> bool { todo!() }
    pub(crate) async fn until_not_held(&self, fence: u64) { todo!() }
    pub(crate) async fn finish_and_wait(&self, fence: u64, finish: Finish) -> Result<()> { todo!() }
    pub(crate) async fn delete(&self, id: String) -> Result<bool> { todo!() }
}
