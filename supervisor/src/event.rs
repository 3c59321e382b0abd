//! Events of a supervisor.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use libswarm_common::error::Error;

/// How a process exited.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub enum ProcessExit {
    /// By itself, with this code. Any code except 0 is a failure.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// It did not report in time that it is ready, and was stopped.
    NotReady,
    /// The command could not be started, with the reason.
    NotStarted(String),
    /// Unknown: other code of this process has waited for it.
    Unknown,
}

impl ProcessExit {
    /// Whether it exited by itself with code 0, so that it is not restarted.
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
            ProcessExit::Unknown => write!(formatter, "exited with an unknown status"),
        }
    }
}

/// The stream to which a process wrote a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub enum ProcessStream {
    /// Its standard output.
    Stdout,
    /// Its standard error.
    Stderr,
}

/// The state of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub enum ProcessState {
    /// It is being started, or runs and has not reported yet that it is ready.
    Starting,
    /// It runs and is ready.
    Ready,
    /// It was asked to exit, or it exited and the rest of its group is being stopped.
    Stopping,
    /// There is no process; one is started after a pause.
    Pausing,
    /// There is no process; it failed too often, and only a reload starts another.
    GaveUp,
}

/// A process of a supervisor at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub struct ProcessInfo {
    /// The id in the supervisor. A process that replaces another has the same id, so during a reload there may be two.
    pub id: u64,
    /// The name of its program.
    pub name: Arc<str>,
    /// The process id; `None` if there is no process.
    pub pid: Option<u32>,
    /// The state of the process.
    pub state: ProcessState,
    /// When it was started, or since when there is no process.
    pub started_at: SystemTime,
    /// How often a process of this id was started because the one before had failed.
    pub restarts: u64,
}

/// An event of a supervisor. Events arrive in order.
#[derive(Clone, Debug)]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub enum SupervisorEvent {
    /// A process was started.
    Started {
        /// The id in the supervisor.
        id: u64,
        /// The name of its program.
        name: Arc<str>,
        /// The process id, which is also that of its group.
        pid: u32,
    },
    /// A process is ready.
    Ready {
        /// The id in the supervisor.
        id: u64,
        /// The name of its program.
        name: Arc<str>,
        /// The process id.
        pid: u32,
    },
    /// A process exited; all its lines were reported before. The rest of its group is being stopped.
    Exited {
        /// The id in the supervisor.
        id: u64,
        /// The name of its program.
        name: Arc<str>,
        /// The process id; `None` if it could not be started.
        pid: Option<u32>,
        /// How it exited.
        exit: ProcessExit,
        /// The pause after which another process is started for this reason; `None` if none is.
        respawn: Option<Duration>,
    },
    /// Processes of this id failed too often in a short time. Only a reload starts another.
    GaveUp {
        /// The id in the supervisor.
        id: u64,
        /// The name of its program.
        name: Arc<str>,
    },
    /// A process wrote a line; only with the option `lines`.
    Line {
        /// The id in the supervisor.
        id: u64,
        /// The name of its program.
        name: Arc<str>,
        /// The process id.
        pid: u32,
        /// The stream of the line.
        stream: ProcessStream,
        /// The bytes without the newline, at most 64 KiB. Longer lines are split, between characters if they are UTF-8.
        line: Vec<u8>,
    },
    /// Lines or events were dropped since the last such event, because the program did not take them: lines at this position, events before all that
    /// were kept.
    Dropped {
        /// The number of dropped lines.
        lines: u64,
        /// The number of other dropped events.
        events: u64,
    },
    /// A reload is complete: every process was started since it began.
    Reloaded,
    /// A reload ended early, at the first process that failed. Processes that were not reloaded yet continue.
    ReloadFailed {
        /// The id that failed; `None` if the supervisor was stopped meanwhile.
        id: Option<u64>,
        /// The error that the call returns.
        error: Error,
    },
    /// This process received a signal of [`Supervisor::handle_signals`](super::Supervisor::handle_signals). Its effects are reported next.
    Signal {
        /// The number of the signal, such as 15.
        signal: i32,
    },
    /// All processes are gone. The last event.
    Stopped,
}
