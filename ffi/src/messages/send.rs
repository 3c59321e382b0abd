//! Sending messages.

use std::ffi::{c_char, c_void};
use std::sync::Arc;
use std::time::Duration;

use libswarm::{NewMessage, Result, To};

use crate::bytes::{payload, swarm_bytes};
use crate::callback::{UserData, swarm_destroy_fn, swarm_receipt_fn};
use crate::error::swarm_error;
use crate::flag::swarm_flag;
use crate::guard::{guard, invalid, optional, optional_text, text};
use crate::master::swarm_master;
use crate::member::Member;
use crate::messages::receipt::swarm_receipt;
use crate::runtime::wait_done;
use crate::sized;
use crate::status::swarm_status;
use crate::worker::swarm_worker;

/// Whom a message is for. Only members that hear messages get it: see swarm_master_on_message and swarm_worker_on_message.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum swarm_to {
    /// Every member.
    SWARM_TO_ALL = 0,
    /// Every member whose option `group` is `name`.
    SWARM_TO_GROUP = 1,
    /// Every member whose option `name` is `name`.
    SWARM_TO_NAME = 2,
    /// The members of the process `pid` on the machine `host`.
    SWARM_TO_PROCESS = 3,
    /// The member whose incarnation is `name`.
    SWARM_TO_MEMBER = 4,
}

/// A message to send. Start with `swarm_new_message message = SWARM_NEW_MESSAGE_INIT;`.
#[repr(C)]
pub struct swarm_new_message {
    /// The size of the struct; set by SWARM_NEW_MESSAGE_INIT.
    pub struct_size: usize,
    /// A swarm_to.
    pub to: i32,
    /// The process, for SWARM_TO_PROCESS.
    pub pid: u32,
    /// The group, name or incarnation, 1 to 256 bytes, where `to` has one; ignored otherwise.
    pub name: *const c_char,
    /// The machine of the process, as members tell theirs; NULL or "" for this one.
    pub host: *const c_char,
    /// What is sent, at most 64 KiB; copied.
    pub payload: swarm_bytes,
    /// A swarm_content_type.
    pub content_type: i32,
    /// Whether the sender may be among those who hear it.
    pub to_self: swarm_flag,
    /// Unless 0: how long to wait until each that hears it has taken it, at most a year.
    pub acknowledged_ms: u64,
    /// Unless 0: how long to wait until each that hears it has replied, at most a year; not beside `acknowledged_ms`.
    pub request_ms: u64,
}

/// Sends a message, and waits until Redis has put it into the inboxes, or for what the message waits for besides. Messages of
/// one member are sent in the order of the calls. `receipt` may be NULL.
///
/// SWARM_ERR_TOO_LARGE over 64 KiB; SWARM_ERR_UNAVAILABLE if Redis did not answer within the option `timeout`, or 10,000 messages
/// wait already; SWARM_ERR_OUTCOME_UNKNOWN if it may have been sent. A message for nobody is sent, to no recipients.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_master_send(
    master: Option<&swarm_master>,
    message: *const swarm_new_message,
    timeout_ms: u64,
    receipt: *mut *mut swarm_receipt,
    error: *mut *mut swarm_error,
) -> swarm_status {
    // SAFETY: the caller's struct starts with its size, and the place is one for a pointer.
    guard(error, || unsafe { send(swarm_master::member(master)?, message, timeout_ms, receipt) })
}

/// As swarm_master_send, without waiting; `done` is called once and may be NULL. The message is queued when this returns.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_send_async(
    master: Option<&swarm_master>,
    message: *const swarm_new_message,
    done: swarm_receipt_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
    error: *mut *mut swarm_error,
) -> swarm_status {
    let user_data = UserData::new(user_data, destroy);
    // SAFETY: the caller's struct starts with its size.
    guard(error, || unsafe { send_async(swarm_master::member(master)?, message, done, user_data) })
}

/// As swarm_master_send.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_worker_send(
    worker: Option<&swarm_worker>,
    message: *const swarm_new_message,
    timeout_ms: u64,
    receipt: *mut *mut swarm_receipt,
    error: *mut *mut swarm_error,
) -> swarm_status {
    // SAFETY: the caller's struct starts with its size, and the place is one for a pointer.
    guard(error, || unsafe { send(swarm_worker::member(worker)?, message, timeout_ms, receipt) })
}

/// As swarm_master_send_async.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_worker_send_async(
    worker: Option<&swarm_worker>,
    message: *const swarm_new_message,
    done: swarm_receipt_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
    error: *mut *mut swarm_error,
) -> swarm_status {
    let user_data = UserData::new(user_data, destroy);
    // SAFETY: the caller's struct starts with its size.
    guard(error, || unsafe { send_async(swarm_worker::member(worker)?, message, done, user_data) })
}

/// # Safety
/// As for [`read`]; a non-NULL `receipt` is a place for a pointer.
unsafe fn send(
    member: &Arc<impl Member>,
    message: *const swarm_new_message,
    timeout_ms: u64,
    receipt: *mut *mut swarm_receipt,
) -> Result<()> {
    // SAFETY: promised by the caller.
    let message = unsafe { read(message) }?;
    let messages = member.messages()?;
    let sent = wait_done(timeout_ms, "sending a message", |done| messages.submit(message, done))?;
    optional(receipt).give(sent.into());
    Ok(())
}

/// # Safety
/// As for [`read`].
unsafe fn send_async(
    member: &Arc<impl Member>,
    message: *const swarm_new_message,
    done: swarm_receipt_fn,
    user_data: UserData,
) -> Result<()> {
    // SAFETY: promised by the caller.
    let message = unsafe { read(message) }?;
    let messages = member.messages()?;
    messages.submit(message, member.begin(done, user_data)?.into_done());
    Ok(())
}

/// # Safety
/// `given` is NULL or starts with its size, its texts end with a NUL, and its payload is readable.
pub(crate) unsafe fn recipients(given: *const swarm_new_message) -> Result<To> {
    // SAFETY: promised by the caller.
    let given = unsafe { sized::read(given, "message") }?;
    // SAFETY: promised by the caller.
    let name = || unsafe { text(given.name, "name") }.map(str::to_owned);
    Ok(match given.to {
        0 => To::All,
        1 => To::Group(name()?),
        2 => To::Name(name()?),
        3 => {
            // SAFETY: promised by the caller.
            let host = unsafe { optional_text(given.host, "host") }?;
            To::Process { pid: given.pid, host: host.unwrap_or_default().to_owned() }
        }
        4 => To::Member(name()?),
        other => return Err(invalid(format!("{other} is no swarm_to"))),
    })
}

/// # Safety
/// `given` is NULL or starts with its size, its texts end with a NUL, and its payload is readable.
unsafe fn read(given: *const swarm_new_message) -> Result<NewMessage> {
    // SAFETY: promised by the caller.
    let to = unsafe { recipients(given) }?;
    // SAFETY: promised by the caller.
    let given = unsafe { sized::read(given, "message") }?;
    // SAFETY: promised by the caller.
    let payload = unsafe { payload(given.payload, given.content_type, "payload") }?;
    let message = NewMessage::new(to, payload).to_self(given.to_self.is_set());
    Ok(match (given.acknowledged_ms, given.request_ms) {
        (0, 0) => message,
        (limit, 0) => message.acknowledged(Duration::from_millis(limit)),
        (0, limit) => message.request(Duration::from_millis(limit)),
        _ => return Err(invalid("a message has one limit, acknowledged_ms or request_ms; a reply acknowledges, too")),
    })
}
