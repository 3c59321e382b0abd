//! The task of a supervisor: its slots, its commands, and signals.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::OptionFuture;
use tokio::signal::unix::Signal;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinError, JoinSet};

use super::child::Context;
use super::event::SupervisorEvent;
use super::forward::Written;
use super::program::Program;
use super::slot::{Control, Slot};
use libswarm_common::error::{Error, ErrorKind, Result};
use libswarm_common::panic::panic_text;

type Answer<T> = oneshot::Sender<Result<T>>;

pub(super) enum Command {
    Spawn(Program, Answer<Vec<u64>>),
    Kill(u64, Answer<oneshot::Receiver<()>>),
    Reload(Answer<()>),
    Stop,
    /// Handles signals from now on: that of a reload, and the numbers and signals of those that stop.
    Signals(Signal, [(i32, Signal); 2]),
}

pub(super) struct Task {
    context: Arc<Context>,
    commands: mpsc::UnboundedReceiver<Command>,
    slots: BTreeMap<u64, mpsc::UnboundedSender<Control>>,
    tasks: JoinSet<()>,
    next_id: u64,
    reload: Option<Reload>,
    /// Callers that wait for the next reload, which starts after the current one: some processes of the current one may be older than their calls.
    next_reload: Vec<Answer<()>>,
    wants_reload: bool,
    signals: Option<(Signal, [(i32, Signal); 2])>,
    stopping: bool,
    /// Whether all handles were dropped.
    abandoned: bool,
    /// The error of a panic in a task of the supervisor.
    died: Option<Error>,
}

/// The error has the id that failed.
type Reloaded = Result<(), (u64, Error)>;

struct Reload {
    answers: Vec<Answer<()>>,
    work: Pin<Box<dyn Future<Output = Reloaded> + Send>>,
}

impl Task {
    pub(super) fn new(context: Arc<Context>, commands: mpsc::UnboundedReceiver<Command>) -> Self {
        Task {
            context,
            commands,
            slots: BTreeMap::new(),
            tasks: JoinSet::new(),
            next_id: 1,
            reload: None,
            next_reload: Vec::new(),
            wants_reload: false,
            signals: None,
            stopping: false,
            abandoned: false,
            died: None,
        }
    }

    /// Runs until the supervisor has ended, possibly by a panic; `ended` receives the result.
    pub(super) async fn run_guarded(self, written: Option<Written>, ended: watch::Sender<Option<Result<()>>>) {
        let events = self.context.events.clone();
        let how = match AssertUnwindSafe(self.run(written)).catch_unwind().await {
            Ok(how) => how,
            Err(panic) => {
                // The processes are killed with the tasks that watched them.
                let error = panicked(&*panic);
                events.push([SupervisorEvent::Stopped]);
                events.end();
                Err(error)
            }
        };
        ended.send_replace(Some(how));
    }

    async fn run(mut self, written: Option<Written>) -> Result<()> {
        let guard = tokio::spawn(self.context.guard.clone().run(self.context.spawner.clone()));
        // Dropping it ends the guard, even if the runtime ends before this task does.
        let mut guard = AbortOnDrop(guard);
        let mut guarded = true;
        while !(self.stopping && self.tasks.is_empty() && self.reload.is_none()) {
            let reload: OptionFuture<_> = self.reload.as_mut().map(|reload| reload.work.as_mut()).into();
            tokio::select! {
                command = self.commands.recv(), if !self.abandoned => self.command(command),
                Some(joined) = self.tasks.join_next() => {
                    self.slots.retain(|_, control| !control.is_closed());
                    self.joined(joined);
                }
                joined = &mut guard.0, if guarded => {
                    guarded = false;
                    self.joined(joined);
                }
                Some(result) = reload => self.reloaded(result),
                signal = next_signal(&mut self.signals) => self.signal(signal),
            }
        }
        self.commands.close();
        self.context.guard.close();
        if guarded {
            guard.wait().await;
        }
        let how = self.died.take().map_or(Ok(()), Err);
        let events = self.context.events.clone();
        // Drops the last queues to the threads.
        drop(self);
        if let Some(written) = written {
            written.wait().await;
        }
        events.push([SupervisorEvent::Stopped]);
        events.end();
        how
    }

    /// A task has ended. After a panic no state is reliable any more: everything is stopped.
    fn joined(&mut self, joined: std::result::Result<(), JoinError>) {
        if let Err(error) = joined
            && let Ok(panic) = error.try_into_panic()
        {
            self.died.get_or_insert(panicked(&*panic));
            self.stop();
        }
    }

