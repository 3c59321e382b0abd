//! A slot keeps the process of one id running, and replaces it in a reload. Each slot has its own task.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use super::child::{Child, Context};
use super::event::{ProcessExit, ProcessState, SupervisorEvent};
use super::list::Entry;
use super::program::{Program, ReadyBy};
use super::respawn::Failures;
use libswarm_common::error::{Error, ErrorKind, Result};

/// A command to a slot.
pub(super) enum Control {
    /// Starts another process and then stops the current one. The sender is dropped without an answer if the slot ends before.
    Reload(oneshot::Sender<Result<()>>),
    /// Stops the process and ends the slot; the sender is dropped when no process is left.
    Stop(Option<oneshot::Sender<()>>),
}

pub(super) struct Slot {
    reporter: Reporter,
    program: Arc<Program>,
    control: mpsc::UnboundedReceiver<Control>,
    failures: Failures,
    restarts: u64,
    /// The slot's row in the list until its first start.
    entry: Option<Entry>,
    /// The caller that waits for its end.
    waits: Option<oneshot::Sender<()>>,
}

/// The identity of the slot, and where it reports events.
#[derive(Clone)]
struct Reporter {
    id: u64,
    name: Arc<str>,
    context: Arc<Context>,
}

enum State {
    Running(Child),
    /// Waits until another process is started; forever if it failed too often.
    Idle(Option<Instant>, Entry),
    Ended,
}

/// What happens first.
enum Step {
    Ready,
    Exited,
    Late,
    Due,
    OldExited,
    Control(Option<Control>),
}

impl Slot {
    pub(super) fn new(id: u64, program: Arc<Program>, context: Arc<Context>, control: mpsc::UnboundedReceiver<Control>) -> Self {
        let name: Arc<str> = program.shown_name().into();
        let entry = context.list.add(id, &name, None, ProcessState::Starting, 0);
        let reporter = Reporter { id, name, context };
        Slot { reporter, program, control, failures: Failures::default(), restarts: 0, entry: Some(entry), waits: None }
    }

    pub(super) async fn run(mut self) {
        let mut state = self.start_or_pause().await;
        self.entry = None;
        loop {
            state = match state {
                State::Running(child) => self.watch(child).await,
                State::Idle(until, entry) => self.idle(until, entry).await,
                State::Ended => break,
            };
        }
    }

    async fn watch(&mut self, mut child: Child) -> State {
        let step = tokio::select! {
            biased;
            () = child.said_ready() => Step::Ready,
            () = child.exited() => Step::Exited,
            () = sleep_until(child.ready_by), if !child.is_ready() => Step::Late,
            control = self.control.recv() => Step::Control(control),
        };
        match step {
            Step::Ready => {
                self.reporter.ready(&mut child);
                State::Running(child)
            }
            Step::Exited => self.ended(child).await,
            Step::Late => {
                let deadline = self.deadline();
                child.stop(self.grace()).await;
                self.failed(child, ProcessExit::NotReady, deadline).await
            }
            Step::Control(Some(Control::Reload(answer))) => self.replace(State::Running(child), answer).await,
            Step::Control(control) => self.stop(control, [State::Running(child), State::Ended]).await,
            Step::Due | Step::OldExited => State::Running(child),
        }
    }

    async fn idle(&mut self, until: Option<Instant>, entry: Entry) -> State {
        let step = tokio::select! {
            () = at(until) => Step::Due,
            control = self.control.recv() => Step::Control(control),
        };
        match step {
            Step::Control(Some(Control::Reload(answer))) => self.replace(State::Idle(until, entry), answer).await,
            Step::Control(control) => self.stop(control, [State::Ended, State::Ended]).await,
            _ => {
                self.failures.respawned(&self.reporter.context.options, Instant::now());
                self.restarts += 1;
                // The row stays in the list until the new process is in it, and is not listed beside it.
                let next = self.start_or_pause().await;
                drop(entry);
                next
            }
        }
    }

    async fn start(&mut self) -> Result<Child, ProcessExit> {
        let Reporter { id, name, context } = &self.reporter;
        let mut child = Child::start(context, &self.program, *id, name, self.restarts).await.map_err(ProcessExit::NotStarted)?;
        context.events.push([SupervisorEvent::Started { id: *id, name: name.clone(), pid: child.pid() }]);
        if self.program.ready == ReadyBy::Start {
            self.reporter.ready(&mut child);
        }
        Ok(child)
    }

    async fn start_or_pause(&mut self) -> State {
        match self.start().await {
            Ok(child) => State::Running(child),
            Err(exit) => self.after(None, exit, None),
        }
    }

    /// The process has exited by itself.
    async fn ended(&mut self, mut child: Child) -> State {
        let deadline = self.deadline();
        let exit = child.reap().await;
        self.failed(child, exit, deadline).await
    }

    async fn failed(&mut self, mut child: Child, exit: ProcessExit, deadline: Instant) -> State {
        child.unlist();
        let next = self.after(Some(child.pid()), exit, child.ready_for());
        child.finish(deadline).await;
        next
    }

