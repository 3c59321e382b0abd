//! Supervisors: their life, and what is asked of them. Not on Windows.

use std::ffi::{c_int, c_void};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use libswarm::Result;
use libswarm_supervisor::{Supervisor, SupervisorEvent};
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::asking::Asking;
use crate::callback::{UserData, swarm_destroy_fn, swarm_done_fn};
use crate::dispatch::{Dispatch, Source};
use crate::error::swarm_error;
use crate::guard::{given, guard, guard_value, invalid, place};
use crate::master::FAREWELL;
use crate::member::Listener;
use crate::process::{Owner, with_blocked_signals};
use crate::runtime::{Runtime, SWARM_NO_TIMEOUT};
use crate::status::swarm_status;
use event::swarm_event_fn;
use list::swarm_processes;
use options::swarm_supervisor_options;
use program::swarm_program;

pub mod options;

pub mod program;

pub mod event;

pub mod list;

pub mod supervised;

/// Events taken from the core at once.
const BATCH: usize = 256;

/// Keeps processes running: starts them again when they fail, replaces them one after another, and leaves none behind. It needs
/// no Redis; docs/guides/processes.md says what it does. All calls but swarm_supervisor_free may be made from many threads at once.
pub struct swarm_supervisor {
    member: Arc<SupervisorMember>,
    /// Dropped after the member, whose end still needs it.
    _runtime: Arc<Runtime>,
}

struct SupervisorMember {
    core: Supervisor,
    handle: Handle,
    owner: Owner,
    dispatch: Arc<Dispatch>,
    listener: Mutex<Option<Arc<Listener<swarm_event_fn>>>>,
    /// The last event was told.
    told_all: watch::Sender<bool>,
}

/// Makes a supervisor without processes. The options stay the caller's; NULL is for the defaults. SWARM_ERR_INTERNAL if the system
/// has no thread or descriptor left.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_supervisor_new(
    options: Option<&swarm_supervisor_options>,
    supervisor: *mut *mut swarm_supervisor,
    error: *mut *mut swarm_error,
) -> swarm_status {
    guard(error, || {
        let options = swarm_supervisor_options::checked(options)?;
        let place = place(supervisor, "supervisor")?;
        let owner = Owner::current();
        let runtime = Runtime::shared()?;
        let core = with_blocked_signals(|| Supervisor::start(options, runtime.handle()))?;
        let dispatch = Arc::new(Dispatch::default());
        let wake = dispatch.clone();
        core.set_wake(move || wake.signal());
        let handle = runtime.handle().clone();
        let told_all = watch::Sender::new(false);
        let member = Arc::new(SupervisorMember { core, handle, owner, dispatch, listener: Mutex::default(), told_all });
        place.give(swarm_supervisor { member, _runtime: runtime });
        Ok(())
    })
}

/// Sets the callback for events, in place of the one before; NULL removes it. To be set first: events before the first on_event,
/// _stop or _async call are still told, afterwards those without a callback are not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_supervisor_on_event(
    supervisor: Option<&swarm_supervisor>,
    callback: swarm_event_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
) {
    let listener = Listener::new(callback, user_data, destroy);
    guard_value((), || {
        let Some(handle) = supervisor.filter(|supervisor| supervisor.member.owner.is_here()) else { return };
        drop(handle.member.set_listener(Some(listener)));
        // Without its thread the callback would never come; there is nobody to tell here, the next call says it.
        let _ = handle.member.dispatching();
    });
}

/// Makes the supervisor's callbacks run on the caller's own thread, in swarm_supervisor_dispatch, and writes a descriptor that is
/// readable while some wait. To be called before the first on_event, _stop or _async call. The descriptor stays the supervisor's:
/// poll it, but neither read nor close it.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_supervisor_fd(
    supervisor: Option<&swarm_supervisor>,
    fd: *mut c_int,
    error: *mut *mut swarm_error,
) -> swarm_status {
    guard(error, || {
        let member = swarm_supervisor::member(supervisor)?;
        let place = place(fd, "fd")?;
        place.set(member.dispatch.fd()?);
        Ok(())
    })
}

/// Runs callbacks that wait, on the calling thread; never blocks for want of them. At most a few hundred at a time: the
/// descriptor stays readable while more wait.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_supervisor_dispatch(
    supervisor: Option<&swarm_supervisor>,
    error: *mut *mut swarm_error,
) -> swarm_status {
    guard(error, || {
        let member = swarm_supervisor::member(supervisor)?;
        member.dispatch.check_outside("dispatching")?;
        member.dispatch.dispatch(&**member);
        Ok(())
    })
}

