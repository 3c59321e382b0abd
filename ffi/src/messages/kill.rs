//! Requests to exit, sent and received.

use std::ffi::c_void;

use libswarm::Event;

use crate::call::{call, swarm_call};
use crate::callback::{UserData, swarm_destroy_fn};
use crate::member::{Kind, listener, swarm_member};
use crate::messages::peer::{ShownPeer, swarm_peer};
use crate::messages::receipt::Received;
use crate::messages::send::{recipients, swarm_new_message};
use crate::messages::subscriptions::{self, Topic};

/// Called when a member requests that this program exits; `from` is borrowed for the call.
pub type swarm_kill_fn = Option<unsafe extern "C" fn(user_data: *mut c_void, code: i32, from: *const swarm_peer)>;

/// Sets the callback for requests to exit, and subscribes the member to them, as swarm_member_on_message does. The callback
/// decides what the program does, unless swarm_member_exit_on_kill was called. NULL removes the callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_member_on_kill(
    member: Option<&swarm_member>,
    callback: swarm_kill_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
) {
    let user_data = UserData::new(user_data, destroy);
    let listener = callback.map(|function| {
        listener(move |event| {
            if let Event::Kill { code, from } = event {
                let from = ShownPeer::from(&from);
                // SAFETY: the callback and its data belong together; its arguments live until it returns.
                unsafe { function(user_data.pointer(), code, from.as_ptr()) }
            }
        })
    });
    subscriptions::listen(member, Kind::Kill, Topic::Messages, listener);
}

/// Requests that the programs of subscribed members exit with a code: see swarm_member_on_kill. Of `whom` only `to`, `name`,
/// `pid` and `host` are used. The answer and the errors are those of swarm_member_send.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_member_kill(
    member: Option<&swarm_member>,
    whom: *const swarm_new_message,
    code: i32,
) -> *mut swarm_call {
    call(|| {
        let member = swarm_member::open(member)?;
        // SAFETY: the caller's struct starts with its size.
        let (messages, to) = (member.messages()?, unsafe { recipients(whom) }?);
        Ok(swarm_call::spawned(&member.context, "asking programs to end", async move {
            messages.kill(to, code).await.map(Received::from)
        }))
    })
}
