//! A worker: jobs and other events out, finished jobs in.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use libswarm_common::error::Result;
use libswarm_common::value::{DAY, within};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};

use super::event::Event;
use super::messages::Messages;
use super::spans;
use crate::adding::Adds;
use crate::config::options::Options;
use crate::member::{Shared, supervise};
use crate::messaging::{Leave, Messaging};
use crate::model::health::{Health, Stats};
use crate::model::job::Finish;
use crate::model::job_options::{Added, NewJob};
use crate::model::message::MemberRef;
use crate::util::completion::{Done, awaited};
use crate::worker::Task;
use crate::worker::handle::{Ends, WorkerHandle};
use crate::worker::{Command, closed};

/// Accepts jobs and runs them. Clones are handles of the same worker. When the last clone and the last [`Job`](crate::Job) are dropped, the worker
/// is terminated without grace.
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
    pub(crate) handle: WorkerHandle,
}

impl Worker {
    /// Starts a worker on `runtime`. Returns at once and connects in the background. Fails only if options are invalid.
    pub fn start(options: Options, runtime: &Handle) -> Result<Worker> {
        let shared = Arc::new(Shared::new(options, runtime)?);
        let messaging = Messaging::start(shared.clone(), runtime);
        let adds = Arc::new(Adds::new(shared.options.max_pending_bytes));
        let (commands, received) = mpsc::unbounded_channel();
        let ends = Arc::new(Ends {
            messaging,
            adds,
            finishes: Arc::default(),
            commands,
            draining: watch::Sender::new(false),
            #[cfg(feature = "testing")]
            recorder: None,
        });
        runtime.spawn(supervise(shared, Task::new(&ends, received)));
        Ok(Worker { handle: WorkerHandle(ends) })
    }

    /// A worker of no cluster, which records what is done with the job of a test. Its other calls fail as if it were closed.
    #[cfg(feature = "testing")]
    pub(crate) fn recording(recorder: Arc<crate::worker::recorder::Recorder>, runtime: &Handle) -> Result<Worker> {
        let shared = Arc::new(Shared::new(Options::new("no-cluster"), runtime)?);
        let messaging = Messaging::start(shared.clone(), runtime);
        let finishes = Arc::new(crate::worker::finishes::Finishes::default());
        finishes.record_by(recorder.clone());
        let (commands, _) = mpsc::unbounded_channel();
        let draining = watch::Sender::new(false);
        let adds = Arc::new(Adds::new(shared.options.max_pending_bytes));
        shared.end(closed());
        messaging.end(closed());
        let ends = Ends { messaging, adds, finishes, commands, draining, recorder: Some(recorder) };
        Ok(Worker { handle: WorkerHandle(Arc::new(ends)) })
    }

    /// Waits until the worker is registered. Fails at once with an error that does not go away by waiting (a wrong password, …), and after the
    /// option `timeout` with the last connection error; the worker continues to connect.
    pub async fn ready(&self) -> Result<()> {
        self.shared().ready().await
    }

    /// Sets the function that is called when there are events and none were announced since `take_events` last emptied the queue. It is called from
    /// a runtime thread, or from this call. It must be quick and must not block.
    #[cfg(feature = "bindings")]
    pub fn set_wake(&self, wake: impl Fn() + Send + Sync + 'static) {
        self.shared().events.set_wake(Arc::new(wake));
    }

    /// Takes up to `max` events. Can be called from any thread and never blocks. After a wake-up, call it until it returns an empty list.
    #[cfg(feature = "bindings")]
    pub fn take_events(&self, max: usize) -> Vec<Event> {
        self.shared().events.take(max).into_iter().map(|event| Event::of_worker(event, &self.handle)).collect()
    }

    /// The next event; `None` after the final `Close`.
    pub async fn next(&self) -> Option<Event> {
        Some(Event::of_worker(self.shared().events.next().await?, &self.handle))
    }

    /// Starts to accept jobs, as [`next`](Worker::next) and [`process`](Worker::process) do. A worker that was started by
    /// [`Cluster::worker`](crate::Cluster::worker), or without the field [`Options::auto_accept`], is assigned no jobs before, because nothing
    /// would run them. `slots` is the limit of active jobs if the option `slots` is not set.
    pub fn accept(&self, slots: Option<u32>) {
        let shared = self.shared();
        if let (Some(slots), None) = (slots, shared.options.slots) {
            // Not if the program has set them.
            let _ = shared.slots.compare_exchange(0, slots, Ordering::Relaxed, Ordering::Relaxed);
        }
        shared.events.want();
    }

    /// Finishes a job, by its fencing token. Can be called from any thread and never blocks. `done` is called when Redis has accepted it. It is
    /// called with [`ErrorKind::StaleFence`](crate::ErrorKind::StaleFence) or [`ErrorKind::JobDeleted`](crate::ErrorKind::JobDeleted) if the job
    /// was no longer assigned to this execution.
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

    /// Whether the events [`Completed`](Event::Completed), [`Failed`](Event::Failed) and [`Retrying`](Event::Retrying) are emitted for jobs that
    /// are finished from now on; default false.
    pub fn report_outcomes(&self, report: bool) {
        self.handle.0.finishes.report_outcomes(report);
    }

    /// Returns the messages API of this worker, which also reports other members.
    pub fn messages(&self) -> Messages {
        Messages { messaging: self.handle.0.messaging.clone() }
    }

    /// Sets the function that is called when another member requests that this program exits, by [`Messages::kill`]. Its arguments are the exit
    /// code, the requesting member, and a future that lets this worker leave. It is called once, from a task of the worker, even if the program
    /// takes no events, so it must not block. A later call replaces the function. The worker must be [subscribed to messages](Messages::listen).
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

