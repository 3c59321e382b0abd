//! Functions for a process that a supervisor started.
//!
//! Every process of a [`Supervisor`](crate::Supervisor) has in its environment `SWARM_SUPERVISOR_PID`, the process id of the supervisor's process,
//! and `SWARM_PROCESS_NAME`, the name of its program. If it must report when it is ready, it also has `SWARM_READY_FD`, the number of a descriptor
//! to write a byte to.

use std::fs::File;
use std::io::Write;
use std::os::fd::{BorrowedFd, FromRawFd};

use libswarm_common::error::{Result, invalid};

pub(super) const READY_FD: &str = "SWARM_READY_FD";
pub(super) const SUPERVISOR_PID: &str = "SWARM_SUPERVISOR_PID";
pub(super) const PROCESS_NAME: &str = "SWARM_PROCESS_NAME";

/// Reports that this process is ready, closes the descriptor and removes `SWARM_READY_FD`. Returns false if no supervisor waits for it: the process
/// has no supervisor, or its supervisor treats it as ready at its start, or it has reported before.
///
/// Never blocks. Fails with [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) if the variable is not the number of an open
/// descriptor. It changes the environment, so no other thread may call C's `getenv` meanwhile; Rust's `std::env` is safe.
pub fn ready() -> Result<bool> {
    /// Two threads must not close the same descriptor.
    static ONE: libswarm_common::lock::Mutex<()> = libswarm_common::lock::Mutex::new(());
    let _one = ONE.lock();
    let Some(value) = std::env::var_os(READY_FD) else {
        return Ok(false);
    };
    // SAFETY: under the lock of `std::env`; the doc comment has the remaining requirement.
    unsafe { std::env::remove_var(READY_FD) };
    let wrong = || invalid(format!("{READY_FD} is {value:?}, which is not the number of an open descriptor"));
    let fd: i32 = value.to_str().and_then(|text| text.parse().ok()).filter(|fd| *fd > 2).ok_or_else(wrong)?;
    // SAFETY: only checks whether a descriptor with this number is open.
    if rustix::io::fcntl_getfd(unsafe { BorrowedFd::borrow_raw(fd) }).is_err() {
        return Err(wrong());
    }
    // SAFETY: the supervisor passed the descriptor to this process to write to and close; the variable is removed, so this happens once.
    let mut pipe = unsafe { File::from_raw_fd(fd) };
    // Fails if the supervisor is gone.
    Ok(pipe.write_all(b"1").is_ok())
}
