//! Jobs in the hands of a worker's program.

use std::ffi::{CString, c_char, c_void};
use std::sync::atomic::{AtomicPtr, AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};

use libswarm::{DeleteReason, Error, ErrorKind, Finish, Job, Result};

use crate::bytes::{payload, swarm_bytes, swarm_content_type};
use crate::callback::{UserData, swarm_destroy_fn, swarm_done_fn};
use crate::error::{swarm_error, text as c_text};
use crate::guard::{given, guard, guard_value, invalid};
use crate::jobs::Jobs;
use crate::runtime::wait_done;
use crate::sized;
use crate::status::swarm_status;

/// A job given to a worker. Whoever got it from the add callback owns it, and lets go of it exactly once: by a call that
/// finishes it and returns SWARM_OK, or by swarm_job_free. Its owner may use it on any thread.
pub struct swarm_job {
    job: Job,
    jobs: Arc<Jobs>,
    /// `OWNED`, `FINISHED`, `KEPT`, `STOP`.
    state: AtomicU8,
    /// The id with its NUL, made when first asked for.
    id: OnceLock<CString>,
    user_data: AtomicPtr<c_void>,
}

/// The program has not let go of the job.
const OWNED: u8 = 1;
/// A finish was handed over.
const FINISHED: u8 = 2;
/// The job is in the worker's map of held jobs.
const KEPT: u8 = 4;
/// The delete callback has run.
const STOP: u8 = 8;

/// Why the work of a job must stop.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum swarm_delete_reason {
    /// A master or the worker itself deleted the job.
    SWARM_DELETE_DELETED = 0,
    /// The worker is being terminated; the job goes to another worker.
    SWARM_DELETE_TERMINATED = 1,
    /// The worker lost its lease; the job starts elsewhere.
    SWARM_DELETE_LEASE_LOST = 2,
}

/// How a job is finished.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum swarm_finish_kind {
    /// Done; the data is the result. It is kept if the job was added with `result`, and ignored otherwise.
    SWARM_FINISH_COMPLETE = 0,
    /// Failed for good; the data is the error text, UTF-8.
    SWARM_FINISH_FAIL = 1,
    /// Back to the cluster, for another worker or a later time; not counted as a death. No data.
    SWARM_FINISH_RELEASE = 2,
    /// The work was stopped after a delete callback. No data.
    SWARM_FINISH_STOPPED = 3,
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
}

/// The job's id. Lives as long as the job; so do all that the functions for reading a job return.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_job_id(job: Option<&swarm_job>) -> *const c_char {
    guard_value(c"".as_ptr(), || job.map_or(c"".as_ptr(), |job| job.id.get_or_init(|| c_text(&job.job.id)).as_ptr()))
}

/// What the adder gave.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_job_payload(job: Option<&swarm_job>) -> swarm_bytes {
    job.map_or(swarm_bytes::EMPTY, |job| job.job.payload.bytes.as_slice().into())
}

/// How the payload is to be read.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_job_content_type(job: Option<&swarm_job>) -> swarm_content_type {
    job.map(|job| job.job.payload.content_type).unwrap_or_default().into()
}

/// The fence: grows with every assignment in the cluster. Fit for `WHERE fence <= :fence` in a store of the program's own.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_job_fence(job: Option<&swarm_job>) -> u64 {
    job.map_or(0, swarm_job::fence)
}

/// How many workers died while they held this job.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_job_deaths(job: Option<&swarm_job>) -> u32 {
    job.map_or(0, |job| job.job.deaths)
}

/// Whether the job was deleted or taken back, so that its work is in vain. Cheap: may be asked often.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_job_cancelled(job: Option<&swarm_job>) -> bool {
    guard_value(true, || job.is_none_or(|job| job.job.is_cancelled()))
}

/// Attaches a pointer of the program's own to the job, for the delete callback to find. libswarm never touches it.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_job_set_user_data(job: Option<&swarm_job>, user_data: *mut c_void) {
    if let Some(job) = job {
        job.user_data.store(user_data, Ordering::Release);
    }
}

/// The pointer attached to the job, NULL if none was.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_job_user_data(job: Option<&swarm_job>) -> *mut c_void {
    job.map_or(std::ptr::null_mut(), |job| job.user_data.load(Ordering::Acquire))
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
    guard(error, || unsafe { finish(job, || Ok(Finish::Complete(payload(result, json, "result")?))) })
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
    guard(error, || unsafe { finish(job, || Ok(Finish::Complete(payload(result, bytes, "result")?))) })
}

/// Fails the job for good with an error text, of which at most 16 KiB are kept. Otherwise as swarm_job_complete.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_job_fail(
    job: *mut swarm_job,
    message: *const c_char,
    error: *mut *mut swarm_error,
) -> swarm_status {
    // SAFETY: the caller owns the job; a non-NULL text is NUL-terminated.
    guard(error, || unsafe { finish(job, || Ok(Finish::Fail(crate::guard::text(message, "message")?.to_owned()))) })
}

