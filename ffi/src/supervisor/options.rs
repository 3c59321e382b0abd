//! Options of a supervisor, by the names they have in every language.

use std::ffi::c_char;

use libswarm::Result;
use libswarm_supervisor::SupervisorOptions;

use crate::error::swarm_error;
use crate::guard::{given, guard, guard_value, text};
use crate::status::swarm_status;

/// Options to make supervisors from. Not for use by two threads at once.
pub struct swarm_supervisor_options {
    options: SupervisorOptions,
}

/// The defaults. Never NULL unless memory ran out.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_supervisor_options_new() -> Option<Box<swarm_supervisor_options>> {
    guard_value(None, || Some(Box::new(swarm_supervisor_options { options: SupervisorOptions::default() })))
}

/// Sets one option by name: grace, backoff ("fixed" or "exponential"), backoff_delay, backoff_max, backoff_jitter, healthy,
/// max_respawns, respawn_window, forward, lines, line_buffer. Durations are in milliseconds, booleans are "true" or "false". An
/// unknown name or an unreadable value is refused here, and leaves the others as they were; a value out of its bounds is
/// refused by swarm_supervisor_new.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_supervisor_options_set(
    options: Option<&mut swarm_supervisor_options>,
    name: *const c_char,
    value: *const c_char,
    error: *mut *mut swarm_error,
) -> swarm_status {
    guard(error, || {
        // SAFETY: non-NULL texts are NUL-terminated.
        let (name, value) = unsafe { (text(name, "name")?, text(value, "value")?) };
        given(options, "options")?.options.set(name, value)
    })
}

/// Frees options. The supervisors made from them keep their own copy. NULL is allowed.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_supervisor_options_free(options: Option<Box<swarm_supervisor_options>>) {
    guard_value((), || drop(options));
}

impl swarm_supervisor_options {
    /// A copy, checked; the defaults where there are none.
    pub(crate) fn checked(options: Option<&Self>) -> Result<SupervisorOptions> {
        let options = options.map_or_else(SupervisorOptions::default, |options| options.options.clone());
        options.check()?;
        Ok(options)
    }
}
