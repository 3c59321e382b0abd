//! A master that chooses the workers of waiting jobs.

use std::ffi::{c_char, c_void};
use std::time::Duration;

use libswarm::{Choosing, Result};

use crate::call::{Ends, call, swarm_call};
use crate::callback::{UserData, swarm_destroy_fn};
use crate::choosers::{Chooser, Listener, swarm_choose_fn};
use crate::guard::{given, texts};
use crate::job_options::SWARM_DEFAULT;
use crate::master::swarm_master;

/// Sets the callback that chooses the workers of waiting jobs; it replaces an earlier one, until swarm_master_stop_choosing or
/// the end of the master. `tasks` limits it to the jobs of some tasks, "" for jobs without one; a count of 0 selects all. Jobs
/// for which it has not chosen within `within_ms` (10 ms to 1 h, SWARM_DEFAULT for 1 s) are assigned by default, to the least
/// loaded workers. If a cluster has several choosers, only the newest is used.
///
/// After SWARM_ERR_INVALID_ARGUMENT nothing has changed. After any other error, including SWARM_ERR_TIMEOUT, and after
/// swarm_call_free before the end, this master does not choose. Once it chooses, it reconnects after lost connections. A
/// permanent error ends the choosing and is reported to the callback of swarm_member_on_error.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_choose(
    master: Option<&swarm_master>,
    within_ms: u64,
    tasks: *const *const c_char,
    count: usize,
    callback: swarm_choose_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
) -> *mut swarm_call {
    let user_data = UserData::new(user_data, destroy);
    call(|| {
        let master = swarm_master::open(master)?;
        let listener = given(Listener::new(callback, user_data), "callback")?;
        // SAFETY: the caller's array is readable for its count, and its texts end with a NUL.
        let choosing = unsafe { read_choosing(within_ms, tasks, count) }?;
        master.context.serve()?;
        let choosers = master.choosers.clone();
        let chooser = Chooser::begin(&choosers, listener);
        let (undone, settled, begun) = (choosers.clone(), choosers.clone(), chooser.clone());
        let ends = Ends {
            // The choosing may still start; it is then stopped.
            abandon: Some(Box::new(move || undone.undo(&begun))),
            settle: Box::new(move || settled.clear()),
        };
        Ok(swarm_call::settled(&master.context, "starting to choose workers", ends, choosers.start(choosing, chooser)))
    })
}

/// Stops choosing: jobs are assigned by default, to the least loaded workers. The call ends after the last callback of
/// swarm_master_choose, unless it starts inside one. Without a chooser it does nothing.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_stop_choosing(master: Option<&swarm_master>) -> *mut swarm_call {
    call(|| {
        let master = swarm_master::open(master)?;
        let (choosers, settled) = (master.choosers.clone(), master.choosers.clone());
        let (last, inside) = (choosers.last(), master.context.dispatch.is_current());
        let ends = Ends { abandon: None, settle: Box::new(move || settled.clear()) };
        Ok(swarm_call::settled(&master.context, "ending the choice of workers", ends, async move {
            choosers.clone().stop(last).await?;
            if !inside {
                choosers.callbacks_ended().await;
            }
            Ok(())
        }))
    })
}

/// # Safety
/// As for [`texts`].
unsafe fn read_choosing(within_ms: u64, tasks: *const *const c_char, count: usize) -> Result<Choosing> {
    // SAFETY: promised by the caller.
    let tasks = unsafe { texts(tasks, count, "tasks") }?;
    let within = if within_ms == SWARM_DEFAULT { Choosing::default().within } else { Duration::from_millis(within_ms) };
    Ok(Choosing { within, tasks })
}
