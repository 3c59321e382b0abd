//! Keeps processes running; needs no Redis.
#![cfg(unix)]

mod child;
mod event;
mod forward;
mod guard;
mod list;
mod options;
mod output;
mod program;
mod queue;
mod respawn;
mod slot;
mod spawner;
pub mod supervised;
mod system;
mod task;

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot, watch};

pub use libswarm_common::backoff::{Backoff, Growth};
pub use libswarm_common::error::{Error, ErrorKind, Result};
pub use libswarm_common::language::Language;

pub use event::{ProcessExit, ProcessInfo, ProcessState, ProcessStream, SupervisorEvent};
pub use options::SupervisorOptions;
pub use program::{Program, ReadyBy};

use child::Context;
use forward::Forward;
use guard::Guard;
use list::List;
use queue::EventQueue;
use spawner::Spawner;
use task::{Command, Task, stopped};

/// Keeps processes running: restarts them when they fail, reloads them one after another, and leaves no orphan processes. Clones are handles of the
/// same supervisor. When the last one is dropped, it stops as by [`Supervisor::stop`]. If its runtime ends before that, or its process dies, all
/// processes are killed.
///
/// ```no_run
/// # async fn example() -> libswarm_supervisor::Result<()> {
/// use libswarm_supervisor::{Program, ReadyBy, Supervisor, SupervisorOptions};
///
/// let supervisor = Supervisor::start(SupervisorOptions::default(), &tokio::runtime::Handle::current())?;
/// supervisor.handle_signals()?;
/// let mut program = Program::new("./worker").args(["--queue", "mail"]);
/// program.count = 4;
/// program.ready = ReadyBy::Explicit;
/// supervisor.spawn(program).await?;
/// while let Some(event) = supervisor.next().await {
///     println!("{event:?}");
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Supervisor {
    front: Arc<Front>,
}

struct Front {
    events: Arc<EventQueue>,
    list: Arc<List>,
    commands: mpsc::UnboundedSender<Command>,
    /// The result, once the supervisor has ended.
    ended: watch::Receiver<Option<Result<()>>>,
    runtime: Handle,
}

impl Supervisor {
    /// Starts a supervisor without processes on `runtime`, whose timers and I/O must be enabled. It has two threads, for blocking calls: one forks,
    /// and one writes lines, if they are forwarded.
    ///
    /// Fails with [`ErrorKind::InvalidArgument`] if an option is out of its bounds, and with [`ErrorKind::Internal`] if the system has no thread or
    /// descriptor left.
    pub fn start(options: SupervisorOptions, runtime: &Handle) -> Result<Supervisor> {
        options.check()?;
        let guard = Arc::new(Guard::new()?);
        let (forward, written) = if options.forward { Some(Forward::start()?).unzip() } else { (None, None) };
        let events = Arc::new(EventQueue::new(queue::Kept::new(options.line_buffer)));
        let list = Arc::new(List::default());
        let spawner = Spawner::start()?;
        let context = Context { options, events: events.clone(), list: list.clone(), spawner, guard, forward };
        let (commands, received) = mpsc::unbounded_channel();
        let (sender, ended) = watch::channel(None);
        runtime.spawn(Task::new(Arc::new(context), received).run_guarded(written, sender));
        Ok(Supervisor { front: Arc::new(Front { events, list, commands, ended, runtime: runtime.clone() }) })
    }

    /// Starts the processes of a program, and returns their ids, as many as its `count`. It does not wait until they are started: a command that
    /// cannot be started is reported as [`SupervisorEvent::Exited`] and retried like any other failure.
    ///
    /// Fails with [`ErrorKind::InvalidArgument`] if an option is out of its bounds, with [`ErrorKind::TooLarge`] if the name exceeds 256 bytes, and
    /// with [`ErrorKind::Closed`] after a stop.
    pub async fn spawn(&self, program: Program) -> Result<Vec<u64>> {
        program.check()?;
        self.ask(|answer| Command::Spawn(program, answer)).await
    }

    /// Stops the process of an id permanently: TERM to its group, KILL after the option `grace`. Returns when no process of the group is left.
    ///
    /// Fails with [`ErrorKind::NotFound`] if there is no process with this id, such as after it exited with code 0, and with [`ErrorKind::Closed`]
    /// after a stop.
    pub async fn kill(&self, id: u64) -> Result<()> {
        let gone = self.ask(|answer| Command::Kill(id, answer)).await?;
        // The sender is never used, only dropped at the end.
        drop(gone.await);
        Ok(())
    }