/// Runs a program, whose object stays the caller's, and writes the ids of its processes, as many as its `count` but at most
/// `max`, to the array `ids`, which may be NULL if `max` is 0. Does not wait for them to be started: a command that cannot be is told
/// as SWARM_EVENT_EXITED, and tried again like any other that failed.
///
/// Options out of their bounds are SWARM_ERR_INVALID_ARGUMENT, a name over 256 bytes SWARM_ERR_TOO_LARGE; after a stop it is
/// SWARM_ERR_CLOSED.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_supervisor_spawn(
    supervisor: Option<&swarm_supervisor>,
    program: Option<&swarm_program>,
    ids: *mut u64,
    max: usize,
    error: *mut *mut swarm_error,
) -> swarm_status {
    guard(error, || {
        let member = swarm_supervisor::member(supervisor)?;
        let program = given(program, "program")?.known()?;
        if ids.is_null() && max > 0 {
            return Err(invalid("the output `ids` is NULL, with room for some"));
        }
        // Answered at once: nothing but the supervisor's own task is asked.
        let spawned = member.ask(SWARM_NO_TIMEOUT, "spawning", |core| async move { core.spawn(program).await })?;
        for (index, id) in spawned.into_iter().take(max).enumerate() {
            // SAFETY: the caller's array has room for `max`.
            unsafe { ids.add(index).write(id) }
        }
        Ok(())
    })
}

/// Stops the process of an id for good: TERM to its group, after the option `grace` KILL. Returns when nothing of it is left.
/// SWARM_ERR_NOT_FOUND if there is none, as after it ended with code 0; SWARM_ERR_CLOSED after a stop.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_supervisor_kill(
    supervisor: Option<&swarm_supervisor>,
    id: u64,
    timeout_ms: u64,
    error: *mut *mut swarm_error,
) -> swarm_status {
    guard(error, || {
        swarm_supervisor::member(supervisor)?.ask(timeout_ms, "stopping a process", |core| async move { core.kill(id).await })
    })
}

/// As swarm_supervisor_kill, without waiting; `done` is called once and may be NULL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_supervisor_kill_async(
    supervisor: Option<&swarm_supervisor>,
    id: u64,
    done: swarm_done_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
    error: *mut *mut swarm_error,
) -> swarm_status {
    let user_data = UserData::new(user_data, destroy);
    guard(error, || swarm_supervisor::member(supervisor)?.ask_async(done, user_data, |core| async move { core.kill(id).await }))
}

/// Replaces all processes, one after another in the order of their ids: starts another, waits until it is ready, and stops the old
/// one. One that was given up or waits for its respawn is started, too; one that ended for good is not. Ends at the first that
/// fails, with SWARM_ERR_UNAVAILABLE if the new process cannot be started or exits before it is ready, with SWARM_ERR_TIMEOUT if it
/// is not ready within its `ready_timeout`; that one is stopped, and the old one and all behind it stay. SWARM_ERR_CLOSED if the
/// supervisor is stopped before it is complete. SWARM_ERR_TIMEOUT after `timeout_ms`, too; then the reload goes on.
///
/// A call during a reload waits for another, which begins when this one has ended; several calls share it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_supervisor_reload(
    supervisor: Option<&swarm_supervisor>,
    timeout_ms: u64,
    error: *mut *mut swarm_error,
) -> swarm_status {
    guard(error, || swarm_supervisor::member(supervisor)?.ask(timeout_ms, "reloading", |core| async move { core.reload().await }))
}

/// As swarm_supervisor_reload, without waiting; `done` is called once and may be NULL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_supervisor_reload_async(
    supervisor: Option<&swarm_supervisor>,
    done: swarm_done_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
    error: *mut *mut swarm_error,
) -> swarm_status {
    let user_data = UserData::new(user_data, destroy);
    guard(error, || swarm_supervisor::member(supervisor)?.ask_async(done, user_data, |core| async move { core.reload().await }))
}

/// Stops all processes at the same time: TERM to their groups, after the option `grace` KILL. Returns when nothing of them is left
/// and all events were told, the last being SWARM_EVENT_STOPPED; so does a further call. Callbacks go on meanwhile: on the
/// library's thread, or, after swarm_supervisor_fd, inside this call. After SWARM_ERR_TIMEOUT it is still being stopped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_supervisor_stop(
    supervisor: Option<&swarm_supervisor>,
    timeout_ms: u64,
    error: *mut *mut swarm_error,
) -> swarm_status {
    guard(error, || swarm_supervisor::member(supervisor)?.stop(timeout_ms))
}

/// Stops without waiting; `done` is called once, after the last event, and may be NULL. Allowed inside callbacks.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_supervisor_stop_async(
    supervisor: Option<&swarm_supervisor>,
    done: swarm_done_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
    error: *mut *mut swarm_error,
) -> swarm_status {
    let user_data = UserData::new(user_data, destroy);
    guard(error, || {
        let member = swarm_supervisor::member(supervisor)?;
        let stopped = member.stopped();
        member.ask_async(done, user_data, |_| stopped)
    })
}

