//! Asking programs to end, and being asked.

use std::ffi::c_void;
use std::sync::Arc;

use libswarm::{MemberRef, Result};

use crate::callback::{swarm_destroy_fn, swarm_kill_fn};
use crate::error::swarm_error;
use crate::guard::{guard, optional};
use crate::master::swarm_master;
use crate::member::{Listener, Member};
use crate::messages::ShownMember;
use crate::messages::hearing::{self, What};
use crate::messages::receipt::swarm_receipt;
use crate::messages::send::{recipients, swarm_new_message};
use crate::runtime::wait;
use crate::status::swarm_status;
use crate::worker::swarm_worker;

/// Sets the callback for members that ask this program to end, and has the master hear them like messages; see swarm_master_on_message. What the
/// program does is its own, unless swarm_master_exit_on_kill was called. NULL removes the callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_master_on_kill(
    master: Option<&swarm_master>,
    callback: swarm_kill_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
) {
    let listener = Listener::new(callback, user_data, destroy);
    hearing::listen(swarm_master::member(master), callback.map(|_| What::Messages), |listeners| listeners.kill = Some(listener));
}

/// As swarm_master_on_kill. Also before swarm_worker_start.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_worker_on_kill(
    worker: Option<&swarm_worker>,
    callback: swarm_kill_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
) {
    let listener = Listener::new(callback, user_data, destroy);
    hearing::listen(swarm_worker::member(worker), callback.map(|_| What::Messages), |listeners| listeners.kill = Some(listener));
}

/// Asks the programs of members that hear messages to end with an exit code: see swarm_master_on_kill. Of `whom` only `to`, `name`, `pid` and
/// `host` count. Errors are those of swarm_master_send. `receipt` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_master_kill(
    master: Option<&swarm_master>,
    whom: *const swarm_new_message,
    code: i32,
    timeout_ms: u64,
    receipt: *mut *mut swarm_receipt,
    error: *mut *mut swarm_error,
) -> swarm_status {
    // SAFETY: the caller's struct starts with its size, and the place is one for a pointer.
    guard(error, || unsafe { kill(swarm_master::member(master)?, whom, code, timeout_ms, receipt) })
}

/// As swarm_master_kill.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_worker_kill(
    worker: Option<&swarm_worker>,
    whom: *const swarm_new_message,
    code: i32,
    timeout_ms: u64,
    receipt: *mut *mut swarm_receipt,
    error: *mut *mut swarm_error,
) -> swarm_status {
    // SAFETY: the caller's struct starts with its size, and the place is one for a pointer.
    guard(error, || unsafe { kill(swarm_worker::member(worker)?, whom, code, timeout_ms, receipt) })
}

/// # Safety
/// As for [`recipients`]; a non-NULL `receipt` is a place for a pointer.
unsafe fn kill(
    member: &Arc<impl Member>,
    whom: *const swarm_new_message,
    code: i32,
    timeout_ms: u64,
    receipt: *mut *mut swarm_receipt,
) -> Result<()> {
    // SAFETY: promised by the caller.
    let to = unsafe { recipients(whom) }?;
    let messages = member.messages()?;
    let sent = wait(member.handle(), timeout_ms, "asking programs to end", async move { messages.kill(to, code).await })?;
    optional(receipt).give(sent.into());
    Ok(())
}

/// Tells the program that it is asked to end.
pub(crate) fn tell(listener: Option<&Listener<swarm_kill_fn>>, code: i32, from: &MemberRef) {
    if let Some(Listener(Some(function), user_data)) = listener {
        let from = ShownMember::from(from);
        // SAFETY: the callback and its data belong together; what it is shown lives until it returns.
        unsafe { function(user_data.pointer(), code, from.as_ptr()) }
    }
}
