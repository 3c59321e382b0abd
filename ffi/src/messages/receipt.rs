//! What became of a message.

use std::ffi::{CString, c_char};

use libswarm::{Payload, Receipt};

use crate::bytes::{swarm_bytes, swarm_content_type};
use crate::error::text as c_text;
use crate::guard::guard_value;
use crate::messages::{ShownMember, swarm_member};

/// What became of a message that was sent. All that is read of it lives as long as it does.
pub struct swarm_receipt {
    recipients: Vec<CString>,
    dropped: u64,
    replies: Vec<(ShownMember, Option<Payload>)>,
    missing: Vec<CString>,
}

/// To how many members it was sent; 0 for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_receipt_recipient_count(receipt: Option<&swarm_receipt>) -> usize {
    receipt.map_or(0, |receipt| receipt.recipients.len())
}

/// The incarnation of the recipient at `index`; NULL beyond the last.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_receipt_recipient(receipt: Option<&swarm_receipt>, index: usize) -> *const c_char {
    receipt.map_or(std::ptr::null(), |receipt| at(&receipt.recipients, index))
}

/// How many more should have heard it, but do not read their inboxes, which are full.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_receipt_dropped(receipt: Option<&swarm_receipt>) -> u64 {
    receipt.map_or(0, |receipt| receipt.dropped)
}

/// How many have acknowledged it, or replied, in time; 0 if that was not waited for.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_receipt_reply_count(receipt: Option<&swarm_receipt>) -> usize {
    receipt.map_or(0, |receipt| receipt.replies.len())
}

/// Who acknowledged it or replied, in the order in which they did; NULL beyond the last.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_receipt_reply_from(receipt: Option<&swarm_receipt>, index: usize) -> *const swarm_member {
    reply(receipt, index).map_or(std::ptr::null(), |(from, _)| from.as_ptr())
}

/// What the reply at `index` says; empty if it is a mere acknowledgement.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_receipt_reply_payload(receipt: Option<&swarm_receipt>, index: usize) -> swarm_bytes {
    let payload = reply(receipt, index).and_then(|(_, payload)| payload.as_ref());
    payload.map_or(swarm_bytes::EMPTY, |payload| payload.bytes.as_slice().into())
}

/// How the payload of the reply at `index` is to be read.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_receipt_reply_content_type(receipt: Option<&swarm_receipt>, index: usize) -> swarm_content_type {
    let payload = reply(receipt, index).and_then(|(_, payload)| payload.as_ref());
    payload.map(|payload| payload.content_type).unwrap_or_default().into()
}

/// How many recipients have not acknowledged it, or replied, in time, or are gone.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_receipt_missing_count(receipt: Option<&swarm_receipt>) -> usize {
    receipt.map_or(0, |receipt| receipt.missing.len())
}

/// The incarnation of the missing one at `index`; NULL beyond the last.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_receipt_missing(receipt: Option<&swarm_receipt>, index: usize) -> *const c_char {
    receipt.map_or(std::ptr::null(), |receipt| at(&receipt.missing, index))
}

/// Frees what a call handed out. What a callback was shown must not be freed. NULL is allowed.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_receipt_free(receipt: Option<Box<swarm_receipt>>) {
    guard_value((), || drop(receipt));
}

impl From<Receipt> for swarm_receipt {
    fn from(receipt: Receipt) -> Self {
        let Receipt { recipients, dropped, replies, missing } = receipt;
        let replies = replies.into_iter().map(|(from, payload)| (ShownMember::from(&from), payload)).collect();
        let texts = |all: Vec<String>| all.iter().map(|text| c_text(text)).collect();
        swarm_receipt { recipients: texts(recipients), dropped, replies, missing: texts(missing) }
    }
}

fn reply(receipt: Option<&swarm_receipt>, index: usize) -> Option<&(ShownMember, Option<Payload>)> {
    receipt.and_then(|receipt| receipt.replies.get(index))
}

fn at(texts: &[CString], index: usize) -> *const c_char {
    texts.get(index).map_or(std::ptr::null(), |text| text.as_ptr())
}
