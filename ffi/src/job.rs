//! Jobs in the hands of a worker's program: what they are, and whose. Finishing them is in `finish`.

use std::ffi::{CStr, CString, c_char, c_void};
use std::sync::atomic::{AtomicPtr, AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};

use libswarm::{DeleteReason, Error, ErrorKind, Finish, Job, Result};

use crate::bytes::{json, swarm_bytes, swarm_content_type};
use crate::error::{swarm_error, text as c_text};
use crate::guard::{given, guard, guard_value, optional};
use crate::job_options::swarm_header;
use crate::jobs::Jobs;
use crate::status::swarm_status;

/// A job given to a worker. Whoever got it from the add callback owns it, and lets go of it exactly once: by a call that
/// finishes it and returns SWARM_OK, or by swarm_job_free. Its owner may use it on any thread.
pub struct swarm_job {
    job: Job,
    pub(crate) jobs: Arc<Jobs>,
    /// `OWNED`, `FINISHED`, `KEPT`, `STOP`.
    state: AtomicU8,
    /// The id with its NUL, made when first asked for; so are the texts that most jobs do not have.
    id: OnceLock<CString>,
    texts: OnceLock<Box<Texts>>,
    user_data: AtomicPtr<c_void>,
}

/// What a job with options can have beside its id, for C.
struct Texts {
    task: CString,
    resource: CString,
    /// What the pointers of `shown` lead to.
    headers: Vec<(CString, CString)>,
    shown: Vec<swarm_header>,
}

// SAFETY: the pointers lead to what is owned beside them and never changes.
unsafe impl Send for Texts {}
// SAFETY: as above.
unsafe impl Sync for Texts {}

/// The program has not let go of the job.
const OWNED: u8 = 1;
/// A finish was handed over.
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
    /// The job is to go to a worker that joined.
    SWARM_DELETE_MOVED = 4,
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

/// How many workers died while they ran this job.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_job_crashes(job: Option<&swarm_job>) -> u32 {
    job.map_or(0, |job| job.job.crashes)
}

/// Which attempt this is, from 1: how often the job failed before, and 1. Crashes of workers and releases do not count.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_job_attempt(job: Option<&swarm_job>) -> u32 {
    job.map_or(0, |job| job.job.attempt())
}

/// How many more attempts there are if this one fails.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_job_retries_left(job: Option<&swarm_job>) -> u32 {
    job.map_or(0, |job| job.job.retries_left())
}

/// The job's priority.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_job_priority(job: Option<&swarm_job>) -> i64 {
    job.map_or(0, |job| job.job.priority())
}

/// The job's task; "" if it has none.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_job_task(job: Option<&swarm_job>) -> *const c_char {
    guard_value(c"".as_ptr(), || job.map_or(c"".as_ptr(), |job| job.texts().task.as_ptr()))
}

/// The job's resource; "" if it has none.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_job_resource(job: Option<&swarm_job>) -> *const c_char {
    guard_value(c"".as_ptr(), || job.map_or(c"".as_ptr(), |job| job.texts().resource.as_ptr()))
}

/// The job's headers, in the order of their names, and their number in `count`, which may be NULL. Fit to be passed on in
/// swarm_job_options.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_job_headers(job: Option<&swarm_job>, count: *mut usize) -> *const swarm_header {
    guard_value(std::ptr::null(), || {
        let headers = job.map_or(&[][..], |job| &job.texts().shown);
        optional(count).set(headers.len());
        if headers.is_empty() { std::ptr::null() } else { headers.as_ptr() }
    })
}

/// The value of the header of this name; NULL if the job has none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_job_header(job: Option<&swarm_job>, name: *const c_char) -> *const c_char {
    guard_value(std::ptr::null(), || {
        let Some(job) = job.filter(|_| !name.is_null()) else { return std::ptr::null() };
        // SAFETY: a non-NULL text is NUL-terminated.
        let name = unsafe { CStr::from_ptr(name) };
        let header = job.texts().headers.iter().find(|(header, _)| header.as_c_str() == name);
        header.map_or(std::ptr::null(), |(_, value)| value.as_ptr())
    })
}

