//! Slots and pauses of running workers.

use std::ffi::c_char;

use libswarm::Result;

use crate::call::{call, swarm_call};
use crate::error::swarm_error;
use crate::flag::swarm_flag;
use crate::guard::{guard, guard_value, text};
use crate::json::Json;
use crate::master::swarm_master;
use crate::status::swarm_status;
use crate::worker::swarm_worker;

/// Sets the limit of active jobs of a worker that has started, at least 1, as the option `slots` does at its start. With fewer
/// slots than active jobs, these continue, and no more are assigned until fewer are active. Holds when the worker registers anew.
/// Fails with SWARM_ERR_INVALID_ARGUMENT if the option `priority_slots` guarantees more slots.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_worker_set_slots(
    worker: Option<&swarm_worker>,
    slots: u32,
    error: *mut *mut swarm_error,
) -> swarm_status {
    guard(error, || swarm_worker::open(worker)?.member.worker()?.set_slots(slots))
}

/// Pauses a worker that has started, or with `paused` false ends its pause, also one by a master. A paused worker is assigned no new
/// jobs, and those whose add callback has not been called are requeued. Active jobs continue. Holds when the worker registers anew.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_worker_pause(
    worker: Option<&swarm_worker>,
    paused: swarm_flag,
    error: *mut *mut swarm_error,
) -> swarm_status {
    guard(error, || {
        let core = swarm_worker::open(worker)?.member.worker()?;
        if paused.is_set() { core.pause() } else { core.resume() }
    })
}

/// Whether a worker is paused, by its program or by a master; false before its start.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_worker_paused(worker: Option<&swarm_worker>) -> bool {
    guard_value(false, || {
        swarm_worker::open(worker).and_then(|worker| worker.member.worker().map(|core| core.is_paused())).unwrap_or(false)
    })
}

/// Starts to set the slots of a worker, at least 1, by its incarnation: that of swarm_master_members. swarm_call_json answers `true`
/// or, if there is no such worker, `false`. The order is stored in Redis; the worker follows it when it reads its inbox, and keeps
/// it when it registers anew. Fails with SWARM_ERR_INVALID_ARGUMENT if the worker guarantees more slots.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_set_worker_slots(
    master: Option<&swarm_master>,
    incarnation: *const c_char,
    slots: u32,
) -> *mut swarm_call {
    order(master, incarnation, "setting slots", move |core, incarnation| async move {
        core.set_worker_slots(&incarnation, slots).await
    })
}

/// Starts to pause a worker, by its incarnation, or with `paused` false to end its pause, also one of its own. A paused worker is
/// assigned no new jobs, and its active jobs continue. swarm_call_json answers `true` or, if there is no such worker, `false`.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_pause_worker(
    master: Option<&swarm_master>,
    incarnation: *const c_char,
    paused: swarm_flag,
) -> *mut swarm_call {
    order(master, incarnation, "pausing a worker", move |core, incarnation| async move {
        if paused.is_set() { core.pause_worker(&incarnation).await } else { core.resume_worker(&incarnation).await }
    })
}

fn order<F>(
    master: Option<&swarm_master>,
    incarnation: *const c_char,
    doing: &'static str,
    order: impl FnOnce(libswarm::Master, String) -> F,
) -> *mut swarm_call
where
    F: Future<Output = Result<bool>> + Send + 'static,
{
    call(|| {
        let master = swarm_master::open(master)?;
        // SAFETY: a non-NULL text is NUL-terminated.
        let incarnation = unsafe { text(incarnation, "incarnation") }?.to_owned();
        let ordered = order(master.core.clone(), incarnation);
        Ok(swarm_call::spawned(&master.context, doing, async move { Json::of(&ordered.await?) }))
    })
}
