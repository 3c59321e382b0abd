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

/// Keeps processes running: starts them again when they fail, reloads them one after another, and leaves none behind. Clones are the same supervisor.
/// When the last one is dropped, it stops as by [`Supervisor::stop`]; if its runtime ends before that, or its process dies, everything is killed.
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
    /// How it ended, once it has.
    ended: watch::Receiver<Option<Result<()>>>,
    runtime: Handle,
}

impl Supervisor {
    /// Starts a supervisor without processes on `runtime`, which needs its timers and its I/O. It has two threads, for what blocks: one forks, and one
    /// writes lines, if they are forwarded.
    ///
    /// Options out of their bounds are [`ErrorKind::InvalidArgument`]; a system without a free thread or descriptor is [`ErrorKind::Internal`].
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

    /// Runs a program, and returns the ids of its processes, as many as its `count`. It does not wait for them to be started: a command that cannot
    /// be started is reported as [`SupervisorEvent::Exited`] and retried like any other failure.
    ///
    /// Options out of their bounds are [`ErrorKind::InvalidArgument`], a name over 256 bytes [`ErrorKind::TooLarge`]; after a stop it is
    /// [`ErrorKind::Closed`].
    pub async fn spawn(&self, program: Program) -> Result<Vec<u64>> {
        program.check()?;
        self.ask(|answer| Command::Spawn(program, answer)).await
    }

    /// Stops the process of an id permanently: TERM to its group, KILL after the option `grace`. Returns when no process of the group is left.
    ///
    /// [`ErrorKind::NotFound`] if there is none, as after it ended with code 0; [`ErrorKind::Closed`] after a stop.
    pub async fn kill(&self, id: u64) -> Result<()> {
        let gone = self.ask(|answer| Command::Kill(id, answer)).await?;
        // Never sent, but dropped at the end.
        drop(gone.await);
        Ok(())
    }

    /// Replaces all processes, one after another in the order of their ids: starts another, waits until it is ready, and stops the old one. An id
    /// that has no process because of failures is started, too; one that ended with code 0 is not.
    ///
    /// Ends at the first that fails: with [`ErrorKind::Unavailable`] if the new process cannot be started or exits before it is ready, with
    /// [`ErrorKind::Timeout`] if it is not ready within its `ready_timeout`; that one is stopped, and the old one and all later ones stay.
    /// [`ErrorKind::Closed`] if the supervisor is stopped before it is complete.
    ///
    /// A call during a reload waits for another, which begins when this one has ended; several calls share it. So all that runs after any call
    /// that succeeded was started after that call.
    pub async fn reload(&self) -> Result<()> {
        self.ask(Command::Reload).await
    }

    /// Stops all processes at the same time: TERM to their groups, KILL after the option `grace`. Returns when none is left; so does a
    /// further call. [`ErrorKind::Closed`] if the runtime ended before; [`ErrorKind::Panic`] if a task of the supervisor panicked, which stops everything.
    pub async fn stop(&self) -> Result<()> {
        // If the task has ended, the processes are stopped.
        drop(self.front.commands.send(Command::Stop));
        let mut ended = self.front.ended.clone();
        let how = ended.wait_for(Option::is_some).await.map_err(|_| stopped())?;
        how.clone().unwrap_or(Ok(()))
    }

    /// From now on SIGHUP reloads, and SIGTERM and SIGINT stop all processes, also during a reload; each is reported by [`SupervisorEvent::Signal`]. They
    /// no longer end this process, not even after the stop: end it at [`SupervisorEvent::Stopped`].
    ///
    /// [`ErrorKind::Internal`] if the system refuses, [`ErrorKind::Closed`] after a stop.
    pub fn handle_signals(&self) -> Result<()> {
        let _runtime = self.front.runtime.enter();
        let handle = |kind: SignalKind| {
            signal(kind).map_err(|e| Error::new(ErrorKind::Internal, format!("handling signal {}: {e}", kind.as_raw_value())))
        };
        let (terminate, interrupt) = (SignalKind::terminate(), SignalKind::interrupt());
        let stops = [(terminate.as_raw_value(), handle(terminate)?), (interrupt.as_raw_value(), handle(interrupt)?)];
        self.front.commands.send(Command::Signals(handle(SignalKind::hangup())?, stops)).map_err(|_| stopped())
    }

    /// All processes, and the ids that have none at the moment, in the order of their ids. Any thread, never blocks.
    pub fn list(&self) -> Vec<ProcessInfo> {
        self.front.list.all()
    }

    /// `wake` is called when there are events and none were announced since `take_events` last emptied the queue; from a runtime thread,
    /// or from here. It must be quick and must not block.
    pub fn set_wake(&self, wake: impl Fn() + Send + Sync + 'static) {
        self.front.events.set_wake(Arc::new(wake));
    }

    /// Takes up to `max` events; any thread, never blocks. After a wake, call it until it answers an empty list. Of what is not taken, the newest
    /// 1,000 events and the oldest lines up to the option `line_buffer` are kept; [`SupervisorEvent::Dropped`] has the numbers of the others.
    pub fn take_events(&self, max: usize) -> Vec<SupervisorEvent> {
        self.front.events.take(max)
    }

    /// The next event; `None` after [`SupervisorEvent::Stopped`].
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
