//! The processes of a supervisor at one moment.

use std::ffi::{CString, c_char};
use std::time::UNIX_EPOCH;

use libswarm_supervisor::{ProcessInfo, ProcessState};

use crate::error::text;
use crate::guard::guard_value;

/// What a process is doing.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum swarm_process_state {
    /// It is being started, or runs and has not said yet that it is ready.
    SWARM_PROCESS_STARTING = 0,
    /// It runs and is ready.
    SWARM_PROCESS_READY = 1,
    /// It was told to end, or it ended and what it left is.
    SWARM_PROCESS_STOPPING = 2,
    /// There is none; one is started after a pause.
    SWARM_PROCESS_PAUSING = 3,
    /// There is none; it failed too often and is started by a reload only.
    SWARM_PROCESS_GAVE_UP = 4,
}

/// A process of a supervisor at one moment.
#[repr(C)]
pub struct swarm_process_info {
    /// The size of the struct in this library; a later one may be larger.
    pub struct_size: usize,
    /// Which it is. A process that is started in place of another has the same id, so during a reload there may be two.
    pub id: u64,
    /// The name of its program.
    pub name: *const c_char,
    /// Its number in the system; 0 if there is no process.
    pub pid: u32,
    /// A swarm_process_state.
    pub state: i32,
    /// When it was started, or when it came to be without a process; in milliseconds since 1970 on this machine's clock.
    pub started_at: u64,
    /// How often a process of this id was started because the one before had failed.
    pub restarts: u64,
}

/// All processes of a supervisor, and the ids that have none at the moment, in the order of their ids.
pub struct swarm_processes {
    all: Vec<swarm_process_info>,
    /// What the pointers of `all` lead to.
    _names: Vec<CString>,
}

/// How many there are; 0 for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_processes_count(processes: Option<&swarm_processes>) -> usize {
    processes.map_or(0, |processes| processes.all.len())
}

/// The one at `index`; NULL if there is none. Lives as long as `processes`, with its name.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_processes_get(processes: Option<&swarm_processes>, index: usize) -> *const swarm_process_info {
    processes.and_then(|processes| processes.all.get(index)).map_or(std::ptr::null(), |process| process)
}

/// Frees what swarm_supervisor_list handed out. NULL is allowed.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_processes_free(processes: Option<Box<swarm_processes>>) {
    guard_value((), || drop(processes));
}

impl From<Vec<ProcessInfo>> for swarm_processes {
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
        swarm_processes { all: all.collect(), _names: names }
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
