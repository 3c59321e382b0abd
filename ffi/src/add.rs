//! Adding jobs.

use std::ffi::{CString, c_char, c_void};

use libswarm::{Added, NewJob, Result};

use crate::asking::Asking;
use crate::bytes::swarm_bytes;
use crate::callback::{UserData, swarm_added_fn, swarm_destroy_fn};
use crate::error::{swarm_error, text};
use crate::guard::{array, guard, guard_value, optional};
use crate::job_options::{swarm_job_options, swarm_new_job};
use crate::master::swarm_master;
use crate::runtime::wait_done;
use crate::status::swarm_status;

/// The jobs that an add call has added, in the order they were given.
pub struct swarm_added {
    jobs: Vec<(CString, bool)>,
}

/// Adds one job and waits until Redis has stored it, at most `timeout_ms`. After SWARM_ERR_TIMEOUT it may still be
/// added; with an id of your own it is safe to add it again. `added` may be NULL if the id is of no interest.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_add(
    master: Option<&swarm_master>,
    payload: swarm_bytes,
    options: *const swarm_job_options,
    timeout_ms: u64,
    added: *mut *mut swarm_added,
    error: *mut *mut swarm_error,
) -> swarm_status {
    guard(error, || {
        let member = swarm_master::member(master)?;
        // SAFETY: the caller's payload and options are readable.
        let job = unsafe { swarm_new_job { payload, options }.read() }?;
        let jobs = wait_done(timeout_ms, "adding a job", |done| member.core.submit(vec![job], done))?;
        optional(added).give(jobs.into());
        Ok(())
    })
}

/// Adds many jobs in few steps and waits until Redis has stored all of them. All are checked before any is sent.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_add_many(
    master: Option<&swarm_master>,
    jobs: *const swarm_new_job,
    count: usize,
    timeout_ms: u64,
    added: *mut *mut swarm_added,
    error: *mut *mut swarm_error,
) -> swarm_status {
    guard(error, || {
        let member = swarm_master::member(master)?;
        // SAFETY: the caller's array is readable for its count.
        let jobs = unsafe { read_jobs(jobs, count) }?;
        let jobs = wait_done(timeout_ms, "adding jobs", |done| member.core.submit(jobs, done))?;
        optional(added).give(jobs.into());
        Ok(())
    })
}

/// Adds one job without waiting. `done` is called once when Redis has stored it, or when that failed; it may be NULL.
/// Jobs added while a batch is on its way go together as the next one, so adding one by one is nearly as quick as many.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_add_async(
    master: Option<&swarm_master>,
    payload: swarm_bytes,
    options: *const swarm_job_options,
    done: swarm_added_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
    error: *mut *mut swarm_error,
) -> swarm_status {
    let user_data = UserData::new(user_data, destroy);
    guard(error, || {
        // SAFETY: the caller's payload and options are readable.
        submit(master, done, user_data, || Ok(vec![unsafe { swarm_new_job { payload, options }.read() }?]))
    })
}

/// Adds many jobs without waiting; `done` is called once for all of them and may be NULL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_add_many_async(
    master: Option<&swarm_master>,
    jobs: *const swarm_new_job,
    count: usize,
    done: swarm_added_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
    error: *mut *mut swarm_error,
) -> swarm_status {
    let user_data = UserData::new(user_data, destroy);
    guard(error, || {
        // SAFETY: the caller's array is readable for its count.
        submit(master, done, user_data, || unsafe { read_jobs(jobs, count) })
    })
}

/// How many jobs were added; 0 for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_added_count(added: Option<&swarm_added>) -> usize {
    added.map_or(0, |added| added.jobs.len())
}

/// The id of the job at `index`; NULL if there is none. Lives as long as `added`.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_added_id(added: Option<&swarm_added>, index: usize) -> *const c_char {
    added.and_then(|added| added.jobs.get(index)).map_or(std::ptr::null(), |(id, _)| id.as_ptr())
}

/// Whether a job with that id existed before, and was left as it was.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_added_existed(added: Option<&swarm_added>, index: usize) -> bool {
    added.and_then(|added| added.jobs.get(index)).is_some_and(|(_, existed)| *existed)
}

/// Frees what swarm_master_add or swarm_master_add_many handed out. What a callback was shown must not be freed.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_added_free(added: Option<Box<swarm_added>>) {
    guard_value((), || drop(added));
}

impl From<Vec<Added>> for swarm_added {
    fn from(jobs: Vec<Added>) -> Self {
        swarm_added { jobs: jobs.into_iter().map(|job| (id_text(job.id), job.existed)).collect() }
    }
}

fn submit(
    master: Option<&swarm_master>,
    done: swarm_added_fn,
    user_data: UserData,
    jobs: impl FnOnce() -> Result<Vec<NewJob>>,
) -> Result<()> {
    let member = swarm_master::member(master)?;
    let jobs = jobs()?;
    member.core.submit(jobs, member.begin(done, user_data)?.into_done());
    Ok(())
}

/// # Safety
/// `jobs` is readable for `count` jobs, each as for [`swarm_new_job::read`].
pub(crate) unsafe fn read_jobs(jobs: *const swarm_new_job, count: usize) -> Result<Vec<NewJob>> {
    // SAFETY: promised by the caller.
    let jobs = unsafe { array(jobs, count, "jobs") }?;
    // SAFETY: promised by the caller.
    jobs.iter().map(|job| unsafe { job.read() }).collect()
}

/// Ids have no control characters, so the plain way is the one taken.
fn id_text(id: String) -> CString {
    CString::new(id).unwrap_or_else(|error| text(&String::from_utf8_lossy(&error.into_vec())))
}
