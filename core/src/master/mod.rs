//! A master as its program sees it: jobs in, results out.

pub(crate) mod adds;
mod choice;
mod flight;
mod group;
mod inspect;
mod patience;
mod task;
mod waits;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

pub use choice::Choosing;
pub use group::Group;

use adds::{Adds, Submission};
use choice::Chooser;
use waits::Waits;

use crate::event::Event;
use crate::health::{Health, Stats};
use crate::job::Outcome;
use crate::member::Shared;
use crate::messages::{MemberRef, Messages};
use crate::new_job::{Added, NewJob};
use crate::options::Options;
use crate::worker::Done;
use libswarm_common::error::{Error, ErrorKind, Result};
use libswarm_common::id::{check_name, random_id};

/// Jobs deleted by one call to Redis.
const DELETES: usize = 100;

/// Adds and deletes jobs, awaits results. Clones are the same master. When the last clone is dropped, what was submitted is still sent,
/// then it leaves.
#[derive(Clone)]
pub struct Master {
    front: Arc<Front>,
}

struct Front {
    shared: Arc<Shared>,
    adds: Arc<Adds>,
    waits: Arc<Waits>,
    chooser: Arc<Chooser>,
    commands: mpsc::UnboundedSender<Done<()>>,
}

impl Master {
    /// Starts a master on `runtime`; returns at once and connects in the background. Only bad options fail here.
    pub fn start(options: Options, runtime: &Handle) -> Result<Master> {
        let shared = Arc::new(Shared::new(options, runtime)?);
        let adds = Arc::new(Adds::new(shared.options.max_pending_bytes));
        let waits = Arc::new(Waits::default());
        let chooser = Arc::new(Chooser::default());
        let (commands, received) = mpsc::unbounded_channel();
        let sender = crate::messages::Sender::new(shared.clone());
        let guarding = shared.clone();
        runtime.spawn(async move { guarding.guard("the sender of messages", sender.run()).await });
        let patience = patience::Patience::new(shared.clone(), waits.clone());
        let guarding = shared.clone();
        runtime.spawn(async move { guarding.guard("the log of what waits", patience.run()).await });
        let task = task::Task::new(shared.clone(), adds.clone(), waits.clone(), chooser.clone(), received);
        let (guarding, adding, waiting, choosing) = (shared.clone(), adds.clone(), waits.clone(), chooser.clone());
        runtime.spawn(async move {
            let Err(error) = guarding.guard_main("the master's own", task.run()).await else { return };
            guarding.died(&error);
            adding.close(&error);
            adding.fail_waiting(None, &error);
            waiting.close(&error);
            choosing.end();
            guarding.events.push([Event::Close(Some(error.clone()))]);
            guarding.end(error);
        });
        Ok(Master { front: Arc::new(Front { shared, adds, waits, chooser, commands }) })
    }

    /// Waits until the master is registered; fails like [`Worker::ready`](crate::Worker::ready).
    pub async fn ready(&self) -> Result<()> {
        self.front.shared.ready().await
    }

    /// As [`Worker::set_wake`](crate::Worker::set_wake). A master's events are `Ready`, `Message`, `Member`, `Error` and `Close`.
    pub fn set_wake(&self, wake: impl Fn() + Send + Sync + 'static) {
        self.front.shared.events.set_wake(Arc::new(wake));
    }

    /// As [`Worker::take_events`](crate::Worker::take_events).
    pub fn take_events(&self, max: usize) -> Vec<Event> {
        self.front.shared.events.take(max).into_iter().filter_map(|told| told.by_master(&self.front.shared.messages)).collect()
    }

    /// Messages of this master, and who else is there.
    pub fn messages(&self) -> Messages {
        Messages { shared: self.front.shared.clone() }
    }

    /// From now on this program ends when a member asks it to: as [`Worker::exit_on_kill`](crate::Worker::exit_on_kill). The master leaves before
    /// the process exits.
    pub fn exit_on_kill<F>(&self, grace: Duration, on_kill: impl FnOnce(i32, MemberRef) -> F + Send + 'static) -> Result<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let front = Arc::downgrade(&self.front);
        let leave = async move {
            if let Some(front) = front.upgrade() {
                let _ = Master { front }.close().await;
            }
        };
        self.front.shared.messages.exit_on_kill.arm(grace, on_kill, leave)
    }

    /// Adds jobs; any thread, never blocks. All are checked before any is sent; `done` hears the ids, in order, once Redis has stored
    /// all. Callers share batches: one is sent at once when none is under way, and what comes meanwhile gathers into the next.
    ///
    /// While more than the option `max_pending_bytes` would wait for Redis, they fail at once with [`ErrorKind::BufferFull`]; what is submitted
    /// while nothing waits never does. Jobs beyond 1,000 or 4 MiB go in several batches. If a later one fails, the error says how many were added before.
    pub fn submit(&self, jobs: Vec<NewJob>, done: Done<Vec<Added>>) {
        self.submit_for(jobs, false, done);
    }

