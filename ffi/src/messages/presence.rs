//! Members that join, leave or are lost, and the data that a member publishes.

use std::ffi::{c_char, c_void};

use libswarm::{Change, Event, Result};

use crate::bytes::swarm_bytes;
use crate::call::{call, swarm_call};
use crate::callback::{UserData, swarm_destroy_fn};
use crate::error::text as c_text;
use crate::guard::invalid;
use crate::member::{Kind, listener, swarm_member};
use crate::messages::peer::{ShownPeer, swarm_peer};
use crate::messages::subscriptions::{self, Topic};

/// What happened to a member.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum swarm_change {
    /// It registered.
    SWARM_MEMBER_JOINED = 0,
    /// It left the cluster.
    SWARM_MEMBER_LEFT = 1,
    /// Its lease ended: it crashed, or was cut off.
    SWARM_MEMBER_LOST = 2,
}

/// Called when a member joined, left or was lost; `role` is "master" or "worker". Both are borrowed for the call.
pub type swarm_peer_fn =
    Option<unsafe extern "C" fn(user_data: *mut c_void, change: swarm_change, role: *const c_char, peer: *const swarm_peer)>;

/// Sets the callback for other members that join, leave or are lost, and subscribes this member to these events. May be called at
/// any time, even before swarm_worker_start. Once a later swarm_member_ready has ended, all changes are reported. If the
/// subscription fails, the callback of swarm_member_on_error is called. NULL removes the callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_member_on_peer(
    member: Option<&swarm_member>,
    callback: swarm_peer_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
) {
    let user_data = UserData::new(user_data, destroy);
    let listener = callback.map(|function| {
        listener(move |event| {
            if let Event::Member { change, role, member } = event {
                let (role, peer) = (c_text(role.name()), ShownPeer::from(&member));
                // SAFETY: the callback and its data belong together; its arguments live until it returns.
                unsafe { function(user_data.pointer(), change.into(), role.as_ptr(), peer.as_ptr()) }
            }
        })
    });
    subscriptions::listen(member, Kind::Peer, Topic::Members, listener);
}

/// Starts to set the data of this member, which swarm_master_members returns as `data`: JSON text of at most 4 KiB, which
/// replaces the data before. It is kept across registrations. SWARM_ERR_INVALID_ARGUMENT if it is not JSON, SWARM_ERR_TOO_LARGE.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_member_set_data(member: Option<&swarm_member>, json: swarm_bytes) -> *mut swarm_call {
    call(|| {
        let member = swarm_member::open(member)?;
        // SAFETY: the caller's bytes are readable.
        let (messages, json) = (member.messages()?, unsafe { read(json) }?);
        Ok(swarm_call::spawned(&member.context, "setting the data of a member", async move { messages.set_data(json).await }))
    })
}

/// # Safety
/// The bytes are readable.
unsafe fn read(json: swarm_bytes) -> Result<String> {
    // SAFETY: promised by the caller.
    String::from_utf8(unsafe { json.to_vec("json") }?).map_err(|_| invalid("the data of a member is not UTF-8"))
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
