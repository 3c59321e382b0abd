//! Received messages.

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

/// A received message. The callback borrows it; swarm_message_keep extends its life. May be used on any thread.
pub struct swarm_message {
    message: Message,
    owner: Origin,
    /// Created at the first access.
    details: OnceLock<Details>,
}

/// The data of a message. Only the library creates it.
#[repr(C)]
pub struct swarm_message_info {
    /// The size of the struct in this library; a later one may be larger.
    pub struct_size: usize,
    /// The payload.
    pub payload: swarm_bytes,
    /// A swarm_content_type: how to interpret the payload.
    pub content_type: i32,
    /// Whether the sender waits for a reply.
    pub wants_reply: bool,
    /// The member that sent it; NULL only for NULL as the message.
    pub from: *const swarm_peer,
}

/// The data of a message in the layout of C.
struct Details {
    shown: swarm_message_info,
    _from: Box<ShownPeer>,
}

// SAFETY: the pointers lead to what the message and the details own, which never changes.
unsafe impl Send for Details {}
// SAFETY: as above.
unsafe impl Sync for Details {}

/// The data for NULL as the message.
struct Empty(swarm_message_info);

// SAFETY: its pointers are NULL.
unsafe impl Sync for Empty {}

static EMPTY: Empty = Empty(swarm_message_info {
    struct_size: size_of::<swarm_message_info>(),
    payload: swarm_bytes::EMPTY,
    content_type: 0,
    wants_reply: false,
    from: std::ptr::null(),
});

impl swarm_message {
    fn details(&self) -> &Details {
        self.details.get_or_init(|| {
            let (message, from) = (&self.message, Box::new(ShownPeer::from(self.message.from())));
            let shown = swarm_message_info {
                payload: message.payload().bytes.as_slice().into(),
                content_type: swarm_content_type::from(message.payload().content_type) as i32,
                wants_reply: message.wants_reply(),
                from: from.as_ptr(),
                ..EMPTY.0
            };
            Details { shown, _from: from }
        })
    }
}

/// Called with a message for this member. `message` is borrowed for the call; see swarm_message_keep.
pub type swarm_message_fn = Option<unsafe extern "C" fn(user_data: *mut c_void, message: *const swarm_message)>;

/// Sets the callback for messages and subscribes the member to them. May be called at any time, even before swarm_worker_start:
/// the worker then receives messages that are sent after its registration. Once a later swarm_member_ready has ended, all
/// messages that are sent are received. If the subscription fails, the callback of swarm_member_on_error is called. NULL removes
/// the callback; messages that arrive later are discarded.
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
                let message = Arc::new(swarm_message { message, owner: Origin::current(), details: OnceLock::new() });
                // SAFETY: the callback and its data belong together; the message lives until it returns.
                unsafe { function(user_data.pointer(), Arc::as_ptr(&message)) }
            }
        })
    });
    subscriptions::listen(member, Kind::Message, Topic::Messages, listener);
}

/// The data of a message. Valid as long as the message. Never NULL; empty for NULL as the message.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_message_details(message: Option<&swarm_message>) -> *const swarm_message_info {
    let empty = || &raw const EMPTY.0;
    guard_value(empty(), || message.map_or_else(empty, |message| &raw const message.details().shown))
}

/// Queues a reply of at most 64 KiB, which is copied; never blocks. `content_type` is a swarm_content_type. Only the first reply
/// of a member counts. SWARM_ERR_INVALID_ARGUMENT if the sender does not wait for a reply.
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

/// Keeps a message beyond the call of its callback, until swarm_message_free. It may outlive its member; a reply then fails with
/// SWARM_ERR_CLOSED. Returns NULL for NULL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_message_keep(message: *const swarm_message) -> *mut swarm_message {
    if !message.is_null() {
        // SAFETY: messages are reference-counted, and the callback or an earlier keeper still has a reference.
        unsafe { Arc::increment_strong_count(message) };
    }
    message.cast_mut()
}

/// Frees a kept message; call it once for each swarm_message_keep. Accepts NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_message_free(message: *mut swarm_message) {
    guard_value((), || {
        if !message.is_null() {
            // SAFETY: the reference of swarm_message_keep, whose ownership the caller passes.
            drop(unsafe { Arc::from_raw(message.cast_const()) });
        }
    });
}
