//! Masters: their life, and what they tell their program.

use std::ffi::{c_int, c_void};
use std::sync::Arc;
use std::time::Duration;

use libswarm::{Event, Master, Messages, Result};
use tokio::runtime::Handle;

use crate::asking::Asking;
use crate::callback::{UserData, swarm_close_fn, swarm_destroy_fn, swarm_done_fn, swarm_error_fn, swarm_ready_fn};
use crate::choice::Choosers;
use crate::dispatch::{Dispatch, Source};
use crate::error::swarm_error;
use crate::guard::{given, guard, guard_value, place};
use crate::member::{Listener, Listeners, Member, Registry};
use crate::messages::hearing::Hearing;
use crate::options::swarm_options;
use crate::process::Owner;
use crate::runtime::Runtime;
use crate::status::swarm_status;

/// How long freeing an open member waits for Redis to hear of it; without an answer its lease says it.
pub(crate) const FAREWELL: Duration = Duration::from_secs(1);
/// Events taken from the core at once.
const BATCH: usize = 64;

/// Adds and deletes jobs, awaits results. All calls but swarm_master_free may be made from many threads at once.
pub struct swarm_master {
    member: Arc<MasterMember>,
    /// Dropped after the member, whose end still needs it.
    _runtime: Arc<Runtime>,
}

pub(crate) struct MasterMember {
    pub(crate) core: Master,
    pub(crate) handle: Handle,
    owner: Owner,
    dispatch: Arc<Dispatch>,
    pub(crate) listeners: Registry,
    pub(crate) choosers: Choosers,
    hearing: Hearing,
}

/// Makes a master and starts to connect in the background. Only bad options fail here; see swarm_master_ready.
/// The options stay the caller's.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_new(
    options: Option<&swarm_options>,
    master: *mut *mut swarm_master,
    error: *mut *mut swarm_error,
) -> swarm_status {
    guard(error, || {
        let options = given(options, "options")?.checked()?;
        let place = place(master, "master")?;
        let owner = Owner::current();
        let runtime = Runtime::shared()?;
        let core = Master::start(options, runtime.handle())?;
        let dispatch = Arc::new(Dispatch::default());
        let wake = dispatch.clone();
        core.set_wake(move || wake.signal());
        let handle = runtime.handle().clone();
        let (listeners, choosers, hearing) = (Registry::default(), Choosers::default(), Hearing::default());
        let member = Arc::new(MasterMember { core, handle, owner, dispatch, listeners, choosers, hearing });
        place.give(swarm_master { member, _runtime: runtime });
        Ok(())
    })
}

/// Waits until the master is registered, and hears what it had callbacks for when this was called. Fails at once with an error
/// that needs the user (wrong password, ...), and after the option `timeout` with the last connection error; the master goes on
/// trying.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_master_ready(
    master: Option<&swarm_master>,
    timeout_ms: u64,
    error: *mut *mut swarm_error,
) -> swarm_status {
    guard(error, || {
        swarm_master::member(master)?.await_ready(timeout_ms, "registering the master", |core| async move { core.ready().await })
    })
}

/// Sets the callback for registrations; NULL removes it. To be set before the other callbacks: a registration before the
/// first on_* or _async call is still told.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_master_on_ready(
    master: Option<&swarm_master>,
    callback: swarm_ready_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
) {
    let listener = Listener::new(callback, user_data, destroy);
    listen(master, |listeners| listeners.ready = Some(listener));
}

/// Sets the callback for the end of the master; NULL removes it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_master_on_close(
    master: Option<&swarm_master>,
    callback: swarm_close_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
) {
    let listener = Listener::new(callback, user_data, destroy);
    listen(master, |listeners| listeners.close = Some(listener));
}

/// Sets the callback for trouble in the background; NULL removes it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_master_on_error(
    master: Option<&swarm_master>,
    callback: swarm_error_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
) {
    let listener = Listener::new(callback, user_data, destroy);
    listen(master, |listeners| listeners.error = Some(listener));
}

/// Makes the master's callbacks run on the caller's own thread, in swarm_master_dispatch, and writes a descriptor that is
/// readable while some wait. To be called before the first on_* or _async call. The descriptor stays the master's: poll
/// it, but neither read nor close it. Not on Windows.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_fd(
    master: Option<&swarm_master>,
    fd: *mut c_int,
    error: *mut *mut swarm_error,
) -> swarm_status {
    guard(error, || {
        let member = swarm_master::member(master)?;
        let place = place(fd, "fd")?;
        place.set(member.dispatch.fd()?);
        Ok(())
    })
}

/// Runs callbacks that wait, on the calling thread; never blocks for want of them. At most a few hundred at a time: the
/// descriptor stays readable while more wait.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_master_dispatch(master: Option<&swarm_master>, error: *mut *mut swarm_error) -> swarm_status {
    guard(error, || {
        let member = swarm_master::member(master)?;
        member.dispatch.check_outside("dispatching")?;
        member.dispatch.dispatch(&**member);
        Ok(())
    })
}

