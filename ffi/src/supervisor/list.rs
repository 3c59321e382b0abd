//! The processes of a supervisor at one moment.

use std::ffi::{CString, c_char};
use std::time::UNIX_EPOCH;

use libswarm_supervisor::{ProcessInfo, ProcessState};

use crate::error::text;
use crate::guard::guard_value;

/// The state of a process.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum swarm_process_state {
    /// It is being started, or runs and has not reported yet that it is ready.
    SWARM_PROCESS_STARTING = 0,
    /// It runs and is ready.
    SWARM_PROCESS_READY = 1,
    /// It was asked to exit, or it exited and the rest of its group is being stopped.
    SWARM_PROCESS_STOPPING = 2,
    /// There is no process; one is started after a pause.
    SWARM_PROCESS_PAUSING = 3,
    /// There is no process; it failed too often, and only a reload starts another.
    SWARM_PROCESS_GAVE_UP = 4,
}

/// A process of a supervisor at one moment.
#[repr(C)]
pub struct swarm_process_info {
    /// The size of the struct in this library; a later one may be larger.
    pub struct_size: usize,
    /// The id in the supervisor. A process that replaces another has the same id, so during a reload there may be two.
    pub id: u64,
    /// The name of its program.
    pub name: *const c_char,
    /// Its process id; 0 if there is no process.
    pub pid: u32,
    /// A swarm_process_state.
    pub state: i32,
    /// When it was started, or since when there is no process; in milliseconds since 1970 on this machine's clock.
    pub started_at: u64,
    /// How often a process of this id was started because the one before had failed.
    pub restarts: u64,
}

/// All processes of a supervisor, and the ids that have none at the moment, in the order of their ids.
#[repr(C)]
pub struct swarm_processes {
    /// The size of the struct in this library; a later one may be larger.
    pub struct_size: usize,
    /// The number of processes.
    pub count: usize,
    /// The processes, with NULL after the last. They and their names are valid as long as this object.
    pub processes: *const *const swarm_process_info,
}

/// The object behind the pointer of the program.
#[repr(C)]
pub(super) struct Listed {
    shown: swarm_processes,
    _pointers: Vec<*const swarm_process_info>,
    _all: Vec<swarm_process_info>,
    /// The data to which the pointers of `_all` point.
    _names: Vec<CString>,
}

/// Frees a list of swarm_supervisor_list. Accepts NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_processes_free(processes: *mut swarm_processes) {
    guard_value((), || {
        if !processes.is_null() {
            // SAFETY: it is the first field of a list, and the caller passes its ownership.
            drop(unsafe { Box::from_raw(processes.cast::<Listed>()) });
        }
    });
}

impl Listed {
    /// Returns the pointer for the program, which owns it.
    pub(super) fn into_raw(self) -> *mut swarm_processes {
        Box::into_raw(Box::new(self)).cast()
    }
}

impl From<Vec<ProcessInfo>> for Listed {
    fn from(processes: Vec<ProcessInfo>) -> Self {
        let names: Vec<CString> = processes.iter().map(|process| text(&process.name)).collect();
        let all = processes.iter().zip(&names).map(|(process, name)| swarm_process_info {
            struct_size: size_of::<swarm_process_info>(),
            id: process.id,
            name: name.as_ptr(),
            pid: process.pid.unwrap_or(0),
            state: swarm_process_state::from(process.state) as i32,
            started_at: process.started_at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64),
            restarts: process.restarts,
        });
        let all: Vec<_> = all.collect();
        let pointers: Vec<_> = all.iter().map(std::ptr::from_ref).chain([std::ptr::null()]).collect();
        let shown = swarm_processes { struct_size: size_of::<swarm_processes>(), count: all.len(), processes: pointers.as_ptr() };
        Listed { shown, _pointers: pointers, _all: all, _names: names }
    }
}

impl From<ProcessState> for swarm_process_state {
    fn from(state: ProcessState) -> Self {
        match state {
            ProcessState::Starting => swarm_process_state::SWARM_PROCESS_STARTING,
            ProcessState::Ready => swarm_process_state::SWARM_PROCESS_READY,
            ProcessState::Stopping => swarm_process_state::SWARM_PROCESS_STOPPING,
            ProcessState::Pausing => swarm_process_state::SWARM_PROCESS_PAUSING,
            ProcessState::GaveUp => swarm_process_state::SWARM_PROCESS_GAVE_UP,
        }
    }
}
