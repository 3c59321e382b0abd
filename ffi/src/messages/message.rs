//! Messages as they arrive.

use std::ffi::c_void;
use std::sync::{Arc, OnceLock};

use libswarm::{Event, Message};

use crate::bytes::{answer, swarm_bytes, swarm_content_type};
use crate::callback::{UserData, swarm_destroy_fn};
use crate::error::swarm_error;
use crate::guard::{given, guard, guard_value};
use crate::member::{Kind, listener, swarm_member};
use crate::messages::peer::{ShownPeer, swarm_peer};
use crate::messages::subscriptions::{self, Topic};
use crate::status::swarm_status;
use libswarm_host::fork::Origin;

/// A message as it arrived. Lent to the callback; swarm_message_keep keeps it longer. May be used on any thread.
pub struct swarm_message {
    message: Message,
    owner: Origin,
    /// Made when first asked for.
    from: OnceLock<ShownPeer>,
}

/// Called with a message for this member. `message` is borrowed for the call; see swarm_message_keep.
pub type swarm_message_fn = Option<unsafe extern "C" fn(user_data: *mut c_void, message: *const swarm_message)>;

/// Sets the callback for messages and has the member receive them. May be called at any time, also before swarm_worker_start: then what is
/// sent once the worker is registered is received. Messages that are sent after a swarm_member_ready that follows are received. Why it
/// cannot receive any is reported to the callback of swarm_member_on_error. NULL removes the callback; messages that come then are
/// discarded.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_member_on_message(
    member: Option<&swarm_member>,
    callback: swarm_message_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
) {
    let user_data = UserData::new(user_data, destroy);
    let listener = callback.map(|function| {
        listener(move |event| {
            if let Event::Message(message) = event {
                let message = Arc::new(swarm_message { message, owner: Origin::current(), from: OnceLock::new() });
                // SAFETY: the callback and its data belong together; the message lives until it returns.
                unsafe { function(user_data.pointer(), Arc::as_ptr(&message)) }
            }
        })
    });
    subscriptions::listen(member, Kind::Message, Topic::Messages, listener);
}

/// What was sent. Lives as long as the message; so does all that the functions for reading it return.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_message_payload(message: Option<&swarm_message>) -> swarm_bytes {
    message.map_or(swarm_bytes::EMPTY, |message| message.message.payload().bytes.as_slice().into())
}

/// How the payload is to be read.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_message_content_type(message: Option<&swarm_message>) -> swarm_content_type {
    message.map(|message| message.message.payload().content_type).unwrap_or_default().into()
}

/// Who sent it; NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_message_from(message: Option<&swarm_message>) -> *const swarm_peer {
    guard_value(std::ptr::null(), || {
        message.map_or(std::ptr::null(), |message| message.from.get_or_init(|| message.message.from().into()).as_ptr())
    })
}

/// Whether the sender waits for a reply.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_message_wants_reply(message: Option<&swarm_message>) -> bool {
    message.is_some_and(|message| message.message.wants_reply())
}

/// Replies, with at most 64 KiB; copied. `content_type` is a swarm_content_type. Never blocks: the reply is sent soon. A member's
/// first reply counts. SWARM_ERR_INVALID_ARGUMENT if the sender waits for none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_message_reply(
    message: Option<&swarm_message>,
    reply: swarm_bytes,
    content_type: i32,
    error: *mut *mut swarm_error,
) -> swarm_status {
    guard(error, || {
        let message = given(message, "message")?;
        message.owner.check()?;
        // SAFETY: the caller's bytes are readable.
        message.message.reply(unsafe { answer(reply, content_type, "reply") }?)
    })
}

/// Keeps a message that was lent to a callback beyond the call, until swarm_message_free. It may outlive its member; a reply
/// is SWARM_ERR_CLOSED then. NULL for NULL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_message_keep(message: *const swarm_message) -> *mut swarm_message {
    if !message.is_null() {
        // SAFETY: messages are handed out as shares, and the callback or an earlier keeper has one still.
        unsafe { Arc::increment_strong_count(message) };
    }
    message.cast_mut()
}

/// Frees a message that was kept, once for each swarm_message_keep. NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_message_free(message: *mut swarm_message) {
    guard_value((), || {
        if !message.is_null() {
            // SAFETY: the share of swarm_message_keep, which the caller gives up.
            drop(unsafe { Arc::from_raw(message.cast_const()) });
        }
    });
}
