//! Supervisors: creating and stopping them, and their functions. Not available on Windows.

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

/// The limit of events taken from the core at once.
const BATCH: usize = 256;

/// Keeps processes running: restarts them when they fail, replaces them one after another, and leaves no orphan processes. It
/// needs no Redis; see docs/guides/processes.md. All functions except swarm_supervisor_free may be called from many threads at
/// once.
pub struct swarm_supervisor {
    member: Arc<SupervisorMember>,
    /// Dropped after the member, which needs it until its end.
    _runtime: Runtime,
}

struct SupervisorMember {
    core: Supervisor,
    context: Arc<Context>,
    listener: Mutex<Option<Arc<Listener>>>,
    /// Whether the last event was delivered.
    delivered_all: watch::Sender<bool>,
}

/// Creates a supervisor without processes. The caller keeps the options; NULL selects the defaults. SWARM_ERR_INTERNAL if the
/// system has no thread or descriptor left.
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

/// Sets the callback for events; it replaces an earlier one, NULL removes it. Set it first: events before the first
/// swarm_supervisor_on_event, swarm_supervisor_stop or swarm_call_on_done are still reported, later events without a callback are
/// not.
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
        // The callback needs its thread; a failure to start it cannot be reported here, but the next call reports it.
        let _ = member.context.serve();
    });
}

/// Makes the supervisor's callbacks run on a thread of the program, in swarm_supervisor_dispatch, and writes a descriptor that is
/// readable while callbacks wait. Call it before the first swarm_supervisor_on_event, swarm_supervisor_stop or
/// swarm_call_on_done. The supervisor owns the descriptor: poll it, but neither read nor close it.
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

/// Runs waiting callbacks on the calling thread; returns at once if there are none. It runs at most a few hundred at a time: the
/// descriptor stays readable while more wait.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_supervisor_dispatch(
    supervisor: Option<&swarm_supervisor>,
    error: *mut *mut swarm_error,
) -> swarm_status {
    guard(error, || swarm_supervisor::member(supervisor)?.context.run_callbacks())
}

/// Starts the processes of a program, and writes their ids, as many as its `count` but at most `max`, to the array `ids`, which
/// may be NULL if `max` is 0. The caller keeps the program. The function does not wait until the processes are started: a command
/// that cannot be started is reported as SWARM_EVENT_EXITED, and retried like any other failure.
///
/// SWARM_ERR_INVALID_ARGUMENT for options out of their bounds, SWARM_ERR_TOO_LARGE for a name over 256 bytes, SWARM_ERR_CLOSED
/// after a stop.
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
            return Err(invalid("the output `ids` is NULL, but `max` is not 0"));
        }
        // Returns at once: only the supervisor's own task is involved.
        let core = member.core.clone();
        let spawned = member.answer(async move { core.spawn(program).await })?;
        for (index, id) in spawned.into_iter().take(max).enumerate() {
            // SAFETY: the caller's array has room for `max`.
            unsafe { ids.add(index).write(id) }
        }
        Ok(())
    })
}

/// Starts to stop the process of an id permanently: TERM to its group, KILL after the option `grace`. The call ends when all
/// processes of the group are gone; with SWARM_ERR_NOT_FOUND if there is no process with this id, such as after it exited with
/// code 0, SWARM_ERR_CLOSED after a stop.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_supervisor_kill(supervisor: Option<&swarm_supervisor>, id: u64) -> *mut swarm_call {
    call(|| {
        let member = swarm_supervisor::member(supervisor)?;
        let core = member.core.clone();
        Ok(swarm_call::spawned(&member.context, "stopping a process", async move { core.kill(id).await }))
    })
}

