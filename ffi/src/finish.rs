//! The ways to finish a job that its program owns.

use std::ffi::{c_char, c_void};
use std::time::Duration;

use libswarm::{ErrorKind, Finish, JobError, Result};

use crate::bytes::{answer, swarm_bytes, swarm_content_type};
use crate::callback::{UserData, swarm_destroy_fn, swarm_done_fn};
use crate::error::swarm_error;
use crate::guard::{guard, invalid, lossy_text, optional_lossy_text};
use crate::job::swarm_job;
use crate::runtime::wait_done;
use crate::sized;
use crate::status::swarm_status;

/// How a job is finished.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum swarm_finish_kind {
    /// Done; the data is the result. It is kept if the job was added with `result`, and ignored otherwise.
    SWARM_FINISH_COMPLETE = 0,
    /// This attempt failed; the data is the error text. The job is retried after its backoff, or is failed if no retry is
    /// left.
    SWARM_FINISH_FAIL = 1,
    /// Back to the cluster, for another worker or a later time; not counted as a crash. No data.
    SWARM_FINISH_RELEASE = 2,
    /// The work was stopped after a delete callback. No data.
    SWARM_FINISH_STOPPED = 3,
    /// As SWARM_FINISH_FAIL, but retried after `after`.
    SWARM_FINISH_RETRY = 4,
    /// Failed permanently whatever its retries; the data is the error text.
    SWARM_FINISH_FAIL_PERMANENTLY = 5,
}

/// A finish with all it can have. Start with `swarm_finish finish = SWARM_FINISH_INIT;`.
#[repr(C)]
pub struct swarm_finish {
    /// The size of the struct; set by SWARM_FINISH_INIT.
    pub struct_size: usize,
    /// A swarm_finish_kind.
    pub kind: i32,
    /// A swarm_content_type, for the result of a completed job.
    pub content_type: i32,
    /// The result or the error text; copied.
    pub data: swarm_bytes,
    /// The pause before a retry, in milliseconds.
    pub after: u64,
    /// Where a failed job failed, for people; of more than 16 KiB the end is kept. Copied.
    pub traceback: swarm_bytes,
}

/// Completes the job with a result that is JSON text, without waiting for Redis. SWARM_OK: the job is no longer the
/// caller's. A result over 128 KiB that was asked for fails the job.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_job_complete(
    job: *mut swarm_job,
    result: swarm_bytes,
    error: *mut *mut swarm_error,
) -> swarm_status {
    let json = swarm_content_type::SWARM_CONTENT_JSON as i32;
    // SAFETY: the caller owns the job and its result is readable.
    guard(error, || unsafe { finish(job, || Ok(Finish::Complete(answer(result, json, "result")?))) })
}

/// As swarm_job_complete, with a result that is bytes of the caller's own meaning.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_job_complete_bytes(
    job: *mut swarm_job,
    result: swarm_bytes,
    error: *mut *mut swarm_error,
) -> swarm_status {
    let bytes = swarm_content_type::SWARM_CONTENT_BYTES as i32;
    // SAFETY: the caller owns the job and its result is readable.
    guard(error, || unsafe { finish(job, || Ok(Finish::Complete(answer(result, bytes, "result")?))) })
}

/// Fails this attempt with an error text, of which at most 16 KiB are kept: the job is retried after its backoff, or is failed
/// if no retry is left. Bytes that are not UTF-8 are kept as U+FFFD. Otherwise as swarm_job_complete.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_job_fail(
    job: *mut swarm_job,
    message: *const c_char,
    error: *mut *mut swarm_error,
) -> swarm_status {
    // SAFETY: the caller owns the job; a non-NULL text is NUL-terminated.
    guard(error, || unsafe { finish(job, || Ok(Finish::Fail(lossy_text(message, "message")?.into()))) })
}

