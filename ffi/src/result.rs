//! How a job ends: made by the program, for swarm_job_finish or as what a process callback returns.

use std::ffi::{CStr, c_char};
use std::time::Duration;

use libswarm::{Error, ErrorKind, Finish, JobError, Result};

use crate::bytes::{answer, swarm_bytes};
use crate::call::swarm_call;
use crate::error::swarm_error;
use crate::guard::{given, guard, guard_value, lossy_text};
use crate::job::swarm_job;
use crate::jobs::Kept;
use crate::status::swarm_status;

/// How a job ends. Made by one of the functions below; it becomes the library's by swarm_job_finish, or by being returned from a
/// swarm_process_fn.
pub struct swarm_result {
    finish: Result<Finish>,
}

/// The job is completed, with these bytes as its result; copied. It is kept if the job was added with `result`, and ignored
/// otherwise; then at most 128 KiB. `content_type` is a swarm_content_type.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_result_complete(data: swarm_bytes, content_type: i32) -> Option<Box<swarm_result>> {
    // SAFETY: the caller's bytes are readable.
    made(|| Ok(Finish::Complete(unsafe { answer(data, content_type, "result") }?)))
}

/// This attempt failed, with an error text, of which at most 16 KiB are kept: the job is retried after its backoff, or is failed
/// if no retry is left. Bytes that are not UTF-8 are kept as U+FFFD.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_result_fail(message: *const c_char) -> Option<Box<swarm_result>> {
    // SAFETY: a non-NULL text is NUL-terminated.
    made(|| Ok(Finish::Fail(unsafe { lossy_text(message, "message") }?.into())))
}

/// As swarm_result_fail, but a retry comes after `after_ms`.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_result_retry(message: *const c_char, after_ms: u64) -> Option<Box<swarm_result>> {
    // SAFETY: a non-NULL text is NUL-terminated.
    made(|| Ok(Finish::Retry(unsafe { lossy_text(message, "message") }?.into(), Duration::from_millis(after_ms))))
}

/// The job failed permanently, whatever its retries, with an error text as of swarm_result_fail.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_result_fail_permanently(message: *const c_char) -> Option<Box<swarm_result>> {
    // SAFETY: a non-NULL text is NUL-terminated.
    made(|| Ok(Finish::FailPermanently(unsafe { lossy_text(message, "message") }?.into())))
}

/// The job goes back to the cluster, for another worker or a later time; not counted as a crash.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn swarm_result_release() -> Option<Box<swarm_result>> {
    made(|| Ok(Finish::Release))
}

/// The work of a deleted job has stopped, which frees its slot.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn swarm_result_stopped() -> Option<Box<swarm_result>> {
    made(|| Ok(Finish::Stopped))
}

/// The same result with a traceback: where the job failed, for people. It is logged and kept with a failed job, of more than
/// 16 KiB the end; a caller that awaits the job does not get it. Takes the result over and returns it. NULL as `traceback`, or a result that
/// is no failure, stays as it is; NULL for NULL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_result_with_traceback(
    result: Option<Box<swarm_result>>,
    traceback: *const c_char,
) -> Option<Box<swarm_result>> {
    let mut result = result?;
    if !traceback.is_null() {
        // SAFETY: a non-NULL text is NUL-terminated.
        let text = unsafe { CStr::from_ptr(traceback) }.to_string_lossy().into_owned();
        if let Ok(Finish::Fail(error) | Finish::Retry(error, _) | Finish::FailPermanently(error)) = &mut result.finish {
            *error = JobError { traceback: text, message: std::mem::take(&mut error.message) };
        }
    }
    Some(result)
}

/// Frees a result that was not used after all. NULL is allowed.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_result_free(result: Option<Box<swarm_result>>) {
    guard_value((), || drop(result));
}

/// Finishes the job as `result` says. SWARM_OK: the job is no longer the caller's. After any failure it still is:
/// SWARM_ERR_INVALID_ARGUMENT if the result was made of wrong arguments or is NULL, SWARM_ERR_STALE_FENCE if the job was finished before,
/// SWARM_ERR_CLOSED if its worker was freed. The result becomes the library's in any case.
///
/// `accepted` may be NULL: then nothing is waited for, finishes of one batch of callbacks go to Redis together, and a result that is too large
/// fails the job. Otherwise a call is written to it that ends when Redis has accepted the finish; it ends with SWARM_ERR_STALE_FENCE or
/// SWARM_ERR_JOB_DELETED if the job was no longer this execution's. A result that is too large is refused with SWARM_ERR_TOO_LARGE, and the
/// job can be finished in another way.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_job_finish(
    job: *mut swarm_job,
    result: Option<Box<swarm_result>>,
    accepted: *mut *mut swarm_call,
    error: *mut *mut swarm_error,
) -> swarm_status {
    guard(error, || {
        // SAFETY: the caller owns the job.
        let open = unsafe { swarm_job::open(job) }?;
        let finish = given(result, "result")?.finish?;
        open.check_unfinished()?;
        let (jobs, fence) = (open.jobs.clone(), open.fence());
        if accepted.is_null() {
            jobs.finish(fence, finish, None)?;
        } else {
            open.check_size(&finish)?;
            jobs.open()?;
            let mut refused = Ok(());
            let call = swarm_call::submitted::<(), ()>(&jobs.context, "finishing a job", |done| {
                let failing = jobs.clone();
                let report = move |result: Result<()>| {
                    if let Err(error) = &result
                        && error.kind() == ErrorKind::TooLarge
                    {
                        failing.fail_unheard(fence, error);
                    }
                    done(result);
                };
                refused = jobs.finish(fence, finish, Some(Box::new(report)));
            });
            refused?;
            // SAFETY: the caller's place is one for a pointer.
            unsafe { accepted.write(call.into_raw()) };
        }
        open.mark_finished();
        // SAFETY: the caller owns the job and gave it up with this call.
        unsafe { swarm_job::let_go(job) };
        Ok(())
    })
}

impl swarm_result {
    /// What a process callback returned. A wrong argument is the error of the job.
    ///
    /// # Safety
    /// `result` is NULL or was made above, and is not used after this.
    pub(crate) unsafe fn take(result: *mut swarm_result) -> Finish {
        if result.is_null() {
            return Finish::Fail("the callback returned no result".into());
        }
        // SAFETY: promised by the caller.
        let result = unsafe { Box::from_raw(result) };
        result.finish.unwrap_or_else(|error: Error| Finish::Fail(format!("the callback's result: {error}").into()))
    }
}

fn made(finish: impl FnOnce() -> Result<Finish>) -> Option<Box<swarm_result>> {
    guard_value(None, || Some(Box::new(swarm_result { finish: finish() })))
}
