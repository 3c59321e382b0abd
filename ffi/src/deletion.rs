//! Deleting jobs.

use std::ffi::{c_char, c_void};

use crate::asking::Asking;
use crate::callback::{UserData, swarm_destroy_fn, swarm_existed_fn};
use crate::error::swarm_error;
use crate::guard::{guard, optional, text, texts};
use crate::master::swarm_master;
use crate::status::swarm_status;
use crate::worker::swarm_worker;

/// Deletes a job whatever its state; its worker is told to stop. `existed` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_master_delete(
    master: Option<&swarm_master>,
    id: *const c_char,
    timeout_ms: u64,
    existed: *mut bool,
    error: *mut *mut swarm_error,
) -> swarm_status {
    guard(error, || {
        let member = swarm_master::member(master)?;
        // SAFETY: a non-NULL text is NUL-terminated.
        let id = unsafe { text(id, "id") }?.to_owned();
        let found = member.ask(timeout_ms, "deleting a job", |core| async move { core.delete(id).await })?;
        optional(existed).set(found);
        Ok(())
    })
}

/// Deletes many jobs. `existed` may be NULL; otherwise it has room for `count` answers, in the order of the ids.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_master_delete_many(
    master: Option<&swarm_master>,
    ids: *const *const c_char,
    count: usize,
    timeout_ms: u64,
    existed: *mut bool,
    error: *mut *mut swarm_error,
) -> swarm_status {
    guard(error, || {
        let member = swarm_master::member(master)?;
        // SAFETY: the caller's array is readable for its count, and its texts end with a NUL.
        let ids = unsafe { texts(ids, count, "ids") }?;
        let found = member.ask(timeout_ms, "deleting jobs", |core| async move { core.delete_many(ids).await })?;
        if !existed.is_null() {
            // SAFETY: the caller's array has room for `count` answers.
            unsafe { std::ptr::copy_nonoverlapping(found.as_ptr(), existed, found.len().min(count)) };
        }
        Ok(())
    })
}

/// Deletes a job without waiting; `done` is called once and may be NULL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_delete_async(
    master: Option<&swarm_master>,
    id: *const c_char,
    done: swarm_existed_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
    error: *mut *mut swarm_error,
) -> swarm_status {
    let user_data = UserData::new(user_data, destroy);
    guard(error, || {
        let member = swarm_master::member(master)?;
        // SAFETY: a non-NULL text is NUL-terminated.
        let id = unsafe { text(id, "id") }?.to_owned();
        member.ask_async(done, user_data, |core| async move { core.delete(id).await })
    })
}

/// Deletes any job of the cluster, as swarm_master_delete does. The worker must be started.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_worker_delete(
    worker: Option<&swarm_worker>,
    id: *const c_char,
    timeout_ms: u64,
    existed: *mut bool,
    error: *mut *mut swarm_error,
) -> swarm_status {
    guard(error, || {
        let member = swarm_worker::member(worker)?;
        // SAFETY: a non-NULL text is NUL-terminated.
        let id = unsafe { text(id, "id") }?.to_owned();
        let found = member.ask(timeout_ms, "deleting a job", |core| async move { core.delete(id).await })?;
        optional(existed).set(found);
        Ok(())
    })
}