/// Starts to replace all processes, one after another in the order of their ids: starts a new process, waits until it is ready,
/// and stops the old one. A process that failed too often or waits for its respawn is started, too; one that was stopped
/// permanently is not. The call ends at the first failure: with SWARM_ERR_UNAVAILABLE if the new process cannot be started or
/// exits before it is ready, with SWARM_ERR_TIMEOUT if it is not ready within its `ready_timeout`. The new process is then
/// stopped, and the old one and all that follow stay. SWARM_ERR_CLOSED if the supervisor is stopped before the reload is
/// complete. A reload continues when the time of a wait for it is over.
///
/// A call during a reload starts another reload after the current one; several such calls share it.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_supervisor_reload(supervisor: Option<&swarm_supervisor>) -> *mut swarm_call {
    call(|| {
        let member = swarm_supervisor::member(supervisor)?;
        let core = member.core.clone();
        Ok(swarm_call::spawned(&member.context, "reloading", async move { core.reload().await }))
    })
}

/// Starts to stop all processes at the same time: TERM to their groups, KILL after the option `grace`. The call ends when all
/// processes are gone and all events were reported, the last being SWARM_EVENT_STOPPED; so does a further call. Callbacks
/// continue meanwhile: on the library's thread, or, after swarm_supervisor_fd, inside a wait for this call.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_supervisor_stop(supervisor: Option<&swarm_supervisor>) -> *mut swarm_call {
    call(|| swarm_supervisor::member(supervisor)?.stop())
}

/// Makes SIGHUP reload, and SIGTERM and SIGINT stop all processes, even during a reload. Each signal is reported by
/// SWARM_EVENT_SIGNAL. These signals do not end this process any more, not even after the stop: exit at SWARM_EVENT_STOPPED. At
/// least one thread of the program must not block them. SWARM_ERR_INTERNAL if the system refuses, SWARM_ERR_CLOSED after a stop.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_supervisor_handle_signals(
    supervisor: Option<&swarm_supervisor>,
    error: *mut *mut swarm_error,
) -> swarm_status {
    guard(error, || swarm_supervisor::member(supervisor)?.core.handle_signals())
}

/// Writes a list of all processes, and of the ids that have none at the moment, in the order of their ids. Never blocks.
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

/// Stops the supervisor as swarm_supervisor_stop does, which takes at most the option `grace` and about a second, and frees it.
/// No callback runs after it. Inside a callback of this supervisor it changes nothing and returns SWARM_ERR_IN_CALLBACK. In a
/// forked child it leaks what the parent's threads used and returns SWARM_OK. Accepts NULL.
///
/// A program that exits without it leaves no orphan processes: they are killed.
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
        // The supervisor ends with its last handle at any rate.
        let _ = member.stop().and_then(|stopped| stopped.wait(SWARM_NO_TIMEOUT));
        // Operations that ended by this may still have to run their callbacks.
        member.context.dispatch.wait_settled(&**member, Instant::now() + FAREWELL);
        member.context.dispatch.stop();
        drop(member.set_listener(None));
        // SAFETY: no callback runs any more, and the caller passed the handle's ownership.
        drop(unsafe { Box::from_raw(supervisor) });
        Ok(())
    })
}

impl swarm_supervisor {
    /// The member of a handle, if it may be used in this process.
    fn member(supervisor: Option<&swarm_supervisor>) -> Result<&Arc<SupervisorMember>> {
        let member = &given(supervisor, "supervisor")?.member;
        member.context.owner.check()?;
        Ok(member)
    }
}

impl SupervisorMember {
    /// Returns the previous listener, whose data must be destroyed without the lock.
    fn set_listener(&self, listener: Option<Arc<Listener>>) -> Option<Arc<Listener>> {
        std::mem::replace(&mut *self.listener.lock(), listener)
    }

    /// Waits for an answer of the supervisor's own task, which is immediate.
    fn answer<T: Send + 'static>(&self, future: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
        let (send, receive) = std::sync::mpsc::sync_channel(1);
        self.context.handle.spawn(async move { drop(send.send(future.await)) });
        receive.recv().unwrap_or_else(|_| Err(closed()))
    }

    /// Stops the supervisor, and waits until the last event was reported.
    fn stop(&self) -> Result<Arc<swarm_call>> {
        self.context.serve()?;
        let (core, mut delivered_all) = (self.core.clone(), self.delivered_all.subscribe());
        Ok(swarm_call::joined(&self.context, "stopping", async move {
            core.stop().await?;
            // If no event can be delivered any more, there is nothing to wait for.
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
