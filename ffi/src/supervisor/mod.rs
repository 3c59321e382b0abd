//! Supervisors: their life, and what is asked of them. Not on Windows.

use std::ffi::{c_int, c_void};
use std::sync::Arc;
use std::time::Instant;

use libswarm::Result;
use libswarm_host::lock::Mutex;
use libswarm_supervisor::{Supervisor, SupervisorEvent};
use tokio::sync::watch;

use crate::call::{call, swarm_call};
use crate::callback::{UserData, swarm_destroy_fn};
use crate::context::Context;
use crate::dispatch::{Source, closed};
use crate::error::swarm_error;
use crate::guard::{given, guard, guard_value, invalid, place};
use crate::runtime::{FAREWELL, Runtime, SWARM_NO_TIMEOUT, share};
use crate::status::swarm_status;
use event::{Listener, swarm_event_fn};
use libswarm_host::fork::Origin;
use libswarm_host::signals::with_blocked_signals;
use list::{Listed, swarm_processes};
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
    _runtime: Runtime,
}

struct SupervisorMember {
    core: Supervisor,
    context: Arc<Context>,
    listener: Mutex<Option<Arc<Listener>>>,
    /// The last event was delivered.
    delivered_all: watch::Sender<bool>,
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
        let owner = Origin::current();
        let runtime = share()?;
        let core = with_blocked_signals(|| Supervisor::start(options, runtime.handle()))?;
        let context = Context::new(owner, runtime.handle(), "swarm-superv");
        let wake = context.dispatch.clone();
        core.set_wake(move || wake.signal());
        let delivered_all = watch::Sender::new(false);
        let member = Arc::new(SupervisorMember { core, context, listener: Mutex::default(), delivered_all });
        member.context.set_source(&member);
        place.give(swarm_supervisor { member, _runtime: runtime });
        Ok(())
    })
}

/// Sets the callback for events, in place of the one before; NULL removes it. To be set first: events before the first
/// swarm_supervisor_on_event, swarm_supervisor_stop or swarm_call_on_done are still reported, afterwards those without a callback are not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_supervisor_on_event(
    supervisor: Option<&swarm_supervisor>,
    callback: swarm_event_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
) {
    let user_data = UserData::new(user_data, destroy);
    guard_value((), || {
        let Ok(member) = swarm_supervisor::member(supervisor) else { return };
        drop(member.set_listener(Listener::new(callback, user_data).map(Arc::new)));
        // Without its thread the callback would never come; there is nobody to report it to here, the next call does.
        let _ = member.context.serve();
    });
}

/// Makes the supervisor's callbacks run on the caller's own thread, in swarm_supervisor_dispatch, and writes a descriptor that is
/// readable while some wait. To be called before the first swarm_supervisor_on_event, swarm_supervisor_stop or
/// swarm_call_on_done. The descriptor stays the supervisor's:
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
        place.set(member.context.fd()?);
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
    guard(error, || swarm_supervisor::member(supervisor)?.context.run_callbacks())
}

/// Runs a program, whose object stays the caller's, and writes the ids of its processes, as many as its `count` but at most
/// `max`, to the array `ids`, which may be NULL if `max` is 0. Does not wait for them to be started: a command that cannot be is reported
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
        let core = member.core.clone();
        let spawned = member.answer(async move { core.spawn(program).await })?;
        for (index, id) in spawned.into_iter().take(max).enumerate() {
            // SAFETY: the caller's array has room for `max`.
            unsafe { ids.add(index).write(id) }
        }
        Ok(())
    })
}

/// Begins to stop the process of an id for good: TERM to its group, after the option `grace` KILL. Ends when nothing of it is left;
/// with SWARM_ERR_NOT_FOUND if there is none, as after it ended with code 0, SWARM_ERR_CLOSED after a stop.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_supervisor_kill(supervisor: Option<&swarm_supervisor>, id: u64) -> *mut swarm_call {
    call(|| {
        let member = swarm_supervisor::member(supervisor)?;
        let core = member.core.clone();
        Ok(swarm_call::spawned(&member.context, "stopping a process", async move { core.kill(id).await }))
    })
}

