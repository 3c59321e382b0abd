//! Sending messages.

use std::ffi::c_char;
use std::time::Duration;

use libswarm::{NewMessage, Receipt, Result, To};

use crate::bytes::{payload, swarm_bytes};
use crate::call::{call, swarm_call};
use crate::flag::swarm_flag;
use crate::guard::{invalid, optional_text, text};
use crate::job_options::SWARM_DEFAULT;
use crate::member::swarm_member;
use crate::messages::receipt::Received;
use crate::sized;

/// The kind of recipients. Only members that are subscribed to messages receive them: see swarm_member_on_message.
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
    /// The process id, for SWARM_TO_PROCESS.
    pub pid: u32,
    /// The group, name or incarnation, 1 to 256 bytes, as required by `to`; ignored otherwise.
    pub name: *const c_char,
    /// The host of the process, as `host` of a swarm_peer; NULL or "" for this host.
    pub host: *const c_char,
    /// The payload, at most 64 KiB; copied.
    pub payload: swarm_bytes,
    /// A swarm_content_type.
    pub content_type: i32,
    /// Whether the sender may be among the recipients.
    pub to_self: swarm_flag,
    /// How long to wait until each recipient's program has taken the message, in milliseconds, at most a year; SWARM_DEFAULT does
    /// not wait.
    pub acknowledged_ms: u64,
    /// How long to wait until each recipient has replied, in milliseconds, at most a year; SWARM_DEFAULT does not wait. Excludes
    /// `acknowledged_ms`.
    pub request_ms: u64,
}

/// The values of SWARM_NEW_MESSAGE_INIT.
const DEFAULTS: swarm_new_message = swarm_new_message {
    struct_size: size_of::<swarm_new_message>(),
    to: 0,
    pid: 0,
    name: std::ptr::null(),
    host: std::ptr::null(),
    payload: swarm_bytes::EMPTY,
    content_type: 0,
    to_self: swarm_flag::FALSE,
    acknowledged_ms: SWARM_DEFAULT,
    request_ms: SWARM_DEFAULT,
};

/// Starts to send a message. It is queued when this function returns, and messages of one member are sent in the order of the
/// calls. The call ends when Redis has put the message into the inboxes, or when the awaited answers have arrived or their time
/// is over; swarm_call_receipt reads the answer.
///
/// SWARM_ERR_TOO_LARGE over 64 KiB; SWARM_ERR_UNAVAILABLE if Redis did not answer within the option `timeout`, or if 10,000
/// messages wait already; SWARM_ERR_OUTCOME_UNKNOWN if it may have been sent. A message without recipients is no error.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_member_send(member: Option<&swarm_member>, message: *const swarm_new_message) -> *mut swarm_call {
    call(|| {
        let member = swarm_member::open(member)?;
        // SAFETY: the caller's struct starts with its size.
        let message = unsafe { read(message) }?;
        let messages = member.messages()?;
        let submit = |done| messages.submit(message, done);
        Ok(swarm_call::submitted::<Receipt, Received>(&member.context, "sending a message", submit))
    })
}

/// # Safety
/// `given` is NULL or starts with its size, its texts end with a NUL, and its payload is readable.
pub(crate) unsafe fn recipients(given: *const swarm_new_message) -> Result<To> {
    // SAFETY: promised by the caller.
    let given = unsafe { sized::read(given, DEFAULTS, "message") }?;
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
        other => return Err(invalid(format!("{other} is not a swarm_to"))),
    })
}

/// # Safety
/// `given` is NULL or starts with its size, its texts end with a NUL, and its payload is readable.
unsafe fn read(given: *const swarm_new_message) -> Result<NewMessage> {
    // SAFETY: promised by the caller.
    let to = unsafe { recipients(given) }?;
    // SAFETY: promised by the caller.
    let given = unsafe { sized::read(given, DEFAULTS, "message") }?;
    // SAFETY: promised by the caller.
    let payload = unsafe { payload(given.payload, given.content_type, "payload") }?;
    let message = NewMessage::new(to, payload).to_self(given.to_self.is_set());
    Ok(match (given.acknowledged_ms, given.request_ms) {
        (SWARM_DEFAULT, SWARM_DEFAULT) => message,
        (limit, SWARM_DEFAULT) => message.acknowledged(Duration::from_millis(limit)),
        (SWARM_DEFAULT, limit) => message.request(Duration::from_millis(limit)),
        _ => return Err(invalid("a message has one limit, acknowledged_ms or request_ms; a reply acknowledges, too")),
    })
}