/// Gives the job back to the cluster; not counted as a death. Otherwise as swarm_job_complete.
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

/// Queues the deletion of the job, without waiting. The delete callback follows, as for a deletion by a master. The job
/// stays the caller's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_job_delete(job: *mut swarm_job, error: *mut *mut swarm_error) -> swarm_status {
    guard(error, || {
        // SAFETY: the caller owns the job.
        let job = unsafe { swarm_job::open(job) }?;
        let (_, handle) = job.jobs.open()?;
        let job = job.job.clone();
        handle.spawn(async move { drop(job.delete().await) });
        Ok(())
    })
}

/// Lets go of the job without finishing it: the worker holds it until it is deleted or taken back. If the work was to stop,
/// this says that it has. NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_job_free(job: *mut swarm_job) {
    guard_value((), || {
        if !job.is_null() {
            // SAFETY: the caller owns the job and gives it up with this call.
            unsafe { swarm_job::let_go(job) };
        }
    });
}

impl swarm_job {
    pub(crate) fn new(job: Job, jobs: Arc<Jobs>) -> swarm_job {
        swarm_job { job, jobs, state: AtomicU8::new(OWNED), id: OnceLock::new(), user_data: AtomicPtr::default() }
    }

    pub(crate) fn fence(&self) -> u64 {
        self.job.fence
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.state.load(Ordering::Acquire) & FINISHED != 0
    }

    /// Marks the job as kept in the map of held jobs; false if it was finished first and does not belong there.
    pub(crate) fn mark_kept(&self) -> bool {
        self.state.fetch_or(KEPT, Ordering::AcqRel) & FINISHED == 0
    }

    /// The delete callback has run. If the program had let go of the job before, nobody else will say that it stopped.
    pub(crate) fn told_to_stop(&self) {
        if self.state.fetch_or(STOP, Ordering::AcqRel) & (OWNED | FINISHED) == 0 {
            self.stop();
        }
    }

    /// The job of a call, if it may be used in this process.
    ///
    /// # Safety
    /// `job` is NULL or a pointer that the add callback was given and that is still valid.
    unsafe fn open<'a>(job: *const swarm_job) -> Result<&'a swarm_job> {
        // SAFETY: promised by the caller.
        let job = given(unsafe { job.as_ref() }, "job")?;
        job.jobs.owner.check()?;
        Ok(job)
    }

    fn check_unfinished(&self) -> Result<()> {
        if self.is_finished() {
            return Err(Error::new(ErrorKind::StaleFence, "the job was finished before; nothing was changed"));
        }
        Ok(())
    }

    /// A finish was handed over: the worker does not need the job any more.
    fn mark_finished(&self) {
        if self.state.fetch_or(FINISHED, Ordering::AcqRel) & KEPT != 0 {
            self.jobs.forget(self.fence());
        }
    }

    fn stop(&self) {
        // A worker freed meanwhile has given all its jobs back.
        let _ = self.jobs.finish(self.fence(), Finish::Stopped, None);
        self.mark_finished();
    }

    /// Ends the program's ownership, if it has it: inside a delete callback it may have ended before.
    ///
    /// # Safety
    /// `job` is a pointer that the add callback was given and that is still valid; it is not used after this.
    unsafe fn let_go(job: *mut swarm_job) {
        // SAFETY: promised by the caller.
        let open = unsafe { &*job };
        let before = open.state.fetch_and(!OWNED, Ordering::AcqRel);
        if before & OWNED == 0 {
            return;
        }
        if before & (STOP | FINISHED) == STOP && open.jobs.owner.is_here() {
            open.stop();
        }
        // SAFETY: the add callback was given this share in the job, and its owner gives it up.
        drop(unsafe { Arc::from_raw(job) });
    }
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
    Ok(match finish.kind {
        // SAFETY: promised by the caller.
        0 => Finish::Complete(unsafe { payload(finish.data, finish.content_type, "data") }?),
        1 => {
            // SAFETY: promised by the caller.
            let text = unsafe { finish.data.to_vec("data") }?;
            Finish::Fail(String::from_utf8(text).map_err(|_| invalid("the error text is not UTF-8"))?)
        }
        2 => Finish::Release,
        3 => Finish::Stopped,
        other => return Err(invalid(format!("{other} is no swarm_finish_kind"))),
    })
}

impl From<DeleteReason> for swarm_delete_reason {
    fn from(reason: DeleteReason) -> Self {
        match reason {
            DeleteReason::Deleted => swarm_delete_reason::SWARM_DELETE_DELETED,
            DeleteReason::Terminated => swarm_delete_reason::SWARM_DELETE_TERMINATED,
            DeleteReason::LeaseLost => swarm_delete_reason::SWARM_DELETE_LEASE_LOST,
            DeleteReason::TimedOut => swarm_delete_reason::SWARM_DELETE_TIMED_OUT,
            DeleteReason::Moved => swarm_delete_reason::SWARM_DELETE_MOVED,
        }
    }
}