    /// Sets the tasks that the worker accepts from now on, "" for jobs without one, as the option `tasks` does at the start. Active jobs of other
    /// tasks continue.
    pub fn set_tasks(&self, tasks: Vec<String>) -> Result<()> {
        let mut options = Options::new("tasks");
        options.tasks = tasks;
        options.check()?;
        *self.shared().tasks.lock() = options.tasks;
        self.handle.0.commands.send(Command::Tasks).map_err(|_| closed())
    }

    /// Limits the number of jobs that the worker accepts, below its option `slots`. A job that is already on its way may still be assigned to it.
    /// For bindings whose workers share their slots.
    #[cfg(feature = "bindings")]
    pub fn limit_slots(&self, slots: u32) -> Result<()> {
        self.shared().asks_for.store(u64::from(slots), std::sync::atomic::Ordering::Relaxed);
        self.handle.0.commands.send(Command::Control).map_err(|_| closed())
    }

    /// Stores the progress of an active job, as JSON of at most 4 KiB. Can be called from any thread and never blocks. The latest value wins.
    pub fn progress(&self, fence: u64, value: Vec<u8>) -> Result<()> {
        self.handle.progress(fence, value)
    }

    /// Stores a checkpoint of an active job, as JSON of at most 4 KiB; see [`Job::checkpoint`](crate::Job::checkpoint).
    pub fn checkpoint(&self, fence: u64, value: Vec<u8>) -> Result<()> {
        self.handle.checkpoint(fence, value)
    }

    /// Appends a line to the log of an active job; see [`Job::log`](crate::Job::log).
    pub fn log(&self, fence: u64, text: &str) {
        self.handle.log(fence, text);
    }

    /// As [`Job::inputs`](crate::Job::inputs), of the job with this node.
    #[cfg(feature = "bindings")]
    pub async fn inputs(&self, node: &str) -> Result<Vec<crate::model::flow::Input>> {
        self.handle.inputs(node).await
    }

    /// Adds jobs, as [`Master::submit`](crate::Master::submit) does, with the connection of this worker. They need not be of a task that it accepts.
    /// A job with the option `after` is refused. An ephemeral job is deleted when this worker leaves or is lost. Outcomes are awaited by a master: a worker has no waits.
    pub fn submit(&self, mut jobs: Vec<NewJob>, done: Done<Vec<Added>>) {
        let done = spans::adding(&self.shared().options.cluster, &mut jobs, done);
        self.handle.submit(jobs, done);
    }

    /// Adds one job; see [`Worker::submit`].
    pub async fn add(&self, job: NewJob) -> Result<Added> {
        Ok(self.add_many(vec![job]).await?.swap_remove(0))
    }

    /// Adds many jobs; see [`Worker::submit`].
    pub async fn add_many(&self, jobs: Vec<NewJob>) -> Result<Vec<Added>> {
        awaited(|done| self.submit(jobs, done), closed).await
    }

    /// Queues the deletion of any job of the cluster, after the jobs that were submitted before. Returns true if it existed.
    pub async fn delete(&self, id: impl Into<String>) -> Result<bool> {
        self.handle.delete(id.into()).await
    }

    /// Deletes many jobs. Returns whether each existed, in the order of the ids.
    pub async fn delete_many(&self, ids: Vec<String>) -> Result<Vec<bool>> {
        self.handle.delete_many(&ids).await
    }

    /// Accepts no new jobs, requeues those that the program has not taken or that wait for others of their batch, and waits until the program has finished its active jobs.
    pub async fn drain(&self) -> Result<()> {
        let ends = &self.handle.0;
        let command = |done| {
            drop(ends.commands.send(Command::Drain(done)));
            // After the command, so that what is requeued does not come back.
            ends.draining.send_replace(true);
        };
        awaited(command, || self.shared().why_closed(closed())).await
    }

    /// Accepts no new jobs from now on, without waiting, so that jobs which are released after this call do not come back.
    /// [`drain`](Worker::drain) follows.
    #[cfg(feature = "bindings")]
    pub fn stop_accepting(&self) {
        // A worker that has ended accepts none.
        let _ = self.handle.0.commands.send(Command::Drain(Box::new(|_| ())));
    }

    /// Terminates the worker: emits `Delete` for each active job, waits up to `grace` until all are finished or stopped, requeues the rest, and
    /// emits `Close`. A second call fails with [`ErrorKind::Closed`](crate::ErrorKind::Closed). If Redis does not answer within the option
    /// `timeout`, the worker is closed nevertheless, and its jobs are reclaimed when its lease ends.
    ///
    /// Fails with [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) if the grace exceeds a day.
    pub async fn terminate(&self, grace: Duration) -> Result<()> {
        within("call.grace", grace, Duration::ZERO, DAY)?;
        self.command(|done| Command::Terminate(grace, done)).await
    }

    /// The current incarnation; `None` before the first registration.
    pub fn incarnation(&self) -> Option<String> {
        Some(self.shared().incarnation()).filter(|incarnation| !incarnation.is_empty())
    }

    /// The state of this worker as it is known locally; sends nothing to Redis.
    pub fn health(&self) -> Health {
        self.shared().health()
    }

    /// Returns counts of the cluster, from Redis.
    pub async fn stats(&self) -> Result<Stats> {
        self.shared().open_store()?.stats().await
    }

    pub(super) fn cluster(&self) -> &str {
        &self.shared().options.cluster
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.handle.0.messaging.shared
    }

    async fn command(&self, command: impl FnOnce(Done<()>) -> Command) -> Result<()> {
        let closed = || self.shared().why_closed(closed());
        // If the task has ended, the command is dropped, and its callback with it.
        awaited(|done| drop(self.handle.0.commands.send(command(done))), closed).await
    }
}
