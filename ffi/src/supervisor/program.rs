//! Programs that a supervisor runs.

use std::ffi::c_char;

use libswarm::{Error, Result};
use libswarm_supervisor::Program;

use crate::error::swarm_error;
use crate::guard::{given, guard, guard_value, text};
use crate::status::swarm_status;

/// A program and how it is to be run. Not for use by two threads at once.
pub struct swarm_program {
    program: Program,
    /// What was wrong with the command; it makes swarm_supervisor_spawn fail.
    problem: Option<Error>,
}

/// One process of a command without arguments: the path of an executable, or its name to be looked for in PATH; no shell reads
/// it. Never NULL unless memory ran out; a bad command is refused by swarm_supervisor_spawn.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_program_new(command: *const c_char) -> Option<Box<swarm_program>> {
    guard_value(None, || {
        // SAFETY: a non-NULL text is NUL-terminated.
        let (command, problem) = match unsafe { text(command, "command") } {
            Ok(command) => (command, None),
            Err(error) => ("", Some(error)),
        };
        Some(Box::new(swarm_program { program: Program::new(command), problem }))
    })
}

/// Sets one option by name: arg, env, dir, cpus, name, count, respawn, ready, ready_timeout. "arg" adds one argument, "env" one NAME=value; durations are in
/// milliseconds, booleans are "true" or "false". An unknown name or an unreadable value is refused here, and leaves the others
/// as they were; a value out of its bounds is refused by swarm_supervisor_spawn.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_program_set(
    program: Option<&mut swarm_program>,
    name: *const c_char,
    value: *const c_char,
    error: *mut *mut swarm_error,
) -> swarm_status {
    guard(error, || {
        // SAFETY: non-NULL texts are NUL-terminated.
        let (name, value) = unsafe { (text(name, "name")?, text(value, "value")?) };
        given(program, "program")?.program.set(name, value)
    })
}

/// Frees a program. What was spawned of it runs on. NULL is allowed.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_program_free(program: Option<Box<swarm_program>>) {
    guard_value((), || drop(program));
}

impl swarm_program {
    /// A copy, checked by the core when it is spawned.
    pub(crate) fn known(&self) -> Result<Program> {
        self.problem.clone().map_or_else(|| Ok(self.program.clone()), Err)
    }
}
