//! A worker as its program sees it: events out, finished jobs in.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use libswarm_common::error::Result;
use libswarm_common::value::{DAY, within};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::event::Event;
use super::messages::Messages;
use crate::config::options::Options;
use crate::member::{Shared, supervise};
use crate::messaging::{Leave, Messaging};
use crate::model::health::{Health, Stats};
use crate::model::job::Finish;
use crate::model::message::MemberRef;
use crate::util::completion::{Done, awaited};
use crate::worker::Task;
use crate::worker::handle::{Ends, WorkerHandle};
use crate::worker::{Command, closed};

/// Takes jobs and runs them. Clones are the same worker. When the last clone and the last [`Job`](crate::Job) are dropped, it ends as
/// if terminated without grace.
///
/// ```no_run
/// use libswarm::{Cluster, Event};
///
/// # async fn example(cluster: Cluster) -> libswarm::Result<()> {
/// let worker = cluster.worker().slots(4).start().await?;
/// while let Some(event) = worker.next().await {
///     match event {
///         Event::Add(job) => println!("start {}", job.id),
///         Event::Delete { job, .. } => job.stopped().await?,
///         _ => {}
///     }
/// }
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Worker {
    handle: WorkerHandle,
}

impl Worker {
    /// Starts a worker on `runtime`; returns at once and connects in the background. Only bad options fail here.
    pub fn start(options: Options, runtime: &Handle) -> Result<Worker> {
        let shared = Arc::new(Shared::new(options, runtime)?);
        let messaging = Messaging::start(shared.clone(), runtime);
        let (commands, received) = mpsc::unbounded_channel();
        let ends = Arc::new(Ends { messaging, finishes: Arc::default(), commands });
        runtime.spawn(supervise(shared, Task::new(&ends, received)));
        Ok(Worker { handle: WorkerHandle(ends) })
    }

    /// Waits until the worker is registered. Fails at once with an error that waiting does not mend (a wrong password, …), and after the
    /// option `timeout` with the last connection error; the worker keeps trying.
    pub async fn ready(&self) -> Result<()> {
        self.shared().ready().await
    }

    /// `wake` is called when there are events and none were announced since `take_events` last emptied the queue; from a runtime thread,
    /// or from here. It must be quick and must not block.
    #[cfg(feature = "bindings")]
    pub fn set_wake(&self, wake: impl Fn() + Send + Sync + 'static) {
        self.shared().events.set_wake(Arc::new(wake));
    }

    /// Takes up to `max` events; any thread, never blocks. After a wake, call it until it answers an empty list.
    #[cfg(feature = "bindings")]
    pub fn take_events(&self, max: usize) -> Vec<Event> {
        self.shared().events.take(max).into_iter().map(|event| Event::of_worker(event, &self.handle)).collect()
    }

    /// The next event; `None` after the final `Close`.
    pub async fn next(&self) -> Option<Event> {
        Some(Event::of_worker(self.shared().events.next().await?, &self.handle))
    }

    /// Asks for jobs from now on, as [`next`](Worker::next) and [`process`](Worker::process) do: one that was started by
    /// [`Cluster::worker`](crate::Cluster::worker), or without the field [`Options::auto_accept`], gets none before, because
    /// nothing would run them. `slots`: the limit of active jobs, unless the option `slots` is set.
    pub fn accept(&self, slots: Option<u32>) {
        let shared = self.shared();
        if let (Some(slots), None) = (slots, shared.options.slots) {
            shared.slots.store(slots, Ordering::Relaxed);
        }
        shared.events.want();
    }

    /// Finishes a job, by its fence. Any thread, never blocks; `done` is called when Redis has accepted it, or with
    /// [`ErrorKind::StaleFence`](crate::ErrorKind::StaleFence) or [`ErrorKind::JobDeleted`](crate::ErrorKind::JobDeleted) if the job was no longer this execution's.
    pub fn finish(&self, fence: u64, finish: Finish, done: Option<Done<()>>) {
        self.handle.0.finishes.push([(fence, finish, done)]);
    }

    /// Finishes many jobs at once.
    #[cfg(feature = "bindings")]
    pub fn finish_many(&self, finishes: Vec<(u64, Finish, Option<Done<()>>)>) {
        if !finishes.is_empty() {
            self.handle.0.finishes.push(finishes);
        }
    }

    /// Whether the events [`Completed`](Event::Completed), [`Failed`](Event::Failed) and [`Retrying`](Event::Retrying) come, for jobs
    /// finished from now on. Without it, which is the default, they cost nothing.
    pub fn report_outcomes(&self, report: bool) {
        self.handle.0.finishes.report_outcomes(report);
    }

