//! Programs that a supervisor runs.

use std::ffi::c_char;

use libswarm::{Error, Result};
use libswarm_supervisor::Program;

use crate::guard::{guard_value, text};

/// A program, and how to run it. Only one thread at a time may use it.
pub struct swarm_program {
    program: Program,
    /// The error of the command or the first invalid option; swarm_supervisor_spawn fails with it.
    problem: Option<Error>,
}

/// Creates a program: one process of a command without arguments. The command is the path of an executable, or its name to be
/// searched in PATH; no shell is involved. NULL only if memory ran out. If the command is invalid, swarm_supervisor_spawn fails.
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

/// Sets one option by name: arg, env, dir, cpus, name, count, respawn, ready, ready_timeout. "arg" adds one argument, "env" one
/// NAME=value; durations are in milliseconds, booleans are "true" or "false". Unknown names and invalid values are reported when
/// the program is used: swarm_supervisor_spawn fails with the error of the first. NULL as `program` is ignored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_program_set(program: Option<&mut swarm_program>, name: *const c_char, value: *const c_char) {
    guard_value((), || {
        let Some(program) = program else { return };
        // SAFETY: non-NULL texts are NUL-terminated.
        let texts = unsafe { text(name, "name").and_then(|name| Ok((name, text(value, "value")?))) };
        if let Err(error) = texts.and_then(|(name, value)| program.program.set(name, value)) {
            program.problem.get_or_insert(error);
        }
    });
}

/// Frees a program. Processes that were started from it continue. Accepts NULL.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_program_free(program: Option<Box<swarm_program>>) {
    guard_value((), || drop(program));
}

impl swarm_program {
    /// A copy, which the core checks when it is started.
    pub(crate) fn known(&self) -> Result<Program> {
        self.problem.clone().map_or_else(|| Ok(self.program.clone()), Err)
    }
}