/// Begins to replace all processes, one after another in the order of their ids: starts another, waits until it is ready, and stops the
/// old one. One that was given up or waits for its respawn is started, too; one that ended for good is not. Ends at the first that
/// fails, with SWARM_ERR_UNAVAILABLE if the new process cannot be started or exits before it is ready, with SWARM_ERR_TIMEOUT if it
/// is not ready within its `ready_timeout`; that one is stopped, and the old one and all behind it stay. SWARM_ERR_CLOSED if the
/// supervisor is stopped before it is complete. A reload goes on when a wait for it ends with its time.
///
/// A call during a reload waits for another, which begins when this one has ended; several calls share it.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_supervisor_reload(supervisor: Option<&swarm_supervisor>) -> *mut swarm_call {
    call(|| {
        let member = swarm_supervisor::member(supervisor)?;
        let core = member.core.clone();
        Ok(swarm_call::spawned(&member.context, "reloading", async move { core.reload().await }))
    })
}

/// Begins to stop all processes at the same time: TERM to their groups, after the option `grace` KILL. Ends when nothing of them is left
/// and all events were reported, the last being SWARM_EVENT_STOPPED; so does a further call. Callbacks go on meanwhile: on the
/// library's thread, or, after swarm_supervisor_fd, inside a wait for this call.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_supervisor_stop(supervisor: Option<&swarm_supervisor>) -> *mut swarm_call {
    call(|| swarm_supervisor::member(supervisor)?.stop())
}

/// From now on SIGHUP reloads, and SIGTERM and SIGINT stop all processes, also during a reload; each is reported by SWARM_EVENT_SIGNAL,
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
        place(processes, "processes")?.set(Listed::from(member.core.list()).into_raw());
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
        if !member.context.owner.is_here() {
            return Ok(());
        }
        member.context.dispatch.check_outside("freeing")?;
        // It ends with its last handle in any case.
        let _ = member.stop().and_then(|stopped| stopped.wait(SWARM_NO_TIMEOUT));
        // Operations that it ended may still be on their way.
        member.context.dispatch.wait_settled(&**member, Instant::now() + FAREWELL);
        member.context.dispatch.stop();
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
        member.context.owner.check()?;
        Ok(member)
    }
}

impl SupervisorMember {
    /// Returns the one before, whose data is to be destroyed without the lock.
    fn set_listener(&self, listener: Option<Arc<Listener>>) -> Option<Arc<Listener>> {
        std::mem::replace(&mut *self.listener.lock(), listener)
    }

    /// Waits for an answer of the supervisor's own task, which comes at once.
    fn answer<T: Send + 'static>(&self, future: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
        let (send, receive) = std::sync::mpsc::sync_channel(1);
        self.context.handle.spawn(async move { drop(send.send(future.await)) });
        receive.recv().unwrap_or_else(|_| Err(closed()))
    }

    /// Stops it, and waits until the last event was reported.
    fn stop(&self) -> Result<Arc<swarm_call>> {
        self.context.serve()?;
        let (core, mut delivered_all) = (self.core.clone(), self.delivered_all.subscribe());
        Ok(swarm_call::joined(&self.context, "stopping", async move {
            core.stop().await?;
            // If there is nobody to report to any more, there is nobody to wait for either.
            let _ = delivered_all.wait_for(|delivered| *delivered).await;
            Ok(())
        }))
    }
}

impl Source for SupervisorMember {
    fn run_batch(&self) -> bool {
        let events = self.core.take_events(BATCH);
        let more = events.len() == BATCH;
        let listener = self.listener.lock().clone();
        for event in events {
            let last = matches!(event, SupervisorEvent::Stopped);
            if let Some(listener) = &listener {
                event::call(listener, event);
            }
            if last {
                self.delivered_all.send_replace(true);
            }
        }
        more
    }
}