/// Stores how far the work is, as JSON text of at most 4 KiB, for those who look the job up; never blocks. The latest wins; a
/// job that is over ignores it.
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
    /// A job for the add callback, which owns it.
    pub(crate) fn owned(job: Job, jobs: Arc<Jobs>) -> swarm_job {
        let (id, texts) = (OnceLock::new(), OnceLock::new());
        swarm_job { job, jobs, state: AtomicU8::new(OWNED), id, texts, user_data: AtomicPtr::default() }
    }

    /// A job for a callback that runs it to its end.
    pub(crate) fn lent(job: Job, jobs: Arc<Jobs>) -> swarm_job {
        swarm_job { state: AtomicU8::new(0), ..swarm_job::owned(job, jobs) }
    }

    /// A job whose execution is over, for a callback that is told its outcome.
    pub(crate) fn ended(job: Job, jobs: Arc<Jobs>) -> swarm_job {
        swarm_job { state: AtomicU8::new(FINISHED), ..swarm_job::owned(job, jobs) }
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.job.is_cancelled()
    }

    fn texts(&self) -> &Texts {
        self.texts.get_or_init(|| {
            let headers: Vec<_> = self.job.headers().map(|(name, value)| (c_text(name), c_text(value))).collect();
            let shown = headers.iter().map(|(name, value)| swarm_header { name: name.as_ptr(), value: value.as_ptr() }).collect();
            Box::new(Texts { task: c_text(self.job.task()), resource: c_text(self.job.resource()), headers, shown })
        })
    }

    pub(crate) fn fence(&self) -> u64 {
        self.job.fence
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.state.load(Ordering::Acquire) & FINISHED != 0
    }

    /// Marks the job as kept in the map of active jobs; false if it was finished first and does not belong there.
    pub(crate) fn mark_kept(&self) -> bool {
        self.state.fetch_or(KEPT, Ordering::AcqRel) & FINISHED == 0
    }

    /// The delete callback has run. If the program had let go of the job before, nobody else will say that it stopped.
    pub(crate) fn told_to_stop(&self) {
        if self.state.fetch_or(STOP, Ordering::AcqRel) & (OWNED | FINISHED) == 0 {
            self.end(Finish::Stopped);
        }
    }

    /// The job of a call, if it may be used in this process.
    ///
    /// # Safety
    /// `job` is NULL or a pointer that the add callback was given and that is still valid.
    pub(crate) unsafe fn open<'a>(job: *const swarm_job) -> Result<&'a swarm_job> {
        // SAFETY: promised by the caller.
        let job = given(unsafe { job.as_ref() }, "job")?;
        job.jobs.owner.check()?;
        Ok(job)
    }

    pub(crate) fn check_unfinished(&self) -> Result<()> {
        if self.is_finished() {
            return Err(Error::new(ErrorKind::StaleFence, "the job was finished before; nothing was changed"));
        }
        Ok(())
    }

    /// A finish was handed over: the worker does not need the job any more.
    pub(crate) fn mark_finished(&self) {
        if self.state.fetch_or(FINISHED, Ordering::AcqRel) & KEPT != 0 {
            self.jobs.forget(self.fence());
        }
    }

    /// Finishes a job that nobody owns, unless it is finished.
    pub(crate) fn end(&self, finish: Finish) {
        if !self.is_finished() {
            // A worker freed meanwhile has given all its jobs back.
            let _ = self.jobs.finish(self.fence(), finish, None);
            self.mark_finished();
        }
    }

    /// Ends the program's ownership, if it has it: inside a delete callback it may have ended before.
    ///
    /// # Safety
    /// `job` is a pointer that the add callback was given and that is still valid; it is not used after this.
    pub(crate) unsafe fn let_go(job: *mut swarm_job) {
        // SAFETY: promised by the caller.
        let open = unsafe { &*job };
        let before = open.state.fetch_and(!OWNED, Ordering::AcqRel);
        if before & OWNED == 0 {
            return;
        }
        if before & (STOP | FINISHED) == STOP && open.jobs.owner.is_here() {
            open.end(Finish::Stopped);
        }
        // SAFETY: the add callback was given this share in the job, and its owner gives it up.
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