/// As swarm_job_fail, but a retry comes after `after_ms`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_job_retry(
    job: *mut swarm_job,
    message: *const c_char,
    after_ms: u64,
    error: *mut *mut swarm_error,
) -> swarm_status {
    let after = Duration::from_millis(after_ms);
    // SAFETY: the caller owns the job; a non-NULL text is NUL-terminated.
    guard(error, || unsafe { finish(job, || Ok(Finish::Retry(lossy_text(message, "message")?.into(), after))) })
}

/// Fails the job permanently, whatever its retries, with an error text. Otherwise as swarm_job_fail.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_job_fail_permanently(
    job: *mut swarm_job,
    message: *const c_char,
    error: *mut *mut swarm_error,
) -> swarm_status {
    // SAFETY: the caller owns the job; a non-NULL text is NUL-terminated.
    guard(error, || unsafe { finish(job, || Ok(Finish::FailPermanently(lossy_text(message, "message")?.into()))) })
}

/// As swarm_job_fail, with a traceback: where the job failed, for people. It is logged and kept with a failed job, of more than
/// 16 KiB the end; NULL if there is none. Whoever awaits the job does not get it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_job_fail_with(
    job: *mut swarm_job,
    message: *const c_char,
    traceback: *const c_char,
    error: *mut *mut swarm_error,
) -> swarm_status {
    // SAFETY: the caller owns the job; non-NULL texts are NUL-terminated.
    guard(error, || unsafe { finish(job, || Ok(Finish::Fail(job_error(message, traceback)?))) })
}

/// As swarm_job_retry, with a traceback; see swarm_job_fail_with.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_job_retry_with(
    job: *mut swarm_job,
    message: *const c_char,
    traceback: *const c_char,
    after_ms: u64,
    error: *mut *mut swarm_error,
) -> swarm_status {
    let after = Duration::from_millis(after_ms);
    // SAFETY: the caller owns the job; non-NULL texts are NUL-terminated.
    guard(error, || unsafe { finish(job, || Ok(Finish::Retry(job_error(message, traceback)?, after))) })
}

/// As swarm_job_fail_permanently, with a traceback; see swarm_job_fail_with.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_job_fail_permanently_with(
    job: *mut swarm_job,
    message: *const c_char,
    traceback: *const c_char,
    error: *mut *mut swarm_error,
) -> swarm_status {
    // SAFETY: the caller owns the job; non-NULL texts are NUL-terminated.
    guard(error, || unsafe { finish(job, || Ok(Finish::FailPermanently(job_error(message, traceback)?))) })
}

/// Gives the job back to the cluster; not counted as a crash. Otherwise as swarm_job_complete.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_job_release(job: *mut swarm_job, error: *mut *mut swarm_error) -> swarm_status {
    // SAFETY: the caller owns the job.
    guard(error, || unsafe { finish(job, || Ok(Finish::Release)) })
}

/// Says that the work of a deleted job has stopped, which frees its slot. Otherwise as swarm_job_complete.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_job_stopped(job: *mut swarm_job, error: *mut *mut swarm_error) -> swarm_status {
    // SAFETY: the caller owns the job.
    guard(error, || unsafe { finish(job, || Ok(Finish::Stopped)) })
}

/// Finishes the job and waits until Redis has accepted it. SWARM_OK: the job is no longer the caller's.
/// SWARM_ERR_STALE_FENCE or SWARM_ERR_JOB_DELETED: the job was no longer this execution's. SWARM_ERR_TOO_LARGE: the result
/// is, and the job can still be finished in another way. After any failure the job is still to be freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_job_finish(
    job: *mut swarm_job,
    finish: *const swarm_finish,
    timeout_ms: u64,
    error: *mut *mut swarm_error,
) -> swarm_status {
    guard(error, || {
        // SAFETY: the caller owns the job and the struct starts with its size.
        let (open, finish) = unsafe { (swarm_job::open(job)?, read_finish(finish)?) };
        open.check_unfinished()?;
        let (core, _) = open.jobs.open()?;
        let result = wait_done(timeout_ms, "finishing a job", |done| core.finish(open.fence(), finish, Some(done)));
        if result.as_ref().is_err_and(|error| error.kind() == ErrorKind::TooLarge) {
            return result;
        }
        open.mark_finished();
        result?;
        // SAFETY: the caller owns the job and gave it up with this call.
        unsafe { swarm_job::let_go(job) };
        Ok(())
    })
}