    /// Replaces all processes, one after another in the order of their ids: starts a new process, waits until it is ready, and stops the old one.
    /// For an id that has no process because of failures, one is started, too; for one that exited with code 0, none is.
    ///
    /// Ends at the first failure: with [`ErrorKind::Unavailable`] if the new process cannot be started or exits before it is ready, with
    /// [`ErrorKind::Timeout`] if it is not ready within its `ready_timeout`. The new process is then stopped, and the old one and all that follow
    /// stay. Fails with [`ErrorKind::Closed`] if the supervisor is stopped before the reload is complete.
    ///
    /// A call during a reload starts another reload after the current one; several such calls share it. So after a successful call, all processes
    /// were started after that call.
    pub async fn reload(&self) -> Result<()> {
        self.ask(Command::Reload).await
    }

    /// Stops all processes at the same time: TERM to their groups, KILL after the option `grace`. Returns when none is left; so does a further call.
    /// Fails with [`ErrorKind::Closed`] if the runtime ended before, and with [`ErrorKind::Panic`] if a task of the supervisor panicked, which stops
    /// everything.
    pub async fn stop(&self) -> Result<()> {
        // If the task has ended, the processes are stopped.
        drop(self.front.commands.send(Command::Stop));
        let mut ended = self.front.ended.clone();
        let how = ended.wait_for(Option::is_some).await.map_err(|_| stopped())?;
        how.clone().unwrap_or(Ok(()))
    }

    /// Makes SIGHUP reload, and SIGTERM and SIGINT stop all processes, even during a reload. Each signal is reported by [`SupervisorEvent::Signal`].
    /// These signals do not end this process any more, not even after the stop: exit at [`SupervisorEvent::Stopped`].
    ///
    /// Fails with [`ErrorKind::Internal`] if the system refuses, and with [`ErrorKind::Closed`] after a stop.
    pub fn handle_signals(&self) -> Result<()> {
        let _runtime = self.front.runtime.enter();
        let handle = |kind: SignalKind| {
            signal(kind).map_err(|e| Error::new(ErrorKind::Internal, format!("handling signal {}: {e}", kind.as_raw_value())))
        };
        let (terminate, interrupt) = (SignalKind::terminate(), SignalKind::interrupt());
        let stops = [(terminate.as_raw_value(), handle(terminate)?), (interrupt.as_raw_value(), handle(interrupt)?)];
        self.front.commands.send(Command::Signals(handle(SignalKind::hangup())?, stops)).map_err(|_| stopped())
    }

    /// Lists all processes, and the ids that have none at the moment, in the order of their ids. Can be called from any thread and never blocks.
    pub fn list(&self) -> Vec<ProcessInfo> {
        self.front.list.all()
    }

    /// Sets the function that is called when there are events and none were announced since `take_events` last emptied the queue. It is called from
    /// a runtime thread, or from this call. It must be quick and must not block.
    pub fn set_wake(&self, wake: impl Fn() + Send + Sync + 'static) {
        self.front.events.set_wake(Arc::new(wake));
    }

    /// Takes up to `max` events. Can be called from any thread and never blocks. After a wake-up, call it until it returns an empty list. Of the
    /// events that the program does not take, the newest 1,000 and the oldest lines up to the option `line_buffer` are kept;
    /// [`SupervisorEvent::Dropped`] has the numbers of the others.
    pub fn take_events(&self, max: usize) -> Vec<SupervisorEvent> {
        self.front.events.take(max)
    }

    /// Returns the next event; `None` after [`SupervisorEvent::Stopped`].
    pub async fn next(&self) -> Option<SupervisorEvent> {
        self.front.events.next().await
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<Result<T>>) -> Command) -> Result<T> {
        let (sender, answer) = oneshot::channel();
        let stopped = || match &*self.front.ended.borrow() {
            Some(Err(error)) => error.clone(),
            _ => stopped(),
        };
        self.front.commands.send(command(sender)).map_err(|_| stopped())?;
        answer.await.unwrap_or_else(|_| Err(stopped()))
    }
}