    fn command(&mut self, command: Option<Command>) {
        match command {
            Some(Command::Stop) => self.stop(),
            None => {
                self.abandoned = true;
                self.stop();
            }
            // Unanswered calls fail, because the supervisor is being stopped.
            Some(_) if self.stopping => {}
            Some(Command::Spawn(program, answer)) => drop(answer.send(Ok(self.spawn(program)))),
            Some(Command::Kill(id, answer)) => drop(answer.send(self.kill(id))),
            Some(Command::Reload(answer)) => self.start_reload(Some(answer)),
            Some(Command::Signals(hangup, stops)) => self.signals = Some((hangup, stops)),
        }
    }

    fn spawn(&mut self, program: Program) -> Vec<u64> {
        let program = Arc::new(program);
        let ids = self.next_id..self.next_id + u64::from(program.count);
        self.next_id = ids.end;
        for id in ids.clone() {
            let (control, received) = mpsc::unbounded_channel();
            self.slots.insert(id, control);
            self.tasks.spawn(Slot::new(id, program.clone(), self.context.clone(), received).run());
        }
        ids.collect()
    }

    fn kill(&mut self, id: u64) -> Result<oneshot::Receiver<()>> {
        let (sender, gone) = oneshot::channel();
        let sent = self.slots.get(&id).is_some_and(|control| control.send(Control::Stop(Some(sender))).is_ok());
        if sent { Ok(gone) } else { Err(Error::new(ErrorKind::NotFound, format!("there is no process of id {id}"))) }
    }

    fn start_reload(&mut self, answer: Option<Answer<()>>) {
        self.next_reload.extend(answer);
        self.wants_reload = true;
        if self.reload.is_some() {
            return;
        }
        self.wants_reload = false;
        let slots = self.slots.clone();
        let work = Box::pin(async move {
            for (id, control) in slots {
                let (sender, answer) = oneshot::channel();
                // A slot that ended meanwhile has nothing to reload, and does not answer.
                if control.send(Control::Reload(sender)).is_ok()
                    && let Ok(result) = answer.await
                {
                    result.map_err(|error| (id, error))?;
                }
            }
            Ok(())
        });
        self.reload = Some(Reload { answers: std::mem::take(&mut self.next_reload), work });
    }

    fn reloaded(&mut self, result: Reloaded) {
        let answers = self.reload.take().map_or(Vec::new(), |reload| reload.answers);
        let (id, result) = match result {
            _ if self.stopping => (None, Err(stopped())),
            Ok(()) => (None, Ok(())),
            Err((id, error)) => (Some(id), Err(error)),
        };
        self.context.events.push([match &result {
            Ok(()) => SupervisorEvent::Reloaded,
            Err(error) => SupervisorEvent::ReloadFailed { id, error: error.clone() },
        }]);
        answers.into_iter().for_each(|answer| drop(answer.send(result.clone())));
        if self.wants_reload && !self.stopping {
            self.start_reload(None);
        }
    }

    fn stop(&mut self) {
        self.stopping = true;
        self.next_reload.drain(..).for_each(|answer| drop(answer.send(Err(stopped()))));
        self.slots.values().for_each(|control| drop(control.send(Control::Stop(None))));
    }

    fn signal(&mut self, signal: i32) {
        self.context.events.push([SupervisorEvent::Signal { signal }]);
        match signal {
            libc::SIGHUP if !self.stopping => self.start_reload(None),
            libc::SIGHUP => {}
            _ => self.stop(),
        }
    }
}

/// The number of the next signal.
async fn next_signal(signals: &mut Option<(Signal, [(i32, Signal); 2])>) -> i32 {
    let Some((hangup, [(first_number, first), (second_number, second)])) = signals else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = hangup.recv() => libc::SIGHUP,
        _ = first.recv() => *first_number,
        _ = second.recv() => *second_number,
    }
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> Error {
    let error =
        Error::new(ErrorKind::Panic, format!("the supervisor is stopped, because a task of it panicked ({})", panic_text(panic)));
    tracing::error!("{error}");
    error
}

/// The error of calls after a stop, or during one.
pub(super) fn stopped() -> Error {
    Error::new(ErrorKind::Closed, "the supervisor is stopped")
}

struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl AbortOnDrop {
    async fn wait(mut self) {
        drop((&mut self.0).await);
    }
}

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
