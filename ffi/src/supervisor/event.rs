//! Events of a supervisor.

use std::ffi::{CString, c_char, c_void};

use libswarm_supervisor::{ProcessExit, ProcessStream, SupervisorEvent};

use crate::bytes::swarm_bytes;
use crate::callback::UserData;
use crate::error::{swarm_error, text};

/// Kinds of events of a supervisor.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum swarm_event_kind {
    /// A process was started: `id`, `name`, `pid`.
    SWARM_EVENT_STARTED = 0,
    /// A process is ready: `id`, `name`, `pid`.
    SWARM_EVENT_READY = 1,
    /// A process exited, and all its output was reported before: `id`, `name`, `pid`, `exit`, `code`, `message`, `respawns`,
    /// `pause`. The rest of its process group is being stopped.
    SWARM_EVENT_EXITED = 2,
    /// Processes of this id failed too often in a short time. Only a reload starts another: `id`, `name`.
    SWARM_EVENT_GAVE_UP = 3,
    /// A process wrote a line; only with the option `lines`: `id`, `name`, `pid`, `stream`, `line`.
    SWARM_EVENT_LINE = 4,
    /// A reload is complete: every process was started since it began.
    SWARM_EVENT_RELOADED = 5,
    /// A reload ended early, at the first process that failed, `id`, or by a stop, with 0 as `id`. Processes that were not
    /// reloaded yet continue: `id`, `error`.
    SWARM_EVENT_RELOAD_FAILED = 6,
    /// This process received a signal of swarm_supervisor_handle_signals, `code`. Its effects are reported next.
    SWARM_EVENT_SIGNAL = 7,
    /// All processes are gone. The last event.
    SWARM_EVENT_STOPPED = 8,
    /// Events were dropped since the last of these, because the program did not take them: `lines` at this point, `events` before
    /// all that were kept.
    SWARM_EVENT_DROPPED = 9,
}

/// How a process exited.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum swarm_exit {
    /// By itself, with the code `code`. Any code except 0 is a failure.
    SWARM_EXIT_CODE = 0,
    /// By the signal `code`.
    SWARM_EXIT_SIGNAL = 1,
    /// It did not report in time that it is ready, and was stopped.
    SWARM_EXIT_NOT_READY = 2,
    /// The command could not be started; `message` has the reason.
    SWARM_EXIT_NOT_STARTED = 3,
    /// Other code in this process has waited for it, so that its exit status is unknown.
    SWARM_EXIT_UNKNOWN = 4,
}

/// The stream to which a process wrote a line.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum swarm_stream {
    /// Its standard output.
    SWARM_STREAM_STDOUT = 1,
    /// Its standard error.
    SWARM_STREAM_STDERR = 2,
}

/// An event of a supervisor. The fields that it has depend on its kind; all others are 0, NULL or empty. It is borrowed for the
/// call, with everything to which it points.
#[repr(C)]
pub struct swarm_event {
    /// The size of the struct in this library; a later one may be larger.
    pub struct_size: usize,
    /// A swarm_event_kind. A later library may have more.
    pub kind: i32,
    /// The process id, which is also that of its group; 0 if it could not be started.
    pub pid: u32,
    /// The id in the supervisor. A process that replaces another has the same id.
    pub id: u64,
    /// The name of its program; "" if the event concerns no process.
    pub name: *const c_char,
    /// A swarm_exit: how it exited.
    pub exit: i32,
    /// The exit code, or the number of the signal.
    pub code: i32,
    /// How it exited, for people.
    pub message: *const c_char,
    /// Whether another process is started for this reason, after `pause`.
    pub respawns: bool,
    /// The pause before that, in milliseconds.
    pub pause: u64,
    /// A swarm_stream: the stream of the line.
    pub stream: i32,
    /// The line without its newline, at most 64 KiB. Longer lines are split, between characters if they are UTF-8.
    pub line: swarm_bytes,
    /// The number of dropped lines.
    pub lines: u64,
    /// The number of other dropped events.
    pub events: u64,
    /// The error of the call: SWARM_ERR_UNAVAILABLE, SWARM_ERR_TIMEOUT, or SWARM_ERR_CLOSED after a stop.
    pub error: *const swarm_error,
}

/// Called with the events of a supervisor. The event is borrowed for the call.
pub type swarm_event_fn = Option<unsafe extern "C" fn(user_data: *mut c_void, event: *const swarm_event)>;

