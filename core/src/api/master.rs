//! A master: jobs in, results out.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use libswarm_common::error::{ErrorKind, Result};
use libswarm_common::id::{check_name, random_id};
use tokio::runtime::Handle;
use tokio::sync::{RwLock, mpsc};

use super::event::Event;
use super::messages::Messages;
use super::spans;
use crate::adding::Adds;
use crate::config::options::Options;
use crate::master::chooser::Chooser;
use crate::master::closed;
use crate::master::slow_waits::SlowWaits;
use crate::master::task::Task;
use crate::master::waits::Waits;
use crate::member::{Shared, supervise};
use crate::messaging::{Leave, Messaging};
use crate::model::health::{Health, Stats};
use crate::model::job::Outcome;
use crate::model::job_options::{Added, NewJob};
use crate::model::message::MemberRef;
use crate::util::completion::{Done, awaited};

/// Adds and deletes jobs, and awaits results. Clones are handles of the same master. When the last clone is dropped, the master sends what was
/// submitted, and then leaves.
///
/// ```no_run
/// use libswarm::{Cluster, NewJob};
///
/// # async fn example(cluster: Cluster) -> libswarm::Result<()> {
/// let master = cluster.master().await?;
/// let added = master.add(NewJob::json("hello")?.id("greeting")).await?;
/// println!("{} {}", added.id, if added.existed { "was there already" } else { "was added" });
/// master.close().await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Master {
    pub(super) front: Arc<Front>,
}

pub(super) struct Front {
    pub(super) messaging: Arc<Messaging>,
    pub(super) shared: Arc<Shared>,
    pub(super) adds: Arc<Adds>,
    pub(super) waits: Arc<Waits>,
    pub(super) chooser: Arc<Chooser>,
    commands: mpsc::UnboundedSender<Done<()>>,
    pub(super) runtime: Handle,
    /// Locked for reading while jobs that wait for others are stored.
    pub(super) flows: Arc<RwLock<()>>,
}

impl Master {
    /// Starts a master on `runtime`. Returns at once and connects in the background. Fails only if options are invalid.
    pub fn start(options: Options, runtime: &Handle) -> Result<Master> {
        let shared = Arc::new(Shared::new(options, runtime)?);
        let messaging = Messaging::start(shared.clone(), runtime);
        let adds = Arc::new(Adds::new(shared.options.max_pending_bytes));
        let waits = Arc::new(Waits::default());
        let chooser = Arc::new(Chooser::new(shared.clone(), waits.clone()));
        let (commands, received) = mpsc::unbounded_channel();
        let slow_waits = SlowWaits::new(shared.clone(), waits.clone());
        let guarding = shared.clone();
        runtime.spawn(async move { guarding.guard("the log of what waits", slow_waits.run()).await });
        let task = Task::new(messaging.clone(), adds.clone(), waits.clone(), chooser.clone(), received);
        runtime.spawn(supervise(shared.clone(), task));
        let (runtime, flows) = (runtime.clone(), Arc::default());
        Ok(Master { front: Arc::new(Front { messaging, shared, adds, waits, chooser, commands, runtime, flows }) })
    }

    /// Waits until the master is registered; fails like [`Worker::ready`](crate::Worker::ready).
    pub async fn ready(&self) -> Result<()> {
        self.front.shared.ready().await
    }

    /// As [`Worker::set_wake`](crate::Worker::set_wake). A master's events are `Ready`, `Message`, `Member`, `Error` and `Close`.
    #[cfg(feature = "bindings")]
    pub fn set_wake(&self, wake: impl Fn() + Send + Sync + 'static) {
        self.front.shared.events.set_wake(Arc::new(wake));
    }

    /// As [`Worker::take_events`](crate::Worker::take_events).
    #[cfg(feature = "bindings")]
    pub fn take_events(&self, max: usize) -> Vec<Event> {
        self.front
            .shared
            .events
            .take(max)
            .into_iter()
            .filter_map(|event| Event::of_master(event, &self.front.messaging))
            .collect()
    }

    /// Returns the next event: `Ready`, `Message`, `Kill`, `Member`, `Error` or `Close`; `None` after the final `Close`. Events that the program
    /// does not take are bounded: the newest 64 of `Ready` and `Error`, and 10,000 messages.
    pub async fn next(&self) -> Option<Event> {
        loop {
            if let Some(event) = Event::of_master(self.front.shared.events.next().await?, &self.front.messaging) {
                return Some(event);
            }
        }
    }

    /// Returns the messages API of this master, which also reports other members.
    pub fn messages(&self) -> Messages {
        Messages { messaging: self.front.messaging.clone() }
    }

    /// Sets the function that is called when another member requests that this program exits: as [`Worker::on_kill`](crate::Worker::on_kill).
    /// `Leave` closes the master.
    pub fn on_kill(&self, hook: impl FnOnce(i32, MemberRef, Leave) + Send + 'static) {
        let front = Arc::downgrade(&self.front);
        let leave = async move {
            if let Some(front) = front.upgrade() {
                let _ = Master { front }.close().await;
            }
        };
        self.front.messaging.kill_hook.set(hook, Box::pin(leave));
    }

