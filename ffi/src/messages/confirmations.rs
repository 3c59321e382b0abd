//! Confirming a name, and waiting for confirmations of members.

use std::ffi::c_char;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use libswarm::{Messages, Result};

use crate::call::{call, swarm_call};
use crate::guard::text;
use crate::json::Json;
use crate::member::swarm_member;

/// Starts to confirm a name, 1 to 256 bytes, to all members that wait for it with swarm_member_confirmations. Sent in the order
/// of the calls, like messages.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_member_confirm(member: Option<&swarm_member>, name: *const c_char) -> *mut swarm_call {
    call(|| {
        let member = swarm_member::open(member)?;
        // SAFETY: a non-NULL text is NUL-terminated.
        let (messages, name) = (member.messages()?, unsafe { text(name, "name") }?.to_owned());
        Ok(swarm_call::spawned(&member.context, "confirming", begin_confirm(messages, name)))
    })
}

/// Starts to wait until `count` distinct members have confirmed this name since this call. This member counts if it confirms the
/// name, too. swarm_call_json returns these members in the order of their confirmations: a list of objects with `incarnation`,
/// `name`, `group`, `host` and `pid`. Subscribes the member to messages, as swarm_member_on_message does.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_member_confirmations(
    member: Option<&swarm_member>,
    count: usize,
    name: *const c_char,
) -> *mut swarm_call {
    call(|| {
        let member = swarm_member::open(member)?;
        // SAFETY: a non-NULL text is NUL-terminated.
        let (messages, name) = (member.messages()?, unsafe { text(name, "name") }?.to_owned());
        Ok(swarm_call::awaited(&member.context, "awaiting confirmations", async move {
            Json::of(&messages.confirmations(count, &name).await?)
        }))
    })
}

/// Submits the confirmation now, so that it keeps its place among the messages of this member.
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
