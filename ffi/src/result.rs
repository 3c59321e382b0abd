//! How a job finishes: created by the program for swarm_job_finish, or returned by a process callback.

use std::ffi::{CStr, c_char};
use std::time::Duration;

use libswarm::{Error, ErrorKind, Finish, JobError, Result};

use crate::bytes::{answer, swarm_bytes};
use crate::call::swarm_call;
use crate::error::swarm_error;
use crate::guard::{given, guard, guard_value, lossy_text, optional_text};
use crate::job::swarm_job;
use crate::jobs::Kept;
use crate::status::swarm_status;

/// How a job finishes. Created by one of the functions below. The library takes ownership of it by swarm_job_finish, or when a
/// swarm_process_fn returns it.
pub struct swarm_result {
    finish: Result<Finish>,
}

/// Completes the job with these bytes as its result, which are copied. If the job was added with `result`, the result is kept,
/// and may have at most 128 KiB; otherwise it is ignored. `content_type` is a swarm_content_type.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_result_complete(data: swarm_bytes, content_type: i32) -> Option<Box<swarm_result>> {
    // SAFETY: the caller's bytes are readable.
    made(|| Ok(Finish::Complete(unsafe { answer(data, content_type, "result") }?)))
}

/// Fails this attempt, with an error text, of which at most 16 KiB are kept: the job is retried after its backoff, or fails
/// permanently if no retry is left. Invalid UTF-8 is replaced by U+FFFD.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_result_fail(message: *const c_char) -> Option<Box<swarm_result>> {
    // SAFETY: a non-NULL text is NUL-terminated.
    made(|| Ok(Finish::Fail(unsafe { lossy_text(message, "message") }?.into())))
}

/// As swarm_result_fail, but the job is retried after `after_ms`.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_result_retry(message: *const c_char, after_ms: u64) -> Option<Box<swarm_result>> {
    // SAFETY: a non-NULL text is NUL-terminated.
    made(|| Ok(Finish::Retry(unsafe { lossy_text(message, "message") }?.into(), Duration::from_millis(after_ms))))
}

/// Gives the job back because what it needs refuses it for now (HTTP 429 with Retry-After): the limit `limit`, or for NULL each
/// limit of the job, starts no jobs for `after_ms`. No attempt is counted. A job without the limit is delayed by the time.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_result_rate_limited(after_ms: u64, limit: *const c_char) -> Option<Box<swarm_result>> {
    made(|| {
        // SAFETY: a non-NULL text is NUL-terminated.
        let limit = unsafe { optional_text(limit, "limit") }?.map(str::to_owned);
        Ok(Finish::RateLimited { pause: Duration::from_millis(after_ms), limit })
    })
}

/// Fails the job permanently, even if retries are left, with an error text as in swarm_result_fail.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_result_fail_permanently(message: *const c_char) -> Option<Box<swarm_result>> {
    // SAFETY: a non-NULL text is NUL-terminated.
    made(|| Ok(Finish::FailPermanently(unsafe { lossy_text(message, "message") }?.into())))
}

/// Releases the job: it is requeued, and no crash or attempt is counted.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn swarm_result_release() -> Option<Box<swarm_result>> {
    made(|| Ok(Finish::Release))
}

/// Reports that the work of a deleted job has stopped, which frees its slot.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn swarm_result_stopped() -> Option<Box<swarm_result>> {
    made(|| Ok(Finish::Stopped))
}

/// Adds a traceback to a result: where the job failed, for people. It is logged and kept with a failed job; beyond 16 KiB only
/// its end is kept. A caller that awaits the job does not receive it. Takes ownership of the result and returns it. Does nothing
/// if `traceback` is NULL or if the result is no failure; returns NULL for NULL.
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

/// Frees a result that was not used. Accepts NULL.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_result_free(result: Option<Box<swarm_result>>) {
    guard_value((), || drop(result));
}

/// Finishes the job with `result`. SWARM_OK ends the caller's ownership of the job. After a failure the caller still owns it:
/// SWARM_ERR_INVALID_ARGUMENT if the result has invalid arguments or is NULL, SWARM_ERR_STALE_FENCE if the job was finished
/// before, SWARM_ERR_CLOSED if its worker was freed. The library takes ownership of the result in any case.
///
/// If `accepted` is NULL, the function does not report the acceptance, finishes of one batch of callbacks are sent to Redis
/// together, and a result that is too large fails the job. Otherwise it writes a call to `accepted` that ends when Redis has
/// accepted the finish, or with SWARM_ERR_STALE_FENCE or SWARM_ERR_JOB_DELETED if the job was no longer assigned to this
/// execution. A result that is too large is then refused with SWARM_ERR_TOO_LARGE, and the job can be finished in another way.
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
        // SAFETY: the caller owns the job and ends its ownership with this call.
        unsafe { swarm_job::let_go(job) };
        Ok(())
    })
}

impl swarm_result {
    /// The result of a process callback. If it has invalid arguments, the job fails with that error.
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