/// From now on SIGHUP reloads, and SIGTERM and SIGINT stop all processes, also during a reload; each is told by SWARM_EVENT_SIGNAL,
/// and this process is not ended by them any more, not even after the stop: end it at SWARM_EVENT_STOPPED. Some thread of the
/// program must not block them. SWARM_ERR_INTERNAL if the system refuses, SWARM_ERR_CLOSED after a stop.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_supervisor_handle_signals(
    supervisor: Option<&swarm_supervisor>,
    error: *mut *mut swarm_error,
) -> swarm_status {
    guard(error, || swarm_supervisor::member(supervisor)?.core.handle_signals())
}

/// Writes all processes, and the ids that have none at the moment, in the order of their ids. Never blocks.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_supervisor_list(
    supervisor: Option<&swarm_supervisor>,
    processes: *mut *mut swarm_processes,
    error: *mut *mut swarm_error,
) -> swarm_status {
    guard(error, || {
        let member = swarm_supervisor::member(supervisor)?;
        place(processes, "processes")?.give(member.core.list().into());
        Ok(())
    })
}

/// Stops the supervisor as swarm_supervisor_stop does, which takes the option `grace` and about a second at most, and frees it.
/// No callback comes after it. Inside a callback of this supervisor it changes nothing and answers SWARM_ERR_IN_CALLBACK. In a
/// forked child it leaks what the parent's threads used and answers SWARM_OK. NULL is allowed.
///
/// A program that ends without it leaves no process behind either: they are killed.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_supervisor_free(supervisor: Option<Box<swarm_supervisor>>) -> swarm_status {
    let Some(supervisor) = supervisor.map(Box::into_raw) else { return swarm_status::SWARM_OK };
    guard(std::ptr::null_mut(), || {
        // SAFETY: the pointer is the box's from above.
        let member = unsafe { &(*supervisor).member };
        if !member.owner.is_here() {
            return Ok(());
        }
        member.dispatch.check_outside("freeing")?;
        // It ends with its last handle in any case.
        let _ = member.stop(SWARM_NO_TIMEOUT);
        // Operations that it ended may still be on their way.
        member.dispatch.wait_settled(&**member, Instant::now() + FAREWELL);
        member.dispatch.stop();
        drop(member.set_listener(None));
        // SAFETY: no callback runs any more, and the caller gave the handle up.
        drop(unsafe { Box::from_raw(supervisor) });
        Ok(())
    })
}

impl swarm_supervisor {
    /// The member behind a handle, if it may be used in this process.
    fn member(supervisor: Option<&swarm_supervisor>) -> Result<&Arc<SupervisorMember>> {
        let member = &given(supervisor, "supervisor")?.member;
        member.owner.check()?;
        Ok(member)
    }
}

impl SupervisorMember {
    /// Answers the one before, whose data is to be destroyed without the lock.
    fn set_listener(&self, listener: Option<Arc<Listener<swarm_event_fn>>>) -> Option<Arc<Listener<swarm_event_fn>>> {
        std::mem::replace(&mut *self.listener.lock().unwrap_or_else(PoisonError::into_inner), listener)
    }

    /// Stops it, and waits until the last event was told.
    fn stopped(&self) -> impl Future<Output = Result<()>> + Send + 'static {
        let (core, mut told_all) = (self.core.clone(), self.told_all.subscribe());
        async move {
            core.stop().await?;
            // If there is nobody to tell any more, there is nobody to wait either.
            let _ = told_all.wait_for(|told| *told).await;
            Ok(())
        }
    }

    fn stop(self: &Arc<Self>, timeout_ms: u64) -> Result<()> {
        self.dispatching()?.wait_for(&**self, &self.handle, timeout_ms, "stopping", self.stopped())
    }
}

impl Asking for SupervisorMember {
    type Core = Supervisor;

    fn core(&self) -> Result<&Supervisor> {
        Ok(&self.core)
    }

    fn handle(&self) -> &Handle {
        &self.handle
    }

    fn dispatching(self: &Arc<Self>) -> Result<&Arc<Dispatch>> {
        self.dispatch.start("swarm-superv", self)?;
        Ok(&self.dispatch)
    }
}

impl Source for SupervisorMember {
    fn run_batch(&self) -> bool {
        let events = self.core.take_events(BATCH);
        let more = events.len() == BATCH;
        let listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for event in events {
            let last = matches!(event, SupervisorEvent::Stopped);
            if let Some(listener) = &listener {
                event::tell(listener, event);
            }
            if last {
                self.told_all.send_replace(true);
            }
        }
        more
    }
}
