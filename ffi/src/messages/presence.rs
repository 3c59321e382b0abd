//! Who is there: members that come and go, and what a member says of itself.

use std::ffi::c_void;
use std::sync::Arc;

use libswarm::{Change, MemberRef, Result};

use crate::bytes::swarm_bytes;
use crate::callback::{UserData, swarm_destroy_fn, swarm_done_fn, swarm_member_fn};
use crate::error::{swarm_error, text as c_text};
use crate::guard::{guard, invalid};
use crate::master::swarm_master;
use crate::member::{Listener, Member};
use crate::messages::ShownMember;
use crate::messages::hearing::{self, What};
use crate::runtime::wait;
use crate::status::swarm_status;
use crate::worker::swarm_worker;

/// How a member came or went.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum swarm_change {
    /// It registered.
    SWARM_MEMBER_JOINED = 0,
    /// It said that it goes.
    SWARM_MEMBER_LEFT = 1,
    /// Its lease ended: it died, or was cut off.
    SWARM_MEMBER_LOST = 2,
}

/// Sets the callback for members that join, leave or are lost, others than this one, and has the master watch them, at any time:
/// trouble with that is told to the callback of swarm_master_on_error. Those that come and go after a swarm_master_ready that
/// follows are told. NULL removes the callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_master_on_member(
    master: Option<&swarm_master>,
    callback: swarm_member_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
) {
    let listener = Listener::new(callback, user_data, destroy);
    hearing::listen(swarm_master::member(master), callback.map(|_| What::Members), |listeners| listeners.member = Some(listener));
}

/// As swarm_master_on_member. Also before swarm_worker_start.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_worker_on_member(
    worker: Option<&swarm_worker>,
    callback: swarm_member_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
) {
    let listener = Listener::new(callback, user_data, destroy);
    hearing::listen(swarm_worker::member(worker), callback.map(|_| What::Members), |listeners| listeners.member = Some(listener));
}

/// What this member says of itself to all that ask who is there, as `data` in swarm_master_members: JSON text of at most 4 KiB, in
/// place of what it said before. Kept through registrations. SWARM_ERR_INVALID_ARGUMENT if it is not JSON, SWARM_ERR_TOO_LARGE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_master_set_data(
    master: Option<&swarm_master>,
    json: swarm_bytes,
    timeout_ms: u64,
    error: *mut *mut swarm_error,
) -> swarm_status {
    // SAFETY: the caller's bytes are readable.
    guard(error, || unsafe { set_data(swarm_master::member(master)?, json, timeout_ms) })
}

/// As swarm_master_set_data, without waiting; `done` is called once and may be NULL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_set_data_async(
    master: Option<&swarm_master>,
    json: swarm_bytes,
    done: swarm_done_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
    error: *mut *mut swarm_error,
) -> swarm_status {
    let user_data = UserData::new(user_data, destroy);
    // SAFETY: the caller's bytes are readable.
    guard(error, || unsafe { set_data_async(swarm_master::member(master)?, json, done, user_data) })
}

/// As swarm_master_set_data.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_worker_set_data(
    worker: Option<&swarm_worker>,
    json: swarm_bytes,
    timeout_ms: u64,
    error: *mut *mut swarm_error,
) -> swarm_status {
    // SAFETY: the caller's bytes are readable.
    guard(error, || unsafe { set_data(swarm_worker::member(worker)?, json, timeout_ms) })
}

/// As swarm_master_set_data_async.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_worker_set_data_async(
    worker: Option<&swarm_worker>,
    json: swarm_bytes,
    done: swarm_done_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
    error: *mut *mut swarm_error,
) -> swarm_status {
    let user_data = UserData::new(user_data, destroy);
    // SAFETY: the caller's bytes are readable.
    guard(error, || unsafe { set_data_async(swarm_worker::member(worker)?, json, done, user_data) })
}

/// # Safety
/// The bytes are readable.
unsafe fn set_data(member: &Arc<impl Member>, json: swarm_bytes, timeout_ms: u64) -> Result<()> {
    let messages = member.messages()?;
    // SAFETY: promised by the caller.
    let json = unsafe { read(json) }?;
    wait(member.handle(), timeout_ms, "saying what a member is", async move { messages.set_data(json).await })
}

/// # Safety
/// The bytes are readable.
unsafe fn set_data_async(member: &Arc<impl Member>, json: swarm_bytes, done: swarm_done_fn, user_data: UserData) -> Result<()> {
    let messages = member.messages()?;
    // SAFETY: promised by the caller.
    let json = unsafe { read(json) }?;
    member.ask_async(done, user_data, |_| async move { messages.set_data(json).await })
}

/// # Safety
/// The bytes are readable.
unsafe fn read(json: swarm_bytes) -> Result<String> {
    // SAFETY: promised by the caller.
    String::from_utf8(unsafe { json.to_vec("json") }?).map_err(|_| invalid("the data of a member is not UTF-8"))
}

/// Tells the program of a member that came or went.
pub(crate) fn tell(listener: Option<&Listener<swarm_member_fn>>, change: Change, role: &str, member: &MemberRef) {
    if let Some(Listener(Some(function), user_data)) = listener {
        let (role, member) = (c_text(role), ShownMember::from(member));
        // SAFETY: the callback and its data belong together; what it is shown lives until it returns.
        unsafe { function(user_data.pointer(), change.into(), role.as_ptr(), member.as_ptr()) }
    }
}

impl From<Change> for swarm_change {
    fn from(change: Change) -> Self {
        match change {
            Change::Joined => swarm_change::SWARM_MEMBER_JOINED,
            Change::Left => swarm_change::SWARM_MEMBER_LEFT,
            Change::Lost => swarm_change::SWARM_MEMBER_LOST,
        }
    }
}
