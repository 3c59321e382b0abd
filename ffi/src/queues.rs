//! Pauses, requeueing or deleting failed jobs, and deleting completed ones that are kept.

use std::ffi::c_char;

use libswarm::{Master, Result};

use crate::call::{Changed, call, swarm_call};
use crate::flag::swarm_flag;
use crate::guard::{optional_text, texts};
use crate::master::swarm_master;

/// All jobs, whatever the ids. Declared in cbindgen.toml, which cannot express SIZE_MAX for this constant.
const SWARM_ALL: usize = usize::MAX;

/// Pauses the assignment of jobs to workers, or with `paused` false ends the pause: of the jobs of a task ("" for jobs without one),
/// or of all for NULL. Active jobs continue. Pauses are independent: the end of the pause of all does not end that of a task.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_pause(
    master: Option<&swarm_master>,
    task: *const c_char,
    paused: swarm_flag,
) -> *mut swarm_call {
    call(|| {
        let master = swarm_master::open(master)?;
        // SAFETY: a non-NULL text is NUL-terminated.
        let (core, task) = (master.core.clone(), unsafe { optional_text(task, "task") }?.map(str::to_owned));
        Ok(swarm_call::spawned(&master.context, "pausing", async move {
            if paused.is_set() { core.pause(task.as_deref()).await } else { core.resume(task.as_deref()).await }
        }))
    })
}

/// Requeues failed jobs with all their retries: those with the ids, or all if `count` is SWARM_ALL. Ids without a failed job are
/// ignored. swarm_call_count returns how many there were.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_retry_failed(
    master: Option<&swarm_master>,
    ids: *const *const c_char,
    count: usize,
) -> *mut swarm_call {
    // SAFETY: the caller's array is readable for its count, and its texts end with a NUL.
    unsafe {
        change(master, ids, count, "retrying failed jobs", |core, ids| async move { core.retry_failed(ids.as_deref()).await })
    }
}

/// Deletes the records of failed jobs: those with the ids, or all if `count` is SWARM_ALL. Otherwise as
/// swarm_master_retry_failed.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_delete_failed(
    master: Option<&swarm_master>,
    ids: *const *const c_char,
    count: usize,
) -> *mut swarm_call {
    // SAFETY: the caller's array is readable for its count, and its texts end with a NUL.
    unsafe {
        change(master, ids, count, "deleting failed jobs", |core, ids| async move { core.delete_failed(ids.as_deref()).await })
    }
}

/// Deletes the records of completed jobs that are kept: those with the ids, or all if `count` is SWARM_ALL. Otherwise as
/// swarm_master_retry_failed.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_delete_completed(
    master: Option<&swarm_master>,
    ids: *const *const c_char,
    count: usize,
) -> *mut swarm_call {
    // SAFETY: the caller's array is readable for its count, and its texts end with a NUL.
    unsafe {
        change(
            master,
            ids,
            count,
            "deleting completed jobs",
            |core, ids| async move { core.delete_completed(ids.as_deref()).await },
        )
    }
}

/// Changes ended jobs: those with the ids, or all if `count` is [`SWARM_ALL`].
///
/// # Safety
/// As for [`read_ids`].
unsafe fn change<F>(
    master: Option<&swarm_master>,
    ids: *const *const c_char,
    count: usize,
    what: &'static str,
    start: impl FnOnce(Master, Option<Vec<String>>) -> F,
) -> *mut swarm_call
where
    F: Future<Output = Result<u64>> + Send + 'static,
{
    call(|| {
        let master = swarm_master::open(master)?;
        // SAFETY: promised by the caller.
        let changed = start(master.core.clone(), unsafe { read_ids(ids, count) }?);
        Ok(swarm_call::spawned(&master.context, what, async move { changed.await.map(Changed) }))
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
