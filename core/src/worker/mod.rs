//! A worker as its program sees it: events out, finished jobs in.

mod arrivals;
pub(crate) mod batch;
mod intake;
mod outcome;
mod process;
mod quotas;
mod round;
mod stuck;
mod task;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc, oneshot};

pub use process::{DEFAULT_CONCURRENCY, Process};

use crate::event::Event;
use crate::health::{Health, Stats};
use crate::job::{Finish, JobData, MAX_PROGRESS};
use crate::member::Shared;
use crate::messages::{MemberRef, Messages, Outbox};
use crate::options::Options;
use libswarm_common::error::{Error, ErrorKind, Result};
use libswarm_common::id::check_name;
use libswarm_common::value::{DAY, within};

/// Called once, from a runtime thread, when the outcome is known. Must be quick and must not block.
pub type Done<T> = Box<dyn FnOnce(Result<T>) + Send>;

/// Takes jobs and runs them. Clones are the same worker. When the last clone and the last [`Job`](crate::Job) are dropped, it ends as
/// if terminated without grace.
#[derive(Clone)]
pub struct Worker {
    handle: WorkerHandle,
}

/// What jobs hold of their worker.
#[derive(Clone)]
pub(crate) struct WorkerHandle(Arc<Front>);

pub(crate) struct Front {
    shared: Arc<Shared>,
    finishes: Arc<Finishes>,
    commands: mpsc::UnboundedSender<Command>,
}

/// A finished job on its way to the worker's task.
pub(crate) type Finished = (u64, Finish, Option<Done<()>>);

/// Finishes gather here while a round is under way.
#[derive(Default)]
pub(crate) struct Finishes {
    gathered: Mutex<Gathered>,
    arrived: Notify,
    /// Wakes those that wait for the end of a job.
    ended: Notify,
    /// The program is told of accepted outcomes.
    outcomes: AtomicBool,
}

#[derive(Default)]
struct Gathered {
    list: Vec<Finished>,
    /// How far jobs are, by fence.
    progress: HashMap<u64, Vec<u8>>,
    /// Set when the worker has ended: what every later finish is answered.
    closed: Option<Error>,
}

impl Finishes {
    fn push(&self, finishes: impl IntoIterator<Item = Finished>) {
        let mut gathered = self.lock();
        if let Some(error) = gathered.closed.clone() {
            drop(gathered);
            return refuse(finishes, &error);
        }
        let first = gathered.list.is_empty();
        gathered.list.extend(finishes);
        drop(gathered);
        if first {
            self.arrived.notify_one();
        }
    }

    fn any(&self) -> bool {
        !self.lock().list.is_empty()
    }

    /// Takes up to `most` of what has gathered.
    fn take(&self, most: usize) -> Vec<Finished> {
        let mut gathered = self.lock();
        if gathered.list.len() <= most {
            return std::mem::take(&mut gathered.list);
        }
        gathered.list.drain(..most).collect()
    }

    fn push_progress(&self, fence: u64, value: Vec<u8>) {
        let mut gathered = self.lock();
        let first = gathered.progress.is_empty();
        gathered.progress.insert(fence, value);
        drop(gathered);
        if first {
            self.arrived.notify_one();
        }
    }

    fn reports_outcomes(&self) -> bool {
        self.outcomes.load(Ordering::Relaxed)
    }

    fn has_progress(&self) -> bool {
        !self.lock().progress.is_empty()
    }

    fn take_progress(&self) -> HashMap<u64, Vec<u8>> {
        std::mem::take(&mut self.lock().progress)
    }