impl swarm_event {
    fn new(kind: swarm_event_kind) -> swarm_event {
        swarm_event {
            struct_size: size_of::<swarm_event>(),
            kind: kind as i32,
            pid: 0,
            id: 0,
            name: c"".as_ptr(),
            exit: 0,
            code: 0,
            message: std::ptr::null(),
            respawns: false,
            pause: 0,
            stream: 0,
            line: swarm_bytes::EMPTY,
            lines: 0,
            events: 0,
            error: std::ptr::null(),
        }
    }
}

/// The callback for events, with its data.
pub(super) struct Listener {
    function: unsafe extern "C" fn(*mut c_void, *const swarm_event),
    user_data: UserData,
}

impl Listener {
    pub(super) fn new(callback: swarm_event_fn, user_data: UserData) -> Option<Listener> {
        callback.map(|function| Listener { function, user_data })
    }
}

/// Calls the callback with one event.
pub(super) fn call(listener: &Listener, event: SupervisorEvent) {
    use swarm_event_kind::*;
    let Listener { function, user_data } = listener;
    // The data to which the pointers of the event point.
    let (named, message, error_view, line_copy): (CString, CString, swarm_error, Vec<u8>);
    let of = |kind, id: u64, name: &CString, pid: Option<u32>| swarm_event {
        id,
        name: name.as_ptr(),
        pid: pid.unwrap_or(0),
        ..swarm_event::new(kind)
    };
    let shown = match event {
        SupervisorEvent::Started { id, name, pid } => {
            named = text(&name);
            of(SWARM_EVENT_STARTED, id, &named, Some(pid))
        }
        SupervisorEvent::Ready { id, name, pid } => {
            named = text(&name);
            of(SWARM_EVENT_READY, id, &named, Some(pid))
        }
        SupervisorEvent::Exited { id, name, pid, exit, respawn } => {
            (named, message) = (text(&name), text(&exit.to_string()));
            let (exit, code) = split(&exit);
            swarm_event {
                exit: exit as i32,
                code,
                message: message.as_ptr(),
                respawns: respawn.is_some(),
                pause: respawn.map_or(0, |pause| pause.as_millis() as u64),
                ..of(SWARM_EVENT_EXITED, id, &named, pid)
            }
        }
        SupervisorEvent::GaveUp { id, name } => {
            named = text(&name);
            of(SWARM_EVENT_GAVE_UP, id, &named, None)
        }
        SupervisorEvent::Line { id, name, pid, stream, line } => {
            (named, line_copy) = (text(&name), line);
            let stream = match stream {
                ProcessStream::Stdout => swarm_stream::SWARM_STREAM_STDOUT,
                ProcessStream::Stderr => swarm_stream::SWARM_STREAM_STDERR,
            };
            let line = line_copy.as_slice().into();
            swarm_event { stream: stream as i32, line, ..of(SWARM_EVENT_LINE, id, &named, Some(pid)) }
        }
        SupervisorEvent::Dropped { lines, events } => swarm_event { lines, events, ..swarm_event::new(SWARM_EVENT_DROPPED) },
        SupervisorEvent::Reloaded => swarm_event::new(SWARM_EVENT_RELOADED),
        SupervisorEvent::ReloadFailed { id, error } => {
            error_view = error.into();
            swarm_event { id: id.unwrap_or(0), error: &error_view, ..swarm_event::new(SWARM_EVENT_RELOAD_FAILED) }
        }
        SupervisorEvent::Signal { signal } => swarm_event { code: signal, ..swarm_event::new(SWARM_EVENT_SIGNAL) },
        SupervisorEvent::Stopped => swarm_event::new(SWARM_EVENT_STOPPED),
    };
    // SAFETY: the callback and its data belong together; its argument lives until it returns.
    unsafe { function(user_data.pointer(), &shown) }
}

fn split(exit: &ProcessExit) -> (swarm_exit, i32) {
    match *exit {
        ProcessExit::Code(code) => (swarm_exit::SWARM_EXIT_CODE, code),
        ProcessExit::Signal(signal) => (swarm_exit::SWARM_EXIT_SIGNAL, signal),
        ProcessExit::NotReady => (swarm_exit::SWARM_EXIT_NOT_READY, 0),
        ProcessExit::NotStarted(_) => (swarm_exit::SWARM_EXIT_NOT_STARTED, 0),
        ProcessExit::Unknown => (swarm_exit::SWARM_EXIT_UNKNOWN, 0),
    }
}
