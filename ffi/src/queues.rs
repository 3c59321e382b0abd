//! Pauses, and what is done with jobs that failed.

use std::ffi::c_char;

use libswarm::Result;

use crate::call::{Changed, call, swarm_call};
use crate::guard::{optional_text, texts};
use crate::master::swarm_master;

/// All of them, whatever the ids. Declared in cbindgen.toml, which cannot say SIZE_MAX of this.
const SWARM_ALL: usize = usize::MAX;

/// Stops the assignment of jobs to workers until swarm_master_resume: those of a task ("" for jobs without one), or all for NULL.
/// Active jobs go on. Each pause has its own end: that of all does not end that of a task.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_pause(master: Option<&swarm_master>, task: *const c_char) -> *mut swarm_call {
    call(|| {
        let master = swarm_master::open(master)?;
        // SAFETY: a non-NULL text is NUL-terminated.
        let (core, task) = (master.core.clone(), unsafe { optional_text(task, "task") }?.map(str::to_owned));
        Ok(swarm_call::spawned(&master.context, "pausing", async move { core.pause(task.as_deref()).await }))
    })
}

/// Ends a pause.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_resume(master: Option<&swarm_master>, task: *const c_char) -> *mut swarm_call {
    call(|| {
        let master = swarm_master::open(master)?;
        // SAFETY: a non-NULL text is NUL-terminated.
        let (core, task) = (master.core.clone(), unsafe { optional_text(task, "task") }?.map(str::to_owned));
        Ok(swarm_call::spawned(&master.context, "resuming", async move { core.resume(task.as_deref()).await }))
    })
}

/// Runs failed jobs again, with all their retries: those with the ids, or all if `count` is SWARM_ALL. Ids of no failed job are
/// passed over. swarm_call_count says how many there were.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_retry_failed(
    master: Option<&swarm_master>,
    ids: *const *const c_char,
    count: usize,
) -> *mut swarm_call {
    call(|| {
        let master = swarm_master::open(master)?;
        // SAFETY: the caller's array is readable for its count, and its texts end with a NUL.
        let (core, ids) = (master.core.clone(), unsafe { read_ids(ids, count) }?);
        Ok(swarm_call::spawned(&master.context, "retrying failed jobs", async move {
            core.retry_failed(ids.as_deref()).await.map(Changed)
        }))
    })
}

/// Deletes failed jobs: those with the ids, or all if `count` is SWARM_ALL. Otherwise as swarm_master_retry_failed.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_delete_failed(
    master: Option<&swarm_master>,
    ids: *const *const c_char,
    count: usize,
) -> *mut swarm_call {
    call(|| {
        let master = swarm_master::open(master)?;
        // SAFETY: the caller's array is readable for its count, and its texts end with a NUL.
        let (core, ids) = (master.core.clone(), unsafe { read_ids(ids, count) }?);
        Ok(swarm_call::spawned(&master.context, "deleting failed jobs", async move {
            core.delete_failed(ids.as_deref()).await.map(Changed)
        }))
    })
}

/// # Safety
/// As for [`texts`], unless `count` is [`SWARM_ALL`].
unsafe fn read_ids(ids: *const *const c_char, count: usize) -> Result<Option<Vec<String>>> {
    if count == SWARM_ALL {
        return Ok(None);
    }
    // SAFETY: promised by the caller.
    unsafe { texts(ids, count, "ids") }.map(Some)
}