/// Finishes the job without waiting; `done` is called once with the outcome. SWARM_OK: the job is no longer the caller's,
/// whatever the outcome. A result that is too large fails the job and is told as SWARM_ERR_TOO_LARGE.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_job_finish_async(
    job: *mut swarm_job,
    finish: *const swarm_finish,
    done: swarm_done_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
    error: *mut *mut swarm_error,
) -> swarm_status {
    let user_data = UserData::new(user_data, destroy);
    guard(error, || {
        // SAFETY: the caller owns the job and the struct starts with its size.
        let (open, finish) = unsafe { (swarm_job::open(job)?, read_finish(finish)?) };
        let pending = open.jobs.begin(done, user_data)?;
        open.check_unfinished()?;
        let (jobs, fence) = (open.jobs.clone(), open.fence());
        let told = move |result: Result<()>| {
            if let Err(error) = &result
                && error.kind() == ErrorKind::TooLarge
            {
                jobs.fail_unheard(fence, error);
            }
            pending.end(result);
        };
        open.jobs.finish(fence, finish, Some(Box::new(told)))?;
        open.mark_finished();
        // SAFETY: the caller owns the job and gave it up with this call.
        unsafe { swarm_job::let_go(job) };
        Ok(())
    })
}

/// Finishes a job without waiting and ends the program's ownership of it.
///
/// # Safety
/// As for [`swarm_job::let_go`].
unsafe fn finish(job: *mut swarm_job, finish: impl FnOnce() -> Result<Finish>) -> Result<()> {
    // SAFETY: promised by the caller.
    let open = unsafe { swarm_job::open(job) }?;
    let finish = finish()?;
    open.check_unfinished()?;
    open.jobs.finish(open.fence(), finish, None)?;
    open.mark_finished();
    // SAFETY: promised by the caller.
    unsafe { swarm_job::let_go(job) };
    Ok(())
}

/// # Safety
/// `given` is NULL or starts with its size, and its data is readable.
unsafe fn read_finish(given: *const swarm_finish) -> Result<Finish> {
    // SAFETY: promised by the caller.
    let finish = unsafe { sized::read(given, "finish") }?;
    let failure = || {
        // SAFETY: promised by the caller.
        let (message, traceback) = unsafe { (finish.data.to_lossy("data")?, finish.traceback.to_lossy("traceback")?) };
        Ok(JobError { message, traceback })
    };
    Ok(match finish.kind {
        // SAFETY: promised by the caller.
        0 => Finish::Complete(unsafe { answer(finish.data, finish.content_type, "data") }?),
        1 => Finish::Fail(failure()?),
        2 => Finish::Release,
        3 => Finish::Stopped,
        4 => Finish::Retry(failure()?, Duration::from_millis(finish.after)),
        5 => Finish::FailPermanently(failure()?),
        other => return Err(invalid(format!("{other} is no swarm_finish_kind"))),
    })
}

/// An error with its traceback, which may be NULL. Both are for people: what is not UTF-8 is replaced.
///
/// # Safety
/// Non-NULL texts are NUL-terminated.
pub(crate) unsafe fn job_error(message: *const c_char, traceback: *const c_char) -> Result<JobError> {
    // SAFETY: promised by the caller.
    let (message, traceback) = unsafe { (lossy_text(message, "message")?, optional_lossy_text(traceback)) };
    Ok(JobError { message, traceback: traceback.unwrap_or_default() })
}
