//! The function with which a process reports to its supervisor that it is ready.

use libswarm::{Error, ErrorKind};
use libswarm_supervisor::supervised;

use crate::error::swarm_error;
use crate::guard::{guard, optional};
use crate::status::swarm_status;
use libswarm_host::signals::with_blocked_signals;

/// Reports to the supervisor of this process that it is ready: writes to the descriptor whose number is in the environment
/// variable SWARM_READY_FD, closes it and removes the variable. `reported` may be NULL. Otherwise false is written to it if no
/// supervisor waits for the report: the process has no supervisor, or its supervisor treats it as ready at its start, or it has
/// reported before.
///
/// Never blocks. SWARM_ERR_INVALID_ARGUMENT if the variable is not the number of an open descriptor. No other thread may use the
/// environment (getenv) meanwhile.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_ready(reported: *mut bool, error: *mut *mut swarm_error) -> swarm_status {
    guard(error, || {
        // On a separate thread: if the supervisor is gone, SIGPIPE stays blocked there and does not end the program.
        let thread = with_blocked_signals(|| std::thread::Builder::new().spawn(supervised::ready));
        let thread =
            thread.map_err(|e| Error::new(ErrorKind::Internal, format!("starting a thread to report readiness: {e}")))?;
        let ready = thread.join().map_err(|panic| crate::guard::panicked(&*panic))??;
        optional(reported).set(ready);
        Ok(())
    })
}
