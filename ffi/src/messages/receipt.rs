//! The result of sending a message.

use std::ffi::{CString, c_char};

use libswarm::{Payload, Receipt};

use crate::bytes::{swarm_bytes, swarm_content_type};
use crate::call::{Answer, swarm_call};
use crate::error::text as c_text;
use crate::messages::peer::{ShownPeer, swarm_peer};

/// A recipient that has acknowledged a message, or replied.
#[repr(C)]
pub struct swarm_reply {
    /// The size of the struct in this library; a later one may be larger.
    pub struct_size: usize,
    /// The recipient.
    pub from: *const swarm_peer,
    /// Its reply; empty for an acknowledgement.
    pub payload: swarm_bytes,
    /// A swarm_content_type: how to interpret the reply.
    pub content_type: i32,
}

/// The result of sending a message. Valid as long as the call from which it was read, with everything to which it points.
#[repr(C)]
pub struct swarm_receipt {
    /// The size of the struct in this library; a later one may be larger.
    pub struct_size: usize,
    /// The incarnations of the recipients, with NULL after the last.
    pub recipients: *const *const c_char,
    /// The number of recipients.
    pub recipient_count: usize,
    /// How many more recipients there would have been: their inboxes are full, because they do not read them.
    pub dropped: u64,
    /// The acknowledgements or replies that arrived in time, in order; none if the sender did not wait for any. With NULL after
    /// the last.
    pub replies: *const *const swarm_reply,
    /// The number of replies.
    pub reply_count: usize,
    /// The incarnations of the recipients that did not acknowledge or reply in time, or are gone, with NULL after the last.
    pub missing: *const *const c_char,
    /// The number of missing recipients.
    pub missing_count: usize,
}

/// The result of swarm_member_send or swarm_member_kill; NULL for other calls, or before the end.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_call_receipt(call: Option<&swarm_call>) -> *const swarm_receipt {
    swarm_call::read::<Received>(call).map_or(std::ptr::null(), |received| &received.shown)
}

/// A receipt with the data to which its pointers point.
pub(crate) struct Received {
    shown: swarm_receipt,
    _texts: Vec<CString>,
    _pointers: [Vec<*const c_char>; 2],
    _replies: Vec<(Box<swarm_reply>, Box<ShownPeer>, Payload)>,
    _reply_pointers: Vec<*const swarm_reply>,
}

// SAFETY: the pointers lead to what is owned beside them and never changes.
unsafe impl Send for Received {}
// SAFETY: as above.
unsafe impl Sync for Received {}

impl Answer for Received {}

impl From<Receipt> for Received {
    fn from(receipt: Receipt) -> Self {
        let Receipt { recipients, dropped, replies, missing } = receipt;
        let mut texts = Vec::with_capacity(recipients.len() + missing.len());
        let pointers = [recipients, missing].map(|all| {
            let own = all.iter().map(|text| c_text(text));
            own.map(|text| {
                let pointer = text.as_ptr();
                texts.push(text);
                pointer
            })
            .chain([std::ptr::null()])
            .collect::<Vec<_>>()
        });
        let replies: Vec<_> = replies
            .into_iter()
            .map(|(from, payload)| {
                let (from, payload) = (Box::new(ShownPeer::from(&from)), payload.unwrap_or_default());
                let shown = Box::new(swarm_reply {
                    struct_size: size_of::<swarm_reply>(),
                    from: from.as_ptr(),
                    payload: payload.bytes.as_slice().into(),
                    content_type: swarm_content_type::from(payload.content_type) as i32,
                });
                (shown, from, payload)
            })
            .collect();
        let shown = replies.iter().map(|(shown, ..)| std::ptr::from_ref(&**shown));
        let reply_pointers: Vec<_> = shown.chain([std::ptr::null()]).collect();
        let shown = swarm_receipt {
            struct_size: size_of::<swarm_receipt>(),
            recipients: pointers[0].as_ptr(),
            recipient_count: pointers[0].len() - 1,
            dropped,
            replies: reply_pointers.as_ptr(),
            reply_count: replies.len(),
            missing: pointers[1].as_ptr(),
            missing_count: pointers[1].len() - 1,
        };
        Received { shown, _texts: texts, _pointers: pointers, _replies: replies, _reply_pointers: reply_pointers }
    }
}
