//! Ending the program when it is asked to.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use libswarm::Result;
use tokio::sync::oneshot;

use crate::asking::Asking;
use crate::error::swarm_error;
use crate::guard::guard;
use crate::master::swarm_master;
use crate::member::Member;
use crate::messages::hearing::{self, What};
use crate::status::swarm_status;
use crate::worker::swarm_worker;

/// Set once.
pub(crate) struct Told(Mutex<Option<oneshot::Sender<()>>>);

impl Told {
    pub(crate) fn set(&self) {
        // Nobody waits any more if the sending fails.
        let _ = self.0.lock().unwrap_or_else(PoisonError::into_inner).take().map(|sender| sender.send(()));
    }
}

/// From now on this program ends when a member asks it to, and the master hears that. The callback of swarm_master_on_kill, if there is one, may
/// delay it: once it has returned, the master is closed and the process exits with the code that was asked for, by exit() on a thread of the
/// library's. `grace_ms` (at most an hour) after the request it exits with it in any case, by _exit(). The first request counts; a later call
/// changes the grace.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_master_exit_on_kill(
    master: Option<&swarm_master>,
    grace_ms: u64,
    error: *mut *mut swarm_error,
) -> swarm_status {
    guard(error, || {
        let member = swarm_master::member(master)?;
        let core = member.core()?.clone();
        exit_on_kill(member, |told| core.exit_on_kill(Duration::from_millis(grace_ms), |_, _| async { drop(told.await) }))
    })
}

/// As swarm_master_exit_on_kill; the worker is terminated without grace. After swarm_worker_start.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_worker_exit_on_kill(
    worker: Option<&swarm_worker>,
    grace_ms: u64,
    error: *mut *mut swarm_error,
) -> swarm_status {
    guard(error, || {
        let member = swarm_worker::member(worker)?;
        let core = member.core()?.clone();
        exit_on_kill(member, |told| core.exit_on_kill(Duration::from_millis(grace_ms), |_, _| async { drop(told.await) }))
    })
}

/// `arm` is given what is ready when the callback has returned, or nobody is told any more.
fn exit_on_kill(member: &Arc<impl Member>, arm: impl FnOnce(oneshot::Receiver<()>) -> Result<()>) -> Result<()> {
    let (sender, told) = oneshot::channel();
    arm(told)?;
    let sender = Arc::new(Told(Mutex::new(Some(sender))));
    hearing::listen(Ok(member), Some(What::Messages), |listeners| listeners.told_to_end = Some(sender));
    Ok(())
}
