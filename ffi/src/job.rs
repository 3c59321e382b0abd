//! Jobs that a program owns or borrows, and their data. Finishing them is in `finish`.

use std::ffi::{CStr, CString, c_char, c_void};
use std::sync::atomic::{AtomicPtr, AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};

use libswarm::{DeleteReason, Error, ErrorKind, Finish, Job, MAX_RESULT, Result};

use crate::bytes::{json, swarm_bytes, swarm_content_type};
use crate::error::{swarm_error, text as c_text};
use crate::guard::{self, given, guard, guard_value};
use crate::job_options::swarm_header;
use crate::jobs::{Jobs, Kept};
use crate::status::swarm_status;

/// A job assigned to a worker. The callee of the add callback owns it, and ends its ownership exactly once: by a swarm_job_finish
/// that returns SWARM_OK, or by swarm_job_free. The owner may use it on any thread, one at a time.
pub struct swarm_job {
    job: Job,
    pub(crate) jobs: Arc<Jobs<swarm_job>>,
    /// `OWNED`, `FINISHED`, `KEPT`, `STOP`.
    state: AtomicU8,
    /// The id with its NUL, created at the first access; so are the details.
    id: OnceLock<CString>,
    details: OnceLock<Box<Details>>,
    user_data: AtomicPtr<c_void>,
}

/// The data of a job besides its id, payload and fencing token. Only the library creates it.
#[repr(C)]
pub struct swarm_job_info {
    /// The size of the struct in this library; a later one may be larger.
    pub struct_size: usize,
    /// A swarm_content_type: how to interpret the payload.
    pub content_type: i32,
    /// How many workers crashed in a row while they ran the job.
    pub crashes: u32,
    /// The number of this attempt, from 1: one more than the attempts that failed before. Crashes of workers and releases do not
    /// count. 0 for NULL as the job.
    pub attempt: u32,
    /// How many more attempts there are if this one fails.
    pub retries_left: u32,
    /// The job's priority.
    pub priority: i64,
    /// The job's task; "" if it has none.
    pub task: *const c_char,
    /// The job's resource; "" if it has none.
    pub resource: *const c_char,
    /// The job's group; "" if it has none.
    pub group: *const c_char,
    /// The job's headers, in the order of their names; they can be passed on in swarm_job_options. NULL if there are none.
    pub headers: *const swarm_header,
    /// The number of headers.
    pub header_count: usize,
    /// The last checkpoint that an earlier execution stored with swarm_job_checkpoint, as JSON text; NULL if there is none.
    pub last_checkpoint: *const c_char,
    /// The slot of its schedule, in ms since 1970 on Redis' clock; 0 if no schedule added the job.
    pub scheduled_for: u64,
}

/// The details of a job in the layout of C.
struct Details {
    shown: swarm_job_info,
    /// The data to which the pointers of `shown` point.
    _task: CString,
    _resource: CString,
    _group: CString,
    _last_checkpoint: Option<CString>,
    headers: Vec<(CString, CString)>,
    _shown_headers: Vec<swarm_header>,
}

// SAFETY: the pointers lead to what is owned beside them and never changes.
unsafe impl Send for Details {}
// SAFETY: as above.
unsafe impl Sync for Details {}

/// The details for NULL as the job.
struct Empty(swarm_job_info);

// SAFETY: its pointers lead to static texts or are NULL.
unsafe impl Sync for Empty {}

static EMPTY: Empty = Empty(swarm_job_info {
    struct_size: size_of::<swarm_job_info>(),
    content_type: 0,
    crashes: 0,
    attempt: 0,
    retries_left: 0,
    priority: 0,
    task: c"".as_ptr(),
    resource: c"".as_ptr(),
    group: c"".as_ptr(),
    headers: std::ptr::null(),
    header_count: 0,
    last_checkpoint: std::ptr::null(),
    scheduled_for: 0,
});

/// The program owns the job.
const OWNED: u8 = 1;
/// The job was finished.
const FINISHED: u8 = 2;
/// The job is in the worker's map of active jobs.
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
    /// The job's `run_timeout` or `total_timeout` is over.
    SWARM_DELETE_TIMED_OUT = 3,
    /// The job moves to a worker that joined.
    SWARM_DELETE_MOVED = 4,
}

/// The job's id. Valid as long as the job, as is everything that the functions for reading a job return.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_job_id(job: Option<&swarm_job>) -> *const c_char {
    guard_value(c"".as_ptr(), || job.map_or(c"".as_ptr(), |job| job.id.get_or_init(|| c_text(&job.job.id)).as_ptr()))
}

/// The payload as it was added.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_job_payload(job: Option<&swarm_job>) -> swarm_bytes {
    job.map_or(swarm_bytes::EMPTY, |job| job.job.payload.bytes.as_slice().into())
}

/// The fencing token of this execution. It is larger than that of every execution before, so that `WHERE fence <= :fence` in the
/// program's own database rejects stale executions. 0 for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_job_fence(job: Option<&swarm_job>) -> u64 {
    job.map_or(0, Kept::fence)
}