    /// Reports the exit of a process, and decides how to continue.
    fn after(&mut self, pid: Option<u32>, exit: ProcessExit, ready_for: Option<Duration>) -> State {
        let now = Instant::now();
        if exit.is_success() || !self.program.respawn {
            self.reporter.exited(pid, exit, None);
            return State::Ended;
        }
        let Reporter { id, name, context } = &self.reporter;
        let pause = self.failures.add(&context.options, ready_for, now);
        let state = if pause.is_some() { ProcessState::Pausing } else { ProcessState::GaveUp };
        // Listed before it is reported: its recipient may list the processes.
        let row = context.list.add(*id, name, None, state, self.restarts);
        self.reporter.exited(pid, exit, pause);
        if pause.is_none() {
            context.events.push([SupervisorEvent::GaveUp { id: *id, name: name.clone() }]);
        }
        State::Idle(pause.map(|pause| now + pause), row)
    }

    /// Starts another process beside the current one, and stops the current one once the other is ready.
    async fn replace(&mut self, mut old: State, answer: oneshot::Sender<Result<()>>) -> State {
        let mut new = match self.start().await {
            Ok(new) => new,
            Err(exit) => {
                let error = self.reporter.reload_error(&exit);
                self.reporter.exited(None, exit, None);
                drop(answer.send(Err(error)));
                return old;
            }
        };
        while !new.is_ready() {
            let step = tokio::select! {
                biased;
                () = new.said_ready() => Step::Ready,
                () = new.exited() => Step::Exited,
                () = sleep_until(new.ready_by) => Step::Late,
                control = self.control.recv() => Step::Control(control),
                () = exited(&old) => Step::OldExited,
            };
            let exit = match step {
                Step::Ready => {
                    self.reporter.ready(&mut new);
                    continue;
                }
                Step::OldExited => {
                    if let State::Running(child) = old {
                        // If the new process fails, this state applies.
                        old = self.ended(child).await;
                    }
                    continue;
                }
                Step::Control(Some(Control::Reload(_))) | Step::Due => continue,
                Step::Control(control) => return self.stop(control, [old, State::Running(new)]).await,
                Step::Exited => None,
                Step::Late => Some(ProcessExit::NotReady),
            };
            // Also for a process that has exited: other processes of its group may be left.
            let reporter = self.reporter.clone();
            let ending = async move {
                let exit = reporter.end(new, exit).await;
                drop(answer.send(Err(reporter.reload_error(&exit))));
            };
            return self.while_watching(ending, old).await;
        }
        self.failures = Failures::default();
        let reporter = self.reporter.clone();
        let ending = async move {
            match old {
                State::Running(child) => drop(reporter.end(child, None).await),
                State::Idle(..) | State::Ended => {}
            }
            drop(answer.send(Ok(())));
        };
        self.while_watching(ending, State::Running(new)).await
    }

    /// Waits until one process is gone. If the slot is to be stopped meanwhile, the other process is stopped at the same time.
    async fn while_watching(&mut self, ending: impl Future<Output = ()>, other: State) -> State {
        tokio::pin!(ending);
        loop {
            tokio::select! {
                () = &mut ending => return other,
                control = self.control.recv() => match control {
                    Some(Control::Reload(_)) => {}
                    control => return tokio::join!(ending, self.stop(control, [other, State::Ended])).1,
                }
            }
        }
    }

    async fn stop(&mut self, control: Option<Control>, states: [State; 2]) -> State {
        if let Some(Control::Stop(waits)) = control {
            self.waits = waits;
        }
        let reporter = &self.reporter;
        let ends = states.map(|state| async move {
            if let State::Running(child) = state {
                reporter.end(child, None).await;
            }
        });
        futures_util::future::join_all(ends).await;
        State::Ended
    }

    fn grace(&self) -> Duration {
        self.reporter.context.options.grace
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.grace()
    }
}

impl Reporter {
    fn ready(&self, child: &mut Child) {
        child.set_ready();
        self.context.events.push([SupervisorEvent::Ready { id: self.id, name: self.name.clone(), pid: child.pid() }]);
    }

    fn exited(&self, pid: Option<u32>, exit: ProcessExit, respawn: Option<Duration>) {
        self.context.events.push([SupervisorEvent::Exited { id: self.id, name: self.name.clone(), pid, exit, respawn }]);
    }

    /// Stops a process without a successor. `exit` is reported as how it exited, by default its actual exit. The rest of its group has no further
    /// grace.
    async fn end(&self, mut child: Child, exit: Option<ProcessExit>) -> ProcessExit {
        let grace = self.context.options.grace;
        let deadline = Instant::now() + grace;
        let ended = child.stop(grace).await;
        let exit = exit.unwrap_or(ended);
        self.exited(Some(child.pid()), exit.clone(), None);
        child.finish(deadline).await;
        exit
    }

    fn reload_error(&self, exit: &ProcessExit) -> Error {
        let kind = if *exit == ProcessExit::NotReady { ErrorKind::Timeout } else { ErrorKind::Unavailable };
        Error::new(kind, format!("the reload ended at {} (id {}): the new process {exit}", self.name, self.id))
    }
}

async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

async fn exited(state: &State) {
    match state {
        State::Running(child) => child.exited().await,
        State::Idle(..) | State::Ended => std::future::pending().await,
    }
}
