//! Events of a supervisor.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use libswarm_common::error::Error;

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub enum ProcessExit {
    /// By itself, with this code. All but 0 is a failure.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// It did not report in time that it is ready, and was stopped.
    NotReady,
    /// The command could not be started; why.
    NotStarted(String),
    /// Unknown: other code of this process has waited for it.
    Unknown,
}

impl ProcessExit {
    /// Whether it ended by itself with code 0, and so is not started again.
    pub fn is_success(&self) -> bool {
        *self == ProcessExit::Code(0)
    }
}

impl std::fmt::Display for ProcessExit {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ProcessExit::Code(code) => write!(formatter, "exited with code {code}"),
            ProcessExit::Signal(signal) => write!(formatter, "was ended by signal {signal}"),
            ProcessExit::NotReady => write!(formatter, "was not ready in time"),
            ProcessExit::NotStarted(why) => write!(formatter, "could not be started: {why}"),
            ProcessExit::Unknown => write!(formatter, "ended, nobody knows how"),
        }
    }
}

/// Where a process wrote a line to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub enum ProcessStream {
    /// Its standard output.
    Stdout,
    /// Its standard error.
    Stderr,
}

/// What a process is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub enum ProcessState {
    /// It is being started, or runs and has not reported yet that it is ready.
    Starting,
    /// It runs and is ready.
    Ready,
    /// It was asked to end, or it ended and the rest of its group is being stopped.
    Stopping,
    /// There is none; one is started after a pause.
    Pausing,
    /// There is none; it failed too often and is started by a reload only.
    GaveUp,
}

/// A process of a supervisor at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub struct ProcessInfo {
    /// Which it is. A process that is started in place of another has the same id, so during a reload there may be two.
    pub id: u64,
    /// The name of its program.
    pub name: Arc<str>,
    /// Its number in the system; `None` if there is no process.
    pub pid: Option<u32>,
    /// What it is doing.
    pub state: ProcessState,
    /// When it was started, or when it came to be without a process.
    pub started_at: SystemTime,
    /// How often a process of this id was started because the one before had failed.
    pub restarts: u64,
}

/// An event of a supervisor, in order.
#[derive(Clone, Debug)]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub enum SupervisorEvent {
    /// A process was started.
    Started {
        /// Which.
        id: u64,
        /// The name of its program.
        name: Arc<str>,
        /// Its number in the system, which is that of its group too.
        pid: u32,
    },
    /// A process is ready.
    Ready {
        /// Which.
        id: u64,
        /// The name of its program.
        name: Arc<str>,
        /// Its number in the system.
        pid: u32,
    },
    /// A process ended; all its lines were reported before. The rest of its group is being stopped.
    Exited {
        /// Which.
        id: u64,
        /// The name of its program.
        name: Arc<str>,
        /// Its number in the system; `None` if it could not be started.
        pid: Option<u32>,
        /// How.
        exit: ProcessExit,
        /// The pause after which another is started; `None` if none is for this reason.
        respawn: Option<Duration>,
    },
    /// Processes of this id failed too often in a short time; only a reload starts one again.
    GaveUp {
        /// Which.
        id: u64,
        /// The name of its program.
        name: Arc<str>,
    },
    /// A process wrote a line; only with the option `lines`.
    Line {
        /// Which.
        id: u64,
        /// The name of its program.
        name: Arc<str>,
        /// Its number in the system.
        pid: u32,
        /// Where to.
        stream: ProcessStream,
        /// The bytes without the newline, at most 64 KiB: a longer line comes in pieces, cut between characters if it is UTF-8.
        line: Vec<u8>,
    },
    /// Lines or events were dropped since the last such event, because the program did not take them: lines at this place, events before all that were kept.
    Dropped {
        /// Lines.
        lines: u64,
        /// Other events.
        events: u64,
    },
    /// A reload is complete: every process was started since it began.
    Reloaded,
    /// A reload was ended at the first process that failed; those not reloaded yet run on.
    ReloadFailed {
        /// Which failed; `None` if the supervisor was stopped meanwhile.
        id: Option<u64>,
        /// Why, as the call returns it.
        error: Error,
    },
    /// This process was sent a signal that [`Supervisor::handle_signals`](super::Supervisor::handle_signals) is for; what follows from it is reported next.
    Signal {
        /// Its number, such as 15.
        signal: i32,
    },
    /// All processes are gone. The last event.
    Stopped,
}