/// The other data of the job. Valid as long as the job. Never NULL; empty for NULL as the job.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_job_details(job: Option<&swarm_job>) -> *const swarm_job_info {
    let empty = || &raw const EMPTY.0;
    guard_value(empty(), || job.map_or_else(empty, |job| &raw const job.details().shown))
}

/// The value of the header with this name; NULL if the job has none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_job_header(job: Option<&swarm_job>, name: *const c_char) -> *const c_char {
    guard_value(std::ptr::null(), || {
        let Some(job) = job.filter(|_| !name.is_null()) else { return std::ptr::null() };
        // SAFETY: a non-NULL text is NUL-terminated.
        let name = unsafe { CStr::from_ptr(name) };
        let header = job.details().headers.iter().find(|(header, _)| header.as_c_str() == name);
        header.map_or(std::ptr::null(), |(_, value)| value.as_ptr())
    })
}

/// Stores the progress of the job, which inspections of the job show, as JSON text of at most 4 KiB; never blocks. The latest
/// value wins. Ignored if the job is over. SWARM_ERR_INVALID_ARGUMENT if it is not JSON, SWARM_ERR_TOO_LARGE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_job_progress(
    job: *const swarm_job,
    progress: swarm_bytes,
    error: *mut *mut swarm_error,
) -> swarm_status {
    guard(error, || {
        // SAFETY: the caller may read the job, and its bytes are readable.
        let (job, progress) = unsafe { (swarm_job::open(job)?, json(progress, "progress")?) };
        let (core, _) = job.jobs.open()?;
        core.progress(job.fence(), progress)
    })
}

/// Stores a checkpoint of the job: JSON text of at most 4 KiB that the next execution of the job reads in `last_checkpoint` of
/// swarm_job_details, after a failed attempt, a release or a crash; never blocks. The latest value wins; it is stored before this
/// execution finishes. Ignored if the job is over. SWARM_ERR_INVALID_ARGUMENT if it is not JSON, SWARM_ERR_TOO_LARGE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_job_checkpoint(
    job: *const swarm_job,
    checkpoint: swarm_bytes,
    error: *mut *mut swarm_error,
) -> swarm_status {
    guard(error, || {
        // SAFETY: the caller may read the job, and its bytes are readable.
        let (job, checkpoint) = unsafe { (swarm_job::open(job)?, json(checkpoint, "checkpoint")?) };
        let (core, _) = job.jobs.open()?;
        core.checkpoint(job.fence(), checkpoint)
    })
}

/// Appends a line to the log of the job, UTF-8, which swarm_master_job shows; never blocks. The log keeps the newest 100 lines over
/// all executions, and is removed with the job. A text of more than 1 KiB is cut and gets an ellipsis at its end. Lines are stored
/// before this execution finishes. Ignored if the job is over. SWARM_ERR_INVALID_ARGUMENT if the text is NULL or not UTF-8.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_job_log(job: *const swarm_job, text: *const c_char, error: *mut *mut swarm_error) -> swarm_status {
    guard(error, || {
        // SAFETY: the caller may read the job, and a non-NULL text is NUL-terminated.
        let (job, text) = unsafe { (swarm_job::open(job)?, guard::text(text, "text")?) };
        let (core, _) = job.jobs.open()?;
        core.log(job.fence(), text);
        Ok(())
    })
}

/// Whether the job was deleted or reclaimed, so that its result will be rejected. Cheap enough to be called often. True for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_job_cancelled(job: Option<&swarm_job>) -> bool {
    guard_value(true, || job.is_none_or(|job| job.job.is_cancelled()))
}

/// Attaches a pointer of the program to the job, for use in the delete callback. libswarm does not use it.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_job_set_user_data(job: Option<&swarm_job>, user_data: *mut c_void) {
    if let Some(job) = job {
        job.user_data.store(user_data, Ordering::Release);
    }
}

/// The pointer attached to the job; NULL if there is none.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_job_user_data(job: Option<&swarm_job>) -> *mut c_void {
    job.map_or(std::ptr::null_mut(), |job| job.user_data.load(Ordering::Acquire))
}

/// Queues the deletion of the job, without waiting. The delete callback follows, as for a deletion by a master. The caller still
/// owns the job.
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

/// Ends the ownership of the job without finishing it: the job stays active until it is deleted or reclaimed. After the delete
/// callback this reports that the work has stopped. Accepts NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_job_free(job: *mut swarm_job) {
    guard_value((), || {
        if !job.is_null() {
            // SAFETY: the caller owns the job and ends its ownership with this call.
            unsafe { swarm_job::let_go(job) };
        }
    });
}

impl Kept for swarm_job {
    fn fence(&self) -> u64 {
        self.job.fence
    }

    fn is_finished(&self) -> bool {
        self.state.load(Ordering::Acquire) & FINISHED != 0
    }

    fn mark_kept(&self) -> bool {
        self.state.fetch_or(KEPT, Ordering::AcqRel) & FINISHED == 0
    }
}

