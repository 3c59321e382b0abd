//! Exits the program on request.

use std::sync::Arc;
use std::time::Duration;

use libswarm_host::lock::Mutex;
use tokio::sync::oneshot;

use crate::error::swarm_error;
use crate::guard::guard;
use crate::member::swarm_member;
use crate::messages::subscriptions::{self, Topic};
use crate::status::swarm_status;

/// Exits this program when another member requests it with swarm_member_kill, and subscribes the member to such requests. The
/// callback of swarm_member_on_kill, if there is one, may delay the exit: once it has returned, the member is closed (a worker
/// without grace for its jobs), and the process exits with the requested code, by exit() on a thread of the library. `grace_ms`
/// (at most an hour) after the request it exits at any rate, by _exit(). Only the first request counts; a later call of this
/// function changes the grace. A worker must be started.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_member_exit_on_kill(
    member: Option<&swarm_member>,
    grace_ms: u64,
    error: *mut *mut swarm_error,
) -> swarm_status {
    guard(error, || {
        let member = swarm_member::open(member)?;
        let (sender, ready) = oneshot::channel();
        member.core()?.exit_on_kill(Duration::from_millis(grace_ms), ready)?;
        let sender = Mutex::new(Some(sender));
        let after = move || {
            // The receiver is gone if no one waits any more.
            let _ = sender.lock().take().map(|sender| sender.send(()));
        };
        member.listeners.change(|listeners| listeners.after_kill = Some(Arc::new(after)));
        // The callback needs its thread; a failure to start it cannot be reported here.
        let _ = member.context.serve();
        subscriptions::begin(member, Topic::Messages);
        Ok(())
    })
}