    /// Messages of this worker, and who else is there.
    pub fn messages(&self) -> Messages {
        Messages { messaging: self.handle.0.messaging.clone() }
    }

    /// Sets what is called when another member asks this program to end, by [`Messages::kill`]: with the exit code, who asks, and what has this
    /// worker leave. It is called once, from a task of the worker, also if the program takes no events, so it must not block. A later call replaces
    /// an earlier one. The worker has to [listen](Messages::listen).
    ///
    /// ```no_run
    /// # fn example(worker: libswarm::Worker) {
    /// worker.on_kill(|code, _from, leave| {
    ///     tokio::spawn(async move {
    ///         leave.await;
    ///         std::process::exit(code);
    ///     });
    /// });
    /// # }
    /// ```
    pub fn on_kill(&self, hook: impl FnOnce(i32, MemberRef, Leave) + Send + 'static) {
        let ends = Arc::downgrade(&self.handle.0);
        let leave = async move {
            if let Some(ends) = ends.upgrade() {
                let _ = Worker { handle: WorkerHandle(ends) }.terminate(Duration::ZERO).await;
            }
        };
        self.handle.0.messaging.kill_hook.set(hook, Box::pin(leave));
    }

    /// Sets which tasks the worker takes from now on, "" for jobs without one, as the option `tasks` does at the start. Active jobs of other tasks
    /// continue.
    pub fn set_tasks(&self, tasks: Vec<String>) -> Result<()> {
        let mut options = Options::new("tasks");
        options.tasks = tasks;
        options.check()?;
        *self.shared().tasks.lock() = options.tasks;
        self.handle.0.commands.send(Command::Tasks).map_err(|_| closed())
    }

    /// The worker asks for no more jobs than this at once, and than its option `slots` allows. One that is on its way already may be given
    /// to it all the same. For bindings whose workers share their slots.
    #[cfg(feature = "bindings")]
    pub fn limit_slots(&self, slots: u32) -> Result<()> {
        self.shared().asks_for.store(u64::from(slots), std::sync::atomic::Ordering::Relaxed);
        self.handle.0.commands.send(Command::Slots).map_err(|_| closed())
    }

    /// Stores how far an active job is, as JSON of at most 4 KiB; any thread, never blocks. The latest wins.
    pub fn progress(&self, fence: u64, value: Vec<u8>) -> Result<()> {
        self.handle.progress(fence, value)
    }

    /// Queues a job's deletion (any job of the cluster). True if it existed.
    pub async fn delete(&self, id: impl Into<String>) -> Result<bool> {
        self.handle.delete(id.into()).await
    }

    /// Deletes many; whether each existed, in the order of the ids.
    pub async fn delete_many(&self, ids: Vec<String>) -> Result<Vec<bool>> {
        self.handle.delete_many(&ids).await
    }

    /// Takes no new jobs, requeues those that the program has not taken, and waits until the program has finished its active jobs.
    pub async fn drain(&self) -> Result<()> {
        self.command(Command::Drain).await
    }

    /// Ends the worker: `Delete` for each active job; waits up to `grace` until all are finished or stopped; requeues the rest; `Close`.
    /// A second call is [`ErrorKind::Closed`](crate::ErrorKind::Closed). If Redis does not answer within the option `timeout`, the worker is closed all the same
    /// and its jobs move when its lease ends.
    ///
    /// A grace of more than a day is [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument).
    pub async fn terminate(&self, grace: Duration) -> Result<()> {
        within("call.grace", grace, Duration::ZERO, DAY)?;
        self.command(|done| Command::Terminate(grace, done)).await
    }

    /// The current incarnation; `None` before the first registration.
    pub fn incarnation(&self) -> Option<String> {
        Some(self.shared().incarnation()).filter(|incarnation| !incarnation.is_empty())
    }

    /// The worker's own view; never asks Redis.
    pub fn health(&self) -> Health {
        self.shared().health()
    }

    /// Counts of the cluster, from Redis.
    pub async fn stats(&self) -> Result<Stats> {
        self.shared().open_store()?.stats().await
    }

    fn shared(&self) -> &Shared {
        &self.handle.0.messaging.shared
    }

    async fn command(&self, command: impl FnOnce(Done<()>) -> Command) -> Result<()> {
        let closed = || self.shared().why_closed(closed());
        // A command that nobody receives drops its callback.
        awaited(|done| drop(self.handle.0.commands.send(command(done))), closed).await
    }
}