    /// Adds jobs. Can be called from any thread and never blocks. All jobs are checked before any is sent. `done` is called with the ids, in order,
    /// once Redis has stored all. Callers share batches: a batch is sent at once when none is under way, and later jobs are gathered for the next
    /// batch.
    ///
    /// If more than `max_pending_bytes` would wait for Redis, the jobs fail at once with [`ErrorKind::BufferFull`]. A submission while nothing
    /// waits is always accepted. More than 1,000 jobs or 4 MiB are sent in several batches. If a later batch fails, the error states how many jobs
    /// were added before.
    pub fn submit(&self, jobs: Vec<NewJob>, done: Done<Vec<Added>>) {
        self.submit_for(jobs, false, done);
    }

    /// Adds one job.
    pub async fn add(&self, job: NewJob) -> Result<Added> {
        Ok(self.add_many(vec![job]).await?.swap_remove(0))
    }

    /// Adds many jobs; see [`Master::submit`].
    pub async fn add_many(&self, jobs: Vec<NewJob>) -> Result<Vec<Added>> {
        awaited(|done| self.submit(jobs, done), closed).await
    }

    /// Deletes a job in any state, after the jobs that were submitted before. Returns true if it existed.
    pub async fn delete(&self, id: impl Into<String>) -> Result<bool> {
        Ok(self.delete_many(vec![id.into()]).await?[0])
    }

    /// Deletes many jobs. Returns whether each existed, in the order of the ids.
    pub async fn delete_many(&self, ids: Vec<String>) -> Result<Vec<bool>> {
        self.front.shared.delete(&ids, self.front.adds.settled()).await
    }

    /// Awaits the outcome of a job that any member added with `result`. It is available until `result_ttl` after the job has finished. Fails with
    /// [`ErrorKind::NotFound`] if there is neither job nor result. There is no time limit: drop the future to stop waiting.
    pub async fn result(&self, id: impl Into<String>) -> Result<Outcome> {
        let id = id.into();
        check_name("job id", &id)?;
        let wait = self.front.waits.begin(id);
        wait.outcome().await
    }

    /// Adds a job with `result` set and awaits its outcome. Dropping the future stops the wait, not the job. If a job with this id exists, or
    /// another job has its unique key, the outcome is that of the existing job; [`Master::run_with`] shows which.
    pub async fn run(&self, job: NewJob) -> Result<Outcome> {
        self.run_with(job, |_| ()).await
    }

    /// As [`Master::run`], and calls `on_added` once Redis has stored the job, before its outcome is awaited: with the id of the job that is
    /// awaited, and whether it existed. It is not called if the job could not be added. It runs in the task that polls this future, so it must not block.
    ///
    /// ```no_run
    /// # async fn run(master: libswarm::Master) -> libswarm::Result<()> {
    /// let job = libswarm::NewJob::json(&[1, 2])?.id("sum-1-2");
    /// let outcome = master.run_with(job, |added| if added.existed { println!("{} is there already", added.id) }).await?;
    /// # Ok(()) }
    /// ```
    pub async fn run_with(&self, job: NewJob, on_added: impl FnOnce(&Added)) -> Result<Outcome> {
        let mut job = job.result(true);
        job.fresh = job.id.is_none();
        let id = job.id.get_or_insert_with(random_id).clone();
        job.check(self.front.shared.options.max_payload)?;
        let mut wait = self.front.waits.begin_adding(id);
        let added = awaited(|done| self.submit_for(vec![job], true, done), closed).await?;
        wait.stored(&added[0]);
        on_added(&added[0]);
        wait.outcome().await
    }

    /// The current incarnation; `None` before the first registration.
    pub fn incarnation(&self) -> Option<String> {
        Some(self.front.shared.incarnation()).filter(|incarnation| !incarnation.is_empty())
    }

    /// The state of this master as it is known locally; sends nothing to Redis.
    pub fn health(&self) -> Health {
        self.front.shared.health()
    }

    /// Returns counts of the cluster, from Redis.
    pub async fn stats(&self) -> Result<Stats> {
        self.front.shared.open_store()?.stats().await
    }

    /// Removes every key of the cluster, also while other members use it: for tests, and to retire a cluster.
    pub async fn obliterate(&self) -> Result<()> {
        let Front { shared, .. } = &*self.front;
        shared.obliterated.store(true, Ordering::Release);
        let done = shared.open_store()?.obliterate().await;
        if done.is_err() {
            // If the connection is lost later, the program did not remove the cluster again.
            shared.obliterated.store(false, Ordering::Release);
        }
        done
    }

    /// Sends what was submitted, leaves the cluster, and closes the connections. Waits for results end with [`ErrorKind::Closed`], and so does
    /// every later call.
    pub async fn close(&self) -> Result<()> {
        // Waits until jobs that wait for others are stored.
        drop(self.front.flows.write().await);
        // If the task has ended, the command is dropped, and its callback with it.
        awaited(|done| drop(self.front.commands.send(done)), closed)
            .await
            .map_err(|error| if error.kind() == ErrorKind::Closed { self.front.shared.why_closed(error) } else { error })
    }

    pub(super) fn submit_for(&self, mut jobs: Vec<NewJob>, awaited: bool, done: Done<Vec<Added>>) {
        let done = spans::adding(&self.front.shared.options.cluster, &mut jobs, done);
        if jobs.iter().any(NewJob::waits_for_others) {
            jobs.iter_mut().for_each(|job| job.awaited = awaited);
            return self.submit_waiting(jobs, done);
        }
        self.front.adds.submit(jobs, self.front.shared.options.max_payload, awaited, done);
    }
}
