//! Pauses, and what is done with jobs that failed.

use std::ffi::{c_char, c_void};

use libswarm::Result;

use crate::asking::Asking;
use crate::callback::{UserData, swarm_count_fn, swarm_destroy_fn, swarm_done_fn};
use crate::error::swarm_error;
use crate::guard::{guard, optional, optional_text, texts};
use crate::master::swarm_master;
use crate::status::swarm_status;

/// All of them, whatever the ids. Declared in cbindgen.toml, which cannot say SIZE_MAX of this.
const SWARM_ALL: usize = usize::MAX;

/// No more jobs are given to workers until swarm_master_resume: those of a task ("" for jobs without one), or all for NULL.
/// Active jobs go on. Each pause has its own end: that of all does not end that of a task.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_master_pause(
    master: Option<&swarm_master>,
    task: *const c_char,
    timeout_ms: u64,
    error: *mut *mut swarm_error,
) -> swarm_status {
    guard(error, || {
        let member = swarm_master::member(master)?;
        // SAFETY: a non-NULL text is NUL-terminated.
        let task = unsafe { optional_text(task, "task") }?.map(str::to_owned);
        member.ask(timeout_ms, "pausing", |core| async move { core.pause(task.as_deref()).await })
    })
}

/// As swarm_master_pause, without waiting; `done` is called once and may be NULL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_pause_async(
    master: Option<&swarm_master>,
    task: *const c_char,
    done: swarm_done_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
    error: *mut *mut swarm_error,
) -> swarm_status {
    let user_data = UserData::new(user_data, destroy);
    guard(error, || {
        let member = swarm_master::member(master)?;
        // SAFETY: a non-NULL text is NUL-terminated.
        let task = unsafe { optional_text(task, "task") }?.map(str::to_owned);
        member.ask_async(done, user_data, |core| async move { core.pause(task.as_deref()).await })
    })
}

/// Ends a pause.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_master_resume(
    master: Option<&swarm_master>,
    task: *const c_char,
    timeout_ms: u64,
    error: *mut *mut swarm_error,
) -> swarm_status {
    guard(error, || {
        let member = swarm_master::member(master)?;
        // SAFETY: a non-NULL text is NUL-terminated.
        let task = unsafe { optional_text(task, "task") }?.map(str::to_owned);
        member.ask(timeout_ms, "resuming", |core| async move { core.resume(task.as_deref()).await })
    })
}

/// As swarm_master_resume, without waiting; `done` is called once and may be NULL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_resume_async(
    master: Option<&swarm_master>,
    task: *const c_char,
    done: swarm_done_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
    error: *mut *mut swarm_error,
) -> swarm_status {
    let user_data = UserData::new(user_data, destroy);
    guard(error, || {
        let member = swarm_master::member(master)?;
        // SAFETY: a non-NULL text is NUL-terminated.
        let task = unsafe { optional_text(task, "task") }?.map(str::to_owned);
        member.ask_async(done, user_data, |core| async move { core.resume(task.as_deref()).await })
    })
}

/// Runs failed jobs again, with all their retries: those with the ids, or all if `count` is SWARM_ALL. Ids of no failed job are
/// passed over. `changed` may be NULL; otherwise it is how many there were.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_master_retry_failed(
    master: Option<&swarm_master>,
    ids: *const *const c_char,
    count: usize,
    timeout_ms: u64,
    changed: *mut u64,
    error: *mut *mut swarm_error,
) -> swarm_status {
    guard(error, || {
        let member = swarm_master::member(master)?;
        // SAFETY: the caller's array is readable for its count, and its texts end with a NUL.
        let ids = unsafe { read_ids(ids, count) }?;
        let number =
            member.ask(timeout_ms, "retrying failed jobs", |core| async move { core.retry_failed(ids.as_deref()).await })?;
        optional(changed).set(number);
        Ok(())
    })
}

/// As swarm_master_retry_failed, without waiting; `done` is called once and may be NULL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_retry_failed_async(
    master: Option<&swarm_master>,
    ids: *const *const c_char,
    count: usize,
    done: swarm_count_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
    error: *mut *mut swarm_error,
) -> swarm_status {
    let user_data = UserData::new(user_data, destroy);
    guard(error, || {
        let member = swarm_master::member(master)?;
        // SAFETY: the caller's array is readable for its count, and its texts end with a NUL.
        let ids = unsafe { read_ids(ids, count) }?;
        member.ask_async(done, user_data, |core| async move { core.retry_failed(ids.as_deref()).await })
    })
}

/// Forgets failed jobs: those with the ids, or all if `count` is SWARM_ALL. Otherwise as swarm_master_retry_failed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_master_delete_failed(
    master: Option<&swarm_master>,
    ids: *const *const c_char,
    count: usize,
    timeout_ms: u64,
    changed: *mut u64,
    error: *mut *mut swarm_error,
) -> swarm_status {
    guard(error, || {
        let member = swarm_master::member(master)?;
        // SAFETY: the caller's array is readable for its count, and its texts end with a NUL.
        let ids = unsafe { read_ids(ids, count) }?;
        let number =
            member.ask(timeout_ms, "deleting failed jobs", |core| async move { core.delete_failed(ids.as_deref()).await })?;
        optional(changed).set(number);
        Ok(())
    })
}

/// As swarm_master_delete_failed, without waiting; `done` is called once and may be NULL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_delete_failed_async(
    master: Option<&swarm_master>,
    ids: *const *const c_char,
    count: usize,
    done: swarm_count_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
    error: *mut *mut swarm_error,
) -> swarm_status {
    let user_data = UserData::new(user_data, destroy);
    guard(error, || {
        let member = swarm_master::member(master)?;
        // SAFETY: the caller's array is readable for its count, and its texts end with a NUL.
        let ids = unsafe { read_ids(ids, count) }?;
        member.ask_async(done, user_data, |core| async move { core.delete_failed(ids.as_deref()).await })
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
