//! Log records of libswarm, for a function of the program's.

use std::ffi::c_void;

use crate::callback::{UserData, swarm_destroy_fn, swarm_log_fn};
use crate::error::{swarm_error, text};
use crate::guard::{guard, invalid};
use crate::status::swarm_status;

/// Sends log records up to `level` to `callback`, one at a time, on a thread of their own. Levels: 0 none, 1 error, 2 warn,
/// 3 info, 4 debug, 5 trace. One callback for the process: a later call replaces it, NULL or level 0 removes it. Off by
/// default. A slow callback loses records, never holds up the work.
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
