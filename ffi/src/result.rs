//! What a callback of swarm_worker_process returns: how its job ends.

use std::ffi::c_char;
use std::time::Duration;

use libswarm::{Finish, Result};

use crate::bytes::{answer, swarm_bytes, swarm_content_type};
use crate::finish::job_error;
use crate::guard::{guard_value, lossy_text};

/// How a job ends. Made by one of the functions below and returned by a swarm_process_fn, which makes it the library's.
pub struct swarm_result {
    finish: Finish,
}

/// The job is completed, with a result that is JSON text; copied. A result over 128 KiB that was asked for fails the job.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_result_complete(result: swarm_bytes) -> Option<Box<swarm_result>> {
    let json = swarm_content_type::SWARM_CONTENT_JSON as i32;
    // SAFETY: the caller's bytes are readable.
    made(|| Ok(Finish::Complete(unsafe { answer(result, json, "result") }?)))
}

/// As swarm_result_complete, with a result that is bytes of the caller's own meaning.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_result_complete_bytes(result: swarm_bytes) -> Option<Box<swarm_result>> {
    let bytes = swarm_content_type::SWARM_CONTENT_BYTES as i32;
    // SAFETY: the caller's bytes are readable.
    made(|| Ok(Finish::Complete(unsafe { answer(result, bytes, "result") }?)))
}

/// This attempt failed, with an error text, as by swarm_job_fail.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_result_fail(message: *const c_char) -> Option<Box<swarm_result>> {
    // SAFETY: a non-NULL text is NUL-terminated.
    made(|| Ok(Finish::Fail(unsafe { lossy_text(message, "message") }?.into())))
}

/// This attempt failed, with an error text, and is retried after `after_ms`, as by swarm_job_retry.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_result_retry(message: *const c_char, after_ms: u64) -> Option<Box<swarm_result>> {
    // SAFETY: a non-NULL text is NUL-terminated.
    made(|| Ok(Finish::Retry(unsafe { lossy_text(message, "message") }?.into(), Duration::from_millis(after_ms))))
}

/// The job failed permanently, with an error text, as by swarm_job_fail_permanently.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_result_fail_permanently(message: *const c_char) -> Option<Box<swarm_result>> {
    // SAFETY: a non-NULL text is NUL-terminated.
    made(|| Ok(Finish::FailPermanently(unsafe { lossy_text(message, "message") }?.into())))
}

/// As swarm_result_fail, with a traceback, as by swarm_job_fail_with.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_result_fail_with(message: *const c_char, traceback: *const c_char) -> Option<Box<swarm_result>> {
    // SAFETY: non-NULL texts are NUL-terminated.
    made(|| Ok(Finish::Fail(unsafe { job_error(message, traceback) }?)))
}

/// As swarm_result_retry, with a traceback, as by swarm_job_retry_with.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_result_retry_with(
    message: *const c_char,
    traceback: *const c_char,
    after_ms: u64,
) -> Option<Box<swarm_result>> {
    // SAFETY: non-NULL texts are NUL-terminated.
    made(|| Ok(Finish::Retry(unsafe { job_error(message, traceback) }?, Duration::from_millis(after_ms))))
}

/// As swarm_result_fail_permanently, with a traceback, as by swarm_job_fail_permanently_with.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_result_fail_permanently_with(
    message: *const c_char,
    traceback: *const c_char,
) -> Option<Box<swarm_result>> {
    // SAFETY: non-NULL texts are NUL-terminated.
    made(|| Ok(Finish::FailPermanently(unsafe { job_error(message, traceback) }?)))
}

/// The job goes back to the cluster, as by swarm_job_release.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn swarm_result_release() -> Option<Box<swarm_result>> {
    made(|| Ok(Finish::Release))
}

/// Frees a result that was not returned after all. NULL is allowed.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_result_free(result: Option<Box<swarm_result>>) {
    guard_value((), || drop(result));
}

impl swarm_result {
    /// What a callback returned.
    ///
    /// # Safety
    /// `result` is NULL or was made above, and is not used after this.
    pub(crate) unsafe fn take(result: *mut swarm_result) -> Finish {
        if result.is_null() {
            return Finish::Fail("the callback returned no result".into());
        }
        // SAFETY: promised by the caller.
        unsafe { Box::from_raw(result) }.finish
    }
}

/// The callback has nobody to tell a wrong argument to but the one who sees the job fail.
fn made(finish: impl FnOnce() -> Result<Finish>) -> Option<Box<swarm_result>> {
    guard_value(None, || {
        let finish = finish().unwrap_or_else(|error| Finish::Fail(format!("the callback's result: {error}").into()));
        Some(Box::new(swarm_result { finish }))
    })
}