    /// Adds one job.
    pub async fn add(&self, job: NewJob) -> Result<Added> {
        Ok(self.add_many(vec![job]).await?.swap_remove(0))
    }

    /// Adds many jobs; see [`Master::submit`].
    pub async fn add_many(&self, jobs: Vec<NewJob>) -> Result<Vec<Added>> {
        waited(|done| self.submit(jobs, done)).await
    }

    /// Deletes a job whatever its state, after the jobs that were submitted before. True if it existed.
    pub async fn delete(&self, id: impl Into<String>) -> Result<bool> {
        Ok(self.delete_many(vec![id.into()]).await?[0])
    }

    /// Deletes many; whether each existed, in the order of the ids.
    pub async fn delete_many(&self, ids: Vec<String>) -> Result<Vec<bool>> {
        for id in &ids {
            check_name("job id", id)?;
        }
        self.front.adds.settled().await;
        let mut existed = Vec::with_capacity(ids.len());
        for ids in ids.chunks(DELETES) {
            existed.extend(self.front.shared.open_store()?.delete(ids).await?);
        }
        Ok(existed)
    }

    /// Awaits the outcome of a job that was added with `result`, by anyone, until `result_ttl` after its end. [`ErrorKind::NotFound`] if
    /// there is neither job nor result. Has no time limit of its own: drop the future to stop waiting.
    pub async fn result(&self, id: impl Into<String>) -> Result<Outcome> {
        let id = id.into();
        check_name("job id", &id)?;
        let wait = self.front.waits.begin(id);
        wait.outcome().await
    }

    /// Adds a job with `result` set and awaits its outcome. Dropping the future stops the wait, not the job. If a job of its id exists,
    /// the outcome is that one's; [`Master::run_with`] tells.
    pub async fn run(&self, job: NewJob) -> Result<Outcome> {
        self.run_with(job, |_| ()).await
    }

    /// As [`Master::run`], and calls `on_added` once Redis has the job, before its outcome is awaited: with its id, and whether a job of this
    /// id existed. It is not called if the job could not be added. It runs in the task that polls this future, so it must not block.
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
        let wait = self.front.waits.begin_adding(id);
        let added = waited(|done| self.submit_for(vec![job], true, done)).await?;
        wait.stored(added[0].existed);
        on_added(&added[0]);
        wait.outcome().await
    }

    /// The current incarnation, empty before the first registration.
    pub fn incarnation(&self) -> String {
        self.front.shared.incarnation()
    }

    /// The master's own view; never asks Redis.
    pub fn health(&self) -> Health {
        self.front.shared.health()
    }

    /// Counts of the cluster, from Redis.
    pub async fn stats(&self) -> Result<Stats> {
        self.front.shared.open_store()?.stats().await
    }

    /// Removes every key of the cluster, whoever uses it: for tests, and for the end of a cluster's life.
    pub async fn obliterate(&self) -> Result<()> {
        let Front { shared, .. } = &*self.front;
        shared.obliterated.store(true, Ordering::Release);
        let done = shared.open_store()?.obliterate().await;
        if done.is_err() {
            // If it is lost later, that is not what its program asked for.
            shared.obliterated.store(false, Ordering::Release);
        }
        done
    }

    /// Waits for what was submitted, leaves the cluster, closes the connections. Waits for results end with [`ErrorKind::Closed`], and so
    /// does every later call.
    pub async fn close(&self) -> Result<()> {
        waited(|done| {
            if let Err(unsent) = self.front.commands.send(done) {
                (unsent.0)(Err(closed()));
            }
        })
        .await
        .map_err(|error| if error.kind() == ErrorKind::Closed { self.front.shared.why_closed(error) } else { error })
    }

    fn submit_for(&self, mut jobs: Vec<NewJob>, awaited: bool, done: Done<Vec<Added>>) {
        let limit = self.front.shared.options.max_payload;
        if let Some((position, error)) = jobs.iter().enumerate().find_map(|(at, job)| Some((at, job.check(limit).err()?))) {
            return done(Err(if jobs.len() == 1 {
                error
            } else {
                error.context(format_args!("job {position}, none was added"))
            }));
        }
        if jobs.is_empty() {
            return done(Ok(Vec::new()));
        }
        for job in &mut jobs {
            job.awaited = awaited;
        }
        self.front.adds.push(Submission::new(jobs, done));
    }
}

/// Runs a call that answers by callback and awaits it.
async fn waited<T: Send + 'static>(call: impl FnOnce(Done<T>)) -> Result<T> {
    let (sender, receiver) = oneshot::channel();
    call(Box::new(move |result| drop(sender.send(result))));
    receiver.await.unwrap_or_else(|_| Err(closed()))
}

fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the master is closed")
}