impl swarm_job {
    /// A job for the add callback, which owns it.
    pub(crate) fn owned(job: Job, jobs: Arc<Jobs<swarm_job>>) -> swarm_job {
        let (id, details) = (OnceLock::new(), OnceLock::new());
        swarm_job { job, jobs, state: AtomicU8::new(OWNED), id, details, user_data: AtomicPtr::default() }
    }

    /// A job for a process callback, which borrows it.
    pub(crate) fn lent(job: Job, jobs: Arc<Jobs<swarm_job>>) -> swarm_job {
        swarm_job { state: AtomicU8::new(0), ..swarm_job::owned(job, jobs) }
    }

    /// A job whose execution is over, for a callback that reports its outcome.
    pub(crate) fn ended(job: Job, jobs: Arc<Jobs<swarm_job>>) -> swarm_job {
        swarm_job { state: AtomicU8::new(FINISHED), ..swarm_job::owned(job, jobs) }
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.job.is_cancelled()
    }

    fn details(&self) -> &Details {
        self.details.get_or_init(|| {
            let job = &self.job;
            let headers: Vec<_> = job.headers().map(|(name, value)| (c_text(name), c_text(value))).collect();
            let shown_headers: Vec<_> =
                headers.iter().map(|(name, value)| swarm_header { name: name.as_ptr(), value: value.as_ptr() }).collect();
            let (task, resource, group) = (c_text(job.task()), c_text(job.resource()), c_text(job.group()));
            let checkpoint = job.last_checkpoint().map(c_text);
            let shown = swarm_job_info {
                struct_size: size_of::<swarm_job_info>(),
                content_type: swarm_content_type::from(job.payload.content_type) as i32,
                crashes: job.crashes,
                attempt: job.attempt(),
                retries_left: job.retries_left(),
                priority: job.priority(),
                task: task.as_ptr(),
                resource: resource.as_ptr(),
                group: group.as_ptr(),
                headers: if shown_headers.is_empty() { std::ptr::null() } else { shown_headers.as_ptr() },
                header_count: shown_headers.len(),
                last_checkpoint: checkpoint.as_ref().map_or(std::ptr::null(), |text| text.as_ptr()),
                scheduled_for: job.scheduled_for().unwrap_or(0),
            };
            Box::new(Details {
                shown,
                _task: task,
                _resource: resource,
                _group: group,
                _last_checkpoint: checkpoint,
                headers,
                _shown_headers: shown_headers,
            })
        })
    }

    /// Whether a result of this size is too large for the job.
    pub(crate) fn check_size(&self, finish: &Finish) -> Result<()> {
        match finish {
            Finish::Complete(result) if result.bytes.len() > MAX_RESULT && self.job.wants_result() => {
                let message = format!("the result has {} bytes, the limit is {MAX_RESULT}", result.bytes.len());
                Err(Error::new(ErrorKind::TooLarge, message))
            }
            _ => Ok(()),
        }
    }

    /// The delete callback has run. If the program no longer owns the job, reports it as stopped.
    pub(crate) fn told_to_stop(&self) {
        if self.state.fetch_or(STOP, Ordering::AcqRel) & (OWNED | FINISHED) == 0 {
            self.end(Finish::Stopped);
        }
    }

    /// The job of a call, if it may be used in this process.
    ///
    /// # Safety
    /// `job` is NULL or a pointer that the add callback received and that is still valid.
    pub(crate) unsafe fn open<'a>(job: *const swarm_job) -> Result<&'a swarm_job> {
        // SAFETY: promised by the caller.
        let job = given(unsafe { job.as_ref() }, "job")?;
        job.jobs.context.owner.check()?;
        Ok(job)
    }

    pub(crate) fn core(&self) -> &Job {
        &self.job
    }

    pub(crate) fn check_unfinished(&self) -> Result<()> {
        if self.is_finished() {
            return Err(Error::new(ErrorKind::StaleFence, "the job was finished before; nothing was changed"));
        }
        Ok(())
    }

    /// The job was finished: the worker does not need it any more.
    pub(crate) fn mark_finished(&self) {
        if self.state.fetch_or(FINISHED, Ordering::AcqRel) & KEPT != 0 {
            self.jobs.forget(self.fence());
        }
    }

    /// Finishes a job that the program does not own, unless it is finished.
    pub(crate) fn end(&self, finish: Finish) {
        if !self.is_finished() {
            // A worker that was freed meanwhile has released all its jobs.
            let _ = self.jobs.finish(self.fence(), finish, None);
            self.mark_finished();
        }
    }

    /// Ends the program's ownership. It may have ended before, inside a delete callback.
    ///
    /// # Safety
    /// `job` is a pointer that the add callback received and that is still valid; it is not used after this.
    pub(crate) unsafe fn let_go(job: *mut swarm_job) {
        // SAFETY: promised by the caller.
        let open = unsafe { &*job };
        let before = open.state.fetch_and(!OWNED, Ordering::AcqRel);
        if before & OWNED == 0 {
            return;
        }
        if before & (STOP | FINISHED) == STOP && open.jobs.context.owner.is_here() {
            open.end(Finish::Stopped);
        }
        // SAFETY: the add callback received this share in the job, and its owner ends its ownership.
        drop(unsafe { Arc::from_raw(job) });
    }
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
