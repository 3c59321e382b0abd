//! Log records of libswarm, for a callback of the program.

use std::ffi::{c_char, c_void};
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use libswarm_host::log::{OpenSink, Sinks};

use crate::callback::{UserData, swarm_destroy_fn};
use crate::error::{swarm_error, text};
use crate::guard::{guard, invalid};
use crate::status::swarm_status;

/// Called with one log record; `level` is 1 (error) to 5 (trace). Both texts are borrowed for the call.
pub type swarm_log_fn =
    Option<unsafe extern "C" fn(user_data: *mut c_void, level: i32, target: *const c_char, message: *const c_char)>;

/// Sends log records up to `level` to `callback`, one at a time, on a separate thread. Levels: 0 none, 1 error, 2 warn, 3 info, 4
/// debug, 5 trace. There is one callback per process: a later call replaces it, NULL or level 0 removes it. Until the first call,
/// warnings and errors are written to stderr. If the callback is slow, records are dropped; it never delays jobs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_set_log_callback(
    level: i32,
    callback: swarm_log_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
    error: *mut *mut swarm_error,
) -> swarm_status {
    let user_data = UserData::new(user_data, destroy);
    guard(error, || {
        let level = u8::try_from(level).ok().filter(|level| *level <= 5);
        let level = level.ok_or_else(|| invalid("the log level must be 0 to 5"))?;
        CHOSEN.store(true, Ordering::Relaxed);
        let (Some(function), 1..) = (callback, level) else {
            return libswarm::log::set_sink(0, None);
        };
        let sink = move |record: &libswarm::log::LogRecord| {
            let (target, message) = (text(&record.target), text(&record.message));
            // SAFETY: the callback and its data belong together; the texts live until it returns.
            unsafe { function(user_data.pointer(), i32::from(record.level), target.as_ptr(), message.as_ptr()) }
        };
        libswarm::log::set_sink(level, Some(Box::new(sink)))
    })
}

/// Whether the program has set a callback, or the default is set.
static CHOSEN: AtomicBool = AtomicBool::new(false);
/// Warnings and errors: a program that sets no callback must show them.
const DEFAULT_LEVEL: u8 = 2;
/// How long the exit of the program waits for records.
const LAST_RECORDS: Duration = Duration::from_secs(1);

/// Writes records to stderr, unless the program has set a callback. A Rust program with its own subscriber keeps that.
pub(crate) fn set_default() {
    if CHOSEN.swap(true, Ordering::Relaxed) {
        return;
    }
    let open = OpenSink::new(&SINKS);
    let sink = move |record: &libswarm::log::LogRecord| {
        let _owned = &open;
        let level = ["ERROR", "WARN"].get(usize::from(record.level.saturating_sub(1))).unwrap_or(&"INFO");
        // There is nowhere to report that stderr is closed.
        let _ = writeln!(std::io::stderr(), "{level} {}: {}", record.target, record.message);
    };
    if libswarm::log::set_sink(DEFAULT_LEVEL, Some(Box::new(sink))).is_ok() {
        // SAFETY: the function neither unwinds nor uses anything that is destroyed by then.
        unsafe { libc::atexit(at_exit) };
    }
}

/// In a forked child the log thread does not exist: the next object that is created sets the default again.
pub(crate) fn forget_default() {
    if SINKS.left_by_parent() {
        CHOSEN.store(false, Ordering::Relaxed);
    }
}

/// Default sinks.
static SINKS: Sinks = Sinks::new();

/// Lets the last records be written when the program exits: they may contain the reason.
extern "C" fn at_exit() {
    let _ = std::panic::catch_unwind(|| {
        // A sink that the program has set meanwhile stays, and a forked child has none.
        if SINKS.any() && libswarm::log::set_sink(0, None).is_ok() {
            SINKS.wait(LAST_RECORDS);
        }
    });
}
