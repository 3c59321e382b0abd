//! Saying that a member is so far, and waiting for those that are.

use std::ffi::{c_char, c_void};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use libswarm::{Messages, Result};

use crate::callback::{UserData, swarm_destroy_fn, swarm_done_fn, swarm_text_fn};
use crate::error::swarm_error;
use crate::guard::{guard, optional, text};
use crate::inspect::{json_text, swarm_text};
use crate::master::swarm_master;
use crate::member::Member;
use crate::runtime::{wait, within};
use crate::status::swarm_status;
use crate::worker::swarm_worker;

const WAITING: &str = "awaiting confirmations";

/// Says under a name, 1 to 256 bytes, that this member is so far, to all that wait for it with swarm_master_confirmations or
/// swarm_worker_confirmations. Sent in the order of the calls, like messages.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_master_confirm(
    master: Option<&swarm_master>,
    name: *const c_char,
    timeout_ms: u64,
    error: *mut *mut swarm_error,
) -> swarm_status {
    // SAFETY: a non-NULL text is NUL-terminated.
    guard(error, || unsafe { confirm(swarm_master::member(master)?, name, timeout_ms) })
}

/// As swarm_master_confirm, without waiting; `done` is called once and may be NULL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_confirm_async(
    master: Option<&swarm_master>,
    name: *const c_char,
    done: swarm_done_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
    error: *mut *mut swarm_error,
) -> swarm_status {
    let user_data = UserData::new(user_data, destroy);
    // SAFETY: a non-NULL text is NUL-terminated.
    guard(error, || unsafe { confirm_async(swarm_master::member(master)?, name, done, user_data) })
}

/// As swarm_master_confirm.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_worker_confirm(
    worker: Option<&swarm_worker>,
    name: *const c_char,
    timeout_ms: u64,
    error: *mut *mut swarm_error,
) -> swarm_status {
    // SAFETY: a non-NULL text is NUL-terminated.
    guard(error, || unsafe { confirm(swarm_worker::member(worker)?, name, timeout_ms) })
}

/// As swarm_master_confirm_async.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_worker_confirm_async(
    worker: Option<&swarm_worker>,
    name: *const c_char,
    done: swarm_done_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
    error: *mut *mut swarm_error,
) -> swarm_status {
    let user_data = UserData::new(user_data, destroy);
    // SAFETY: a non-NULL text is NUL-terminated.
    guard(error, || unsafe { confirm_async(swarm_worker::member(worker)?, name, done, user_data) })
}

/// Waits until `count` distinct members have confirmed this name, counted from the call on; this one counts if it does. `json`,
/// which may be NULL, tells them, in the order in which they did: a list of objects with `incarnation`, `name`, `group`, `host` and
/// `pid`. From now on the member hears messages, as by swarm_master_on_message.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_master_confirmations(
    master: Option<&swarm_master>,
    count: usize,
    name: *const c_char,
    timeout_ms: u64,
    json: *mut *mut swarm_text,
    error: *mut *mut swarm_error,
) -> swarm_status {
    // SAFETY: a non-NULL text is NUL-terminated, and the place is one for a pointer.
    guard(error, || unsafe { confirmations(swarm_master::member(master)?, count, name, timeout_ms, json) })
}

/// As swarm_master_confirmations, without waiting; `done` is called once, with SWARM_ERR_TIMEOUT after `timeout_ms`.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_confirmations_async(
    master: Option<&swarm_master>,
    count: usize,
    name: *const c_char,
    timeout_ms: u64,
    done: swarm_text_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
    error: *mut *mut swarm_error,
) -> swarm_status {
    let user_data = UserData::new(user_data, destroy);
    // SAFETY: a non-NULL text is NUL-terminated.
    guard(error, || unsafe { confirmations_async(swarm_master::member(master)?, count, name, timeout_ms, done, user_data) })
}

/// As swarm_master_confirmations.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_worker_confirmations(
    worker: Option<&swarm_worker>,
    count: usize,
    name: *const c_char,
    timeout_ms: u64,
    json: *mut *mut swarm_text,
    error: *mut *mut swarm_error,
) -> swarm_status {
    // SAFETY: a non-NULL text is NUL-terminated, and the place is one for a pointer.
    guard(error, || unsafe { confirmations(swarm_worker::member(worker)?, count, name, timeout_ms, json) })
}

/// As swarm_master_confirmations_async.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_worker_confirmations_async(
    worker: Option<&swarm_worker>,
    count: usize,
    name: *const c_char,
    timeout_ms: u64,
    done: swarm_text_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
    error: *mut *mut swarm_error,
) -> swarm_status {
    let user_data = UserData::new(user_data, destroy);
    // SAFETY: a non-NULL text is NUL-terminated.
    guard(error, || unsafe { confirmations_async(swarm_worker::member(worker)?, count, name, timeout_ms, done, user_data) })
}

/// # Safety
/// A non-NULL text is NUL-terminated; so for the others.
unsafe fn confirm(member: &Arc<impl Member>, name: *const c_char, timeout_ms: u64) -> Result<()> {
    let messages = member.messages()?;
    // SAFETY: promised by the caller.
    let name = unsafe { text(name, "name") }?.to_owned();
    wait(member.handle(), timeout_ms, "confirming", begin_confirm(messages, name))
}

unsafe fn confirm_async(member: &Arc<impl Member>, name: *const c_char, done: swarm_done_fn, user_data: UserData) -> Result<()> {
    let messages = member.messages()?;
    // SAFETY: promised by the caller.
    let name = unsafe { text(name, "name") }?.to_owned();
    member.ask_async(done, user_data, |_| begin_confirm(messages, name))
}

/// Submits the confirmation now rather than when a task gets to it, so that it keeps its place among the messages of this member.
fn begin_confirm(messages: Messages, name: String) -> impl Future<Output = Result<()>> + Send + 'static {
    let mut confirm: Pin<Box<dyn Future<Output = _> + Send>> = Box::pin(async move { messages.confirm(&name).await });
    let begun = confirm.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    async move {
        match begun {
            Poll::Ready(result) => result,
            Poll::Pending => confirm.await,
        }
    }
}

unsafe fn confirmations(
    member: &Arc<impl Member>,
    count: usize,
    name: *const c_char,
    timeout_ms: u64,
    json: *mut *mut swarm_text,
) -> Result<()> {
    let messages = member.messages()?;
    // SAFETY: promised by the caller.
    let name = unsafe { text(name, "name") }?.to_owned();
    optional(json).give_any(wait(member.handle(), timeout_ms, WAITING, confirmed(messages, count, name))?);
    Ok(())
}

unsafe fn confirmations_async(
    member: &Arc<impl Member>,
    count: usize,
    name: *const c_char,
    timeout_ms: u64,
    done: swarm_text_fn,
    user_data: UserData,
) -> Result<()> {
    let messages = member.messages()?;
    // SAFETY: promised by the caller.
    let name = unsafe { text(name, "name") }?.to_owned();
    member.ask_async(done, user_data, |_| within(timeout_ms, WAITING, confirmed(messages, count, name)))
}

/// By whom; always some text, as the callback takes it.
async fn confirmed(messages: Messages, count: usize, name: String) -> Result<Option<swarm_text>> {
    let by = messages.confirmations(count, &name).await?;
    json_text(serde_json::to_string(&by)).map(Some)
}