/// Waits for adds on their way, leaves the cluster and closes the connections. Later calls answer SWARM_ERR_CLOSED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_master_close(
    master: Option<&swarm_master>,
    timeout_ms: u64,
    error: *mut *mut swarm_error,
) -> swarm_status {
    guard(error, || {
        let member = swarm_master::member(master)?;
        member.dispatch.check_outside("closing")?;
        let closed = member.ask(timeout_ms, "closing the master", |core| async move { core.close().await });
        member.choosers.end();
        closed
    })
}

/// Closes without waiting; `done` is called once and may be NULL. Allowed inside callbacks.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_close_async(
    master: Option<&swarm_master>,
    done: swarm_done_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
    error: *mut *mut swarm_error,
) -> swarm_status {
    let user_data = UserData::new(user_data, destroy);
    guard(error, || {
        let member = swarm_master::member(master)?;
        let closing = member.clone();
        member.ask_async(done, user_data, |core| async move {
            let closed = core.close().await;
            closing.choosers.end();
            closed
        })
    })
}

/// Removes every key of the cluster, whoever uses it. For tests, and for the end of a cluster's life.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_master_obliterate(
    master: Option<&swarm_master>,
    timeout_ms: u64,
    error: *mut *mut swarm_error,
) -> swarm_status {
    guard(error, || {
        swarm_master::member(master)?.ask(timeout_ms, "removing the cluster", |core| async move { core.obliterate().await })
    })
}

/// Closes the master if it is open, waiting at most a second for Redis, and frees it. Callbacks of operations still open
/// are called with SWARM_ERR_CLOSED on the calling thread before this returns; none come after it. Inside a callback of
/// this master it changes nothing and answers SWARM_ERR_IN_CALLBACK. In a forked child it leaks what the parent's threads
/// used and answers SWARM_OK. NULL is allowed.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_master_free(master: Option<Box<swarm_master>>) -> swarm_status {
    let Some(master) = master.map(Box::into_raw) else { return swarm_status::SWARM_OK };
    guard(std::ptr::null_mut(), || {
        // SAFETY: the pointer is the box's from above.
        let member = unsafe { &(*master).member };
        if !member.owner.is_here() {
            return Ok(());
        }
        member.dispatch.check_outside("freeing")?;
        // Closed before, or out of reach: there is nothing more to be done about either.
        let _ = member.ask(FAREWELL.as_millis() as u64, "closing", |core| async move { core.close().await });
        member.choosers.end();
        member.dispatch.stop();
        member.choosers.clear();
        member.listeners.clear();
        // SAFETY: no callback runs any more, and the caller gave the handle up.
        drop(unsafe { Box::from_raw(master) });
        Ok(())
    })
}

impl swarm_master {
    /// The member behind a handle, if it may be used in this process.
    pub(crate) fn member(master: Option<&swarm_master>) -> Result<&Arc<MasterMember>> {
        let member = &given(master, "master")?.member;
        member.owner.check()?;
        Ok(member)
    }
}

impl Asking for MasterMember {
    type Core = Master;

    fn core(&self) -> Result<&Master> {
        Ok(&self.core)
    }

    fn handle(&self) -> &Handle {
        &self.handle
    }

    fn dispatching(self: &Arc<Self>) -> Result<&Arc<Dispatch>> {
        self.dispatch.start("swarm-master", self)?;
        Ok(&self.dispatch)
    }
}

impl Member for MasterMember {
    fn dispatch(&self) -> &Arc<Dispatch> {
        &self.dispatch
    }

    fn listeners(&self) -> &Registry {
        &self.listeners
    }

    fn messages(&self) -> Result<Messages> {
        Ok(self.core.messages())
    }

    fn hearing(&self) -> &Hearing {
        &self.hearing
    }

    fn is_registered(&self) -> bool {
        self.core.incarnation().is_some()
    }
}

impl Source for MasterMember {
    fn run_batch(&self) -> bool {
        let events = self.core.take_events(BATCH);
        let more = events.len() == BATCH;
        if !events.is_empty() {
            let listeners = self.listeners.now();
            events.into_iter().for_each(|event: Event| listeners.tell(event));
        }
        more
    }
}

fn listen(master: Option<&swarm_master>, change: impl FnOnce(&mut Listeners)) {
    guard_value((), || {
        let Some(handle) = master.filter(|master| master.member.owner.is_here()) else { return };
        let member = &handle.member;
        member.listeners.change(change);
        // Without its thread the callback would never come; `on_error` has nobody to tell, the next call says it.
        let _ = member.dispatch.start("swarm-master", member);
    });
}
