//! Options of a supervisor, by names that are the same in every language.

use std::ffi::c_char;

use libswarm::{Error, Result};
use libswarm_supervisor::SupervisorOptions;

use crate::guard::{guard_value, text};

/// Options of supervisors. Only one thread at a time may use them.
pub struct swarm_supervisor_options {
    options: SupervisorOptions,
    /// The error of the first invalid option; swarm_supervisor_new fails with it.
    problem: Option<Error>,
}

/// Creates options with the defaults. NULL only if memory ran out.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_supervisor_options_new() -> Option<Box<swarm_supervisor_options>> {
    guard_value(None, || Some(Box::new(swarm_supervisor_options { options: SupervisorOptions::default(), problem: None })))
}

/// Sets one option by name: grace, backoff ("fixed" or "exponential"), backoff_delay, backoff_max, backoff_jitter, healthy,
/// max_respawns, respawn_window, forward, lines, line_buffer. Durations are in milliseconds, booleans are "true" or "false".
/// Unknown names and invalid values are reported when the options are used: swarm_supervisor_new fails with the error of the
/// first. NULL as `options` is ignored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_supervisor_options_set(
    options: Option<&mut swarm_supervisor_options>,
    name: *const c_char,
    value: *const c_char,
) {
    guard_value((), || {
        let Some(options) = options else { return };
        // SAFETY: non-NULL texts are NUL-terminated.
        let texts = unsafe { text(name, "name").and_then(|name| Ok((name, text(value, "value")?))) };
        if let Err(error) = texts.and_then(|(name, value)| options.options.set(name, value)) {
            options.problem.get_or_insert(error);
        }
    });
}

/// Frees options. Supervisors that were created from them keep a copy. Accepts NULL.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_supervisor_options_free(options: Option<Box<swarm_supervisor_options>>) {
    guard_value((), || drop(options));
}

impl swarm_supervisor_options {
    /// A checked copy; the defaults for NULL.
    pub(crate) fn checked(options: Option<&Self>) -> Result<SupervisorOptions> {
        if let Some(problem) = options.and_then(|options| options.problem.clone()) {
            return Err(problem);
        }
        let options = options.map_or_else(SupervisorOptions::default, |options| options.options.clone());
        options.check()?;
        Ok(options)
    }
}
