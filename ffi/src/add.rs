//! Adding jobs.

use std::ffi::{CString, c_char};
use std::sync::{Arc, OnceLock};

use libswarm::{Added, NewJob, Result};

use crate::bytes::swarm_bytes;
use crate::call::{Answer, call, swarm_call};
use crate::error::text;
use crate::guard::array;
use crate::job_options::{swarm_job_options, swarm_new_job};
use crate::master::swarm_master;
use crate::worker::{WorkerMember, swarm_worker};

const DOING: &str = "adding jobs";

/// Starts to add one job. The call ends when Redis has stored it; swarm_call_id and swarm_call_existed read the answer. After
/// SWARM_ERR_TIMEOUT the job may still be added; with an id of your own it is safe to add it again. Jobs that are added while a
/// batch is under way are sent together in the next one, so adding one by one without waiting is nearly as fast as
/// swarm_master_add_many.
///
/// `options` is NULL for the defaults. Fails with SWARM_ERR_INVALID_ARGUMENT, SWARM_ERR_TOO_LARGE, or SWARM_ERR_BUFFER_FULL if
/// too many bytes wait for Redis.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_add(
    master: Option<&swarm_master>,
    payload: swarm_bytes,
    options: *const swarm_job_options,
) -> *mut swarm_call {
    call(|| {
        let master = swarm_master::open(master)?;
        // SAFETY: the caller's payload and options are readable.
        let job = unsafe { swarm_new_job { payload, options }.read() }?;
        let submit = |done| master.core.submit(vec![job], done);
        Ok(swarm_call::submitted::<Vec<Added>, AddedJobs>(&master.context, DOING, submit))
    })
}

/// Starts to add many jobs in few batches. The call ends when Redis has stored all of them. All are checked before any is sent.
/// The answers are in the order of the jobs.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_add_many(
    master: Option<&swarm_master>,
    jobs: *const swarm_new_job,
    count: usize,
) -> *mut swarm_call {
    call(|| {
        let master = swarm_master::open(master)?;
        // SAFETY: the caller's array is readable for its count.
        let jobs = unsafe { read_jobs(jobs, count) }?;
        let submit = |done| master.core.submit(jobs, done);
        Ok(swarm_call::submitted::<Vec<Added>, AddedJobs>(&master.context, DOING, submit))
    })
}

/// As swarm_master_add, with the connection of a worker that has started, also in its callbacks. An ephemeral job is deleted when
/// the worker leaves or is lost. A worker does not await results: a master does, by the job's id.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_worker_add(
    worker: Option<&swarm_worker>,
    payload: swarm_bytes,
    options: *const swarm_job_options,
) -> *mut swarm_call {
    call(|| {
        let worker = swarm_worker::open(worker)?;
        // SAFETY: the caller's payload and options are readable.
        let job = unsafe { swarm_new_job { payload, options }.read() }?;
        add_by_worker(worker, vec![job])
    })
}

/// As swarm_master_add_many, with the connection of a worker; see swarm_worker_add.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_worker_add_many(
    worker: Option<&swarm_worker>,
    jobs: *const swarm_new_job,
    count: usize,
) -> *mut swarm_call {
    call(|| {
        let worker = swarm_worker::open(worker)?;
        // SAFETY: the caller's array is readable for its count.
        let jobs = unsafe { read_jobs(jobs, count) }?;
        add_by_worker(worker, jobs)
    })
}

fn add_by_worker(worker: &WorkerMember, jobs: Vec<NewJob>) -> Result<Arc<swarm_call>> {
    let core = worker.member.worker()?;
    Ok(swarm_call::submitted::<Vec<Added>, AddedJobs>(&worker.context, DOING, |done| core.submit(jobs, done)))
}

/// The jobs that a call has added, in the order of the jobs.
struct AddedJobs {
    jobs: Vec<Added>,
    /// Created at the first access.
    ids: OnceLock<Vec<CString>>,
}

impl From<Vec<Added>> for AddedJobs {
    fn from(jobs: Vec<Added>) -> Self {
        AddedJobs { jobs, ids: OnceLock::new() }
    }
}

impl Answer for AddedJobs {
    fn count(&self) -> usize {
        self.jobs.len()
    }

    fn id(&self, index: usize) -> *const c_char {
        let ids = self.ids.get_or_init(|| self.jobs.iter().map(|job| text(&job.id)).collect());
        ids.get(index).map_or(std::ptr::null(), |id| id.as_ptr())
    }

    fn existed(&self, index: usize) -> bool {
        self.jobs.get(index).is_some_and(|job| job.existed)
    }

    fn replaced(&self, index: usize) -> bool {
        self.jobs.get(index).is_some_and(|job| job.replaced)
    }
}

/// # Safety
/// `jobs` is readable for `count` jobs, each as for [`swarm_new_job::read`].
pub(crate) unsafe fn read_jobs(jobs: *const swarm_new_job, count: usize) -> Result<Vec<NewJob>> {
    // SAFETY: promised by the caller.
    let jobs = unsafe { array(jobs, count, "jobs") }?;
    // SAFETY: promised by the caller.
    jobs.iter().map(|job| unsafe { job.read() }).collect()
}
