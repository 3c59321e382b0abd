//! The native half of a supervisor. `lib/supervisor.js` handles signals and events.

use std::time::{SystemTime, UNIX_EPOCH};

use libswarm::Error;
use libswarm_supervisor::{
    ProcessExit, ProcessInfo, ProcessState, ProcessStream, Program, Supervisor, SupervisorEvent, SupervisorOptions,
};
use napi::bindgen_prelude::{Either, Function};
use napi_derive::napi;
use serde::Serialize;

use crate::failure::Failure;
use crate::outgoing::{Answer, WriteRow, Writer, answer, json_of, to_json};
use crate::session::{Session, session};

/// A running supervisor. Calls pass a token, with which `take` returns their answers.
#[napi]
pub struct NativeSupervisor {
    session: Option<Session<Supervisor>>,
}

/// Starts a supervisor without processes; `wake` is called when there are events or answers.
#[napi(catch_unwind)]
pub fn open_supervisor(settings: Vec<String>, wake: Function<'_, (), ()>) -> napi::Result<Either<NativeSupervisor, Failure>> {
    let opened = Session::open(
        &wake,
        |threads| Supervisor::start(options(&settings)?, threads.handle()),
        |supervisor, mailbox| supervisor.set_wake(move || mailbox.wake()),
    )?;
    Ok(match opened {
        Ok(session) => Either::A(NativeSupervisor { session: Some(session) }),
        Err(error) => Either::B(error.into()),
    })
}

session!(NativeSupervisor, Supervisor);

#[napi]
impl NativeSupervisor {
    /// Starts the processes of a program; `env` has names and values in turn. Answers with their ids.
    #[napi(catch_unwind)]
    pub fn spawn(&self, token: u32, command: String, settings: Vec<String>, env: Vec<String>) {
        self.call(token, |supervisor| async move {
            match program(command, &settings, env) {
                Ok(program) => answer(supervisor.spawn(program).await, |ids| json_of(&ids)),
                Err(error) => Answer::Failed(error),
            }
        });
    }

    /// Stops the process of an id permanently.
    #[napi(catch_unwind)]
    pub fn kill(&self, token: u32, id: f64) {
        self.call(token, move |supervisor| async move { answer(supervisor.kill(id as u64).await, |()| Answer::Done) });
    }

    /// Replaces all processes, one after another.
    #[napi(catch_unwind)]
    pub fn reload(&self, token: u32) {
        self.call(token, |supervisor| async move { answer(supervisor.reload().await, |()| Answer::Done) });
    }

    /// Stops all processes.
    #[napi(catch_unwind)]
    pub fn stop(&self, token: u32) {
        self.call(token, |supervisor| async move { answer(supervisor.stop().await, |()| Answer::Done) });
    }

    /// All processes, as JSON.
    #[napi(catch_unwind)]
    pub fn list(&self) -> Option<String> {
        let list = self.session.as_ref()?.member.list();
        Some(to_json(&list.iter().map(Info::of).collect::<Vec<_>>()))
    }
}

impl Drop for NativeSupervisor {
    fn drop(&mut self) {
        // Its environment ends. If the process continues, there is time to stop; otherwise the guard kills the remaining processes.
        if let Some(Session { member, threads, .. }) = self.session.take() {
            threads.spawn(async move { drop(member.stop().await) });
        }
    }
}

fn options(settings: &[String]) -> Result<SupervisorOptions, Error> {
    let mut options = SupervisorOptions::default();
    for [name, value] in settings.as_chunks().0 {
        options.set(name, value)?;
    }
    Ok(options)
}

fn program(command: String, settings: &[String], env: Vec<String>) -> Result<Program, Error> {
    let mut program = Program::new(command);
    for [name, value] in settings.as_chunks().0 {
        program.set(name, value)?;
    }
    let mut env = env.into_iter();
    while let (Some(name), Some(value)) = (env.next(), env.next()) {
        program = program.env(name, value);
    }
    Ok(program)
}

/// The identity of a process.
#[derive(Serialize)]
struct Of<'a> {
    id: u64,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
}

/// How a process exited, and what follows.
#[derive(Serialize)]
struct Exited<'a> {
    id: u64,
    name: &'a str,
    pid: Option<u32>,
    reason: &'static str,
    code: Option<i32>,
    signal: Option<i32>,
    message: String,
    respawn: Option<u64>,
}

#[derive(Serialize)]
struct Line<'a> {
    id: u64,
    name: &'a str,
    pid: u32,
    stream: &'static str,
}

#[derive(Serialize)]
struct Dropped {
    lines: u64,
    events: u64,
}

/// A reload that failed; the error as its number and message.
#[derive(Serialize)]
struct ReloadFailed<'a> {
    id: Option<u64>,
    error: (i32, &'a str),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Info<'a> {
    id: u64,
    name: &'a str,
    pid: Option<u32>,
    state: &'static str,
    started_at: u64,
    restarts: u64,
}

impl<'a> Info<'a> {
    fn of(info: &'a ProcessInfo) -> Info<'a> {
        let state = match info.state {
            ProcessState::Starting => "starting",
            ProcessState::Ready => "ready",
            ProcessState::Stopping => "stopping",
            ProcessState::Pausing => "pausing",
            ProcessState::GaveUp => "gave_up",
        };
        let (id, pid, restarts) = (info.id, info.pid, info.restarts);
        Info { id, name: &info.name, pid, state, started_at: since_1970(info.started_at), restarts }
    }
}

impl WriteRow for SupervisorEvent {
    fn write(&self, writer: &mut Writer<'_>) {
        match self {
            SupervisorEvent::Started { id, name, pid } => writer.process("started", &Of { id: *id, name, pid: Some(*pid) }),
            SupervisorEvent::Ready { id, name, pid } => writer.process("ready", &Of { id: *id, name, pid: Some(*pid) }),
            SupervisorEvent::Exited { id, name, pid, exit, respawn } => {
                let (reason, code, signal) = match exit {
                    ProcessExit::Code(code) => ("code", Some(*code), None),
                    ProcessExit::Signal(signal) => ("signal", None, Some(*signal)),
                    ProcessExit::NotReady => ("not_ready", None, None),
                    ProcessExit::NotStarted(_) => ("not_started", None, None),
                    ProcessExit::Unknown => ("unknown", None, None),
                };
                let respawn = respawn.map(|pause| pause.as_millis() as u64);
                let message = exit.to_string();
                writer.process("exited", &Exited { id: *id, name, pid: *pid, reason, code, signal, message, respawn });
            }
            SupervisorEvent::GaveUp { id, name } => writer.process("gaveUp", &Of { id: *id, name, pid: None }),
            SupervisorEvent::Line { id, name, pid, stream, line } => {
                let stream = match stream {
                    ProcessStream::Stdout => "stdout",
                    ProcessStream::Stderr => "stderr",
                };
                writer.process_line(line, &Line { id: *id, name, pid: *pid, stream });
            }
            SupervisorEvent::Dropped { lines, events } => {
                writer.process("dropped", &Dropped { lines: *lines, events: *events });
            }
            SupervisorEvent::Reloaded => writer.process("reloaded", &()),
            SupervisorEvent::ReloadFailed { id, error } => {
                let error = (error.kind() as i32, error.message());
                writer.process("reloadFailed", &ReloadFailed { id: *id, error });
            }
            // JavaScript receives the signals, see lib/signals.js.
            SupervisorEvent::Signal { signal } => writer.process("signal", signal),
            SupervisorEvent::Stopped => writer.process("stopped", &()),
        }
    }
}

fn since_1970(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}