    /// Refuses what comes from now on.
    fn close(&self, error: Error) {
        self.lock().closed = Some(error);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Gathered> {
        self.gathered.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// Answers finishes whose jobs are no longer this execution's. To stop what was to be stopped is right all the same.
fn refuse(finishes: impl IntoIterator<Item = Finished>, error: &Error) {
    for (_, finish, done) in finishes {
        if let Some(done) = done {
            done(if finish == Finish::Stopped { Ok(()) } else { Err(error.clone()) });
        }
    }
}

pub(crate) enum Command {
    Drain(Done<()>),
    Terminate(Duration, Done<()>),
    /// The tasks have changed.
    Tasks,
    /// It asks for other numbers of jobs.
    Slots,
}

impl Worker {
    /// Starts a worker on `runtime`; returns at once and connects in the background. Only bad options fail here.
    pub fn start(options: Options, runtime: &Handle) -> Result<Worker> {
        let shared = Arc::new(Shared::new(options, runtime)?);
        let finishes = Arc::new(Finishes::default());
        let (commands, received) = mpsc::unbounded_channel();
        let front = Arc::new(Front { shared: shared.clone(), finishes: finishes.clone(), commands });
        let sender = crate::messages::Sender::new(shared.clone());
        let guarding = shared.clone();
        runtime.spawn(async move { guarding.guard("the sender of messages", sender.run()).await });
        runtime.spawn(task::Task::new(shared, finishes, Arc::downgrade(&front), received).run_guarded());
        Ok(Worker { handle: WorkerHandle(front) })
    }

    /// Waits until the worker is registered. Fails at once with an error that waiting does not mend (a wrong password, …), and after the
    /// option `timeout` with the last connection error; the worker goes on trying all the same.
    pub async fn ready(&self) -> Result<()> {
        self.shared().ready().await
    }

    /// `wake` is called when there are events and none were announced since `take_events` last emptied the queue; from a runtime thread,
    /// or from here. It must be quick and must not block.
    pub fn set_wake(&self, wake: impl Fn() + Send + Sync + 'static) {
        self.shared().events.set_wake(Arc::new(wake));
    }

    /// Takes up to `max` events; any thread, never blocks. After a wake, call it until it answers an empty list.
    pub fn take_events(&self, max: usize) -> Vec<Event> {
        self.shared().events.take(max).into_iter().map(|told| told.by(&self.handle)).collect()
    }

    /// The next event; `None` after the final `Close`.
    pub async fn next(&self) -> Option<Event> {
        Some(self.shared().events.next().await?.by(&self.handle))
    }

    /// Asks for jobs from now on, as [`next`](Worker::next) and [`process`](Worker::process) do: one that was started by
    /// [`Cluster::worker`](crate::Cluster::worker), or without the field [`Options::auto_accept`], is given none before, for nobody would run
    /// them. `slots`: active jobs at once at most, unless the option `slots` says so.
    pub fn accept(&self, slots: Option<u32>) {
        let shared = self.shared();
        if let (Some(slots), None) = (slots, shared.options.slots) {
            shared.slots.store(slots, Ordering::Relaxed);
        }
        shared.events.want();
    }

    /// Runs `handler` for each job, as many at once as the worker has slots: [`DEFAULT_CONCURRENCY`] without the option `slots`.
    pub fn process<H, F, T, E>(&self, handler: H) -> Process<H>
    where
        H: Fn(crate::Job) -> F,
        F: Future<Output = std::result::Result<T, E>> + Send + 'static,
        T: serde::Serialize + 'static,
        E: std::fmt::Display + 'static,
    {
        Process::new(self.clone(), handler)
    }

    /// Ends the hold on a job, by its fence. Any thread, never blocks; `done` hears when Redis has accepted it, or
    /// [`ErrorKind::StaleFence`] or [`ErrorKind::JobDeleted`] if the job was no longer this execution's.
    pub fn finish(&self, fence: u64, finish: Finish, done: Option<Done<()>>) {
        self.handle.0.finishes.push([(fence, finish, done)]);
    }

    /// Ends the hold on many jobs at once.
    pub fn finish_many(&self, finishes: Vec<(u64, Finish, Option<Done<()>>)>) {
        if !finishes.is_empty() {
            self.handle.0.finishes.push(finishes);
        }
    }

    /// Whether the events [`Completed`](Event::Completed), [`Failed`](Event::Failed) and [`Retrying`](Event::Retrying) come, for jobs
    /// finished from now on. Without it, which is the default, they cost nothing.
    pub fn report_outcomes(&self, report: bool) {
        self.handle.0.finishes.outcomes.store(report, Ordering::Relaxed);
    }

    /// Messages of this worker, and who else is there.
    pub fn messages(&self) -> Messages {
        Messages { shared: self.handle.0.shared.clone() }
    }

    /// From now on this program ends when a member asks it to, by [`Messages::kill`]: `on_kill` is called with the exit code and who asks, and once
    /// its future is ready, the worker is terminated without grace and the process exits with that code. `grace` (at most 1 h) after the
    /// request it exits with it in any case, without its exit handlers. A later call replaces an earlier one; the first request counts.
    /// The worker has to [listen](Messages::listen).
    pub fn exit_on_kill<F>(&self, grace: Duration, on_kill: impl FnOnce(i32, MemberRef) -> F + Send + 'static) -> Result<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let front = Arc::downgrade(&self.handle.0);
        let leave = async move {
            if let Some(front) = front.upgrade() {
                let _ = Worker { handle: WorkerHandle(front) }.terminate(Duration::ZERO).await;
            }
        };
        self.shared().messages.exit_on_kill.arm(grace, on_kill, leave)
    }

    /// Which tasks the worker takes from now on, "" for jobs without one; at once, as the option `tasks` said before. Jobs of other tasks that
    /// it has been given already stay its.
    pub fn set_tasks(&self, tasks: Vec<String>) -> Result<()> {
        let mut options = Options::new("tasks");
        options.tasks = tasks;
        options.check()?;
        *self.shared().tasks.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = options.tasks;
        self.handle.0.commands.send(Command::Tasks).map_err(|_| closed())
    }

    /// The worker asks for no more jobs than this at once, and than its option `slots` allows. One that is on its way already may be given
    /// to it all the same. For bindings whose workers share their slots.
    #[doc(hidden)]
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

    /// Takes no new jobs, gives back those the program has not taken up, and waits until it has finished those it holds.
    pub async fn drain(&self) -> Result<()> {
        self.command(Command::Drain).await
    }

    /// `Delete` for each active job, then waits up to `grace` until all are finished or stopped, gives them back to the cluster, `Close`.
    /// A second call is [`ErrorKind::Closed`]. If Redis cannot be told within the option `timeout`, the worker is closed all the same
    /// and its jobs move when its lease ends.
    ///
    /// A grace of more than a day is [`ErrorKind::InvalidArgument`].
    pub async fn terminate(&self, grace: Duration) -> Result<()> {
        within("call.grace", grace, Duration::ZERO, DAY)?;
        self.command(|done| Command::Terminate(grace, done)).await
    }

    /// The current incarnation, empty before the first registration.
    pub fn incarnation(&self) -> String {
        self.shared().incarnation()
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
        &self.handle.0.shared
    }

    async fn command(&self, command: impl FnOnce(Done<()>) -> Command) -> Result<()> {
        let (sender, receiver) = oneshot::channel();
        let done: Done<()> = Box::new(move |result| drop(sender.send(result)));
        let closed = || self.shared().why_closed(closed());
        self.handle.0.commands.send(command(done)).map_err(|_| closed())?;
        receiver.await.unwrap_or_else(|_| Err(closed()))
    }
}

impl WorkerHandle {
    pub(crate) fn outbox(&self) -> &Arc<Outbox> {
        &self.0.shared.messages
    }

    pub(crate) async fn until_ended(&self, job: &JobData) {
        loop {
            let ended = self.0.finishes.ended.notified();
            if job.has_ended() {
                return;
            }
            ended.await;
        }
    }

    pub(crate) async fn finish_and_wait(&self, fence: u64, finish: Finish) -> Result<()> {
        let (sender, receiver) = oneshot::channel();
        self.0.finishes.push([(fence, finish, Some(Box::new(move |result| drop(sender.send(result))) as Done<()>))]);
        receiver.await.unwrap_or_else(|_| Err(closed()))
    }

    pub(crate) fn progress(&self, fence: u64, value: Vec<u8>) -> Result<()> {
        if value.len() > MAX_PROGRESS {
            let text = format!("the progress has {} bytes, the limit is {MAX_PROGRESS}", value.len());
            return Err(Error::new(ErrorKind::TooLarge, text));
        }
        self.0.finishes.push_progress(fence, value);
        Ok(())
    }

    pub(crate) async fn delete(&self, id: String) -> Result<bool> {
        check_name("job id", &id)?;
        Ok(self.0.shared.open_store()?.delete(&[id]).await?[0])
    }
}

fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the worker is closed")
}

fn stale(fence: u64) -> Error {
    let which = if fence == 0 { String::new() } else { format!(" (fence {fence})") };
    Error::new(ErrorKind::StaleFence, format!("the job is no longer assigned to this execution{which}; nothing was changed"))
}
