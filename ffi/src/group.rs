//! Groups of work: many jobs added at once, and all of their outcomes awaited.

use std::ffi::c_void;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Instant;

use libswarm::{Error, ErrorKind, Master, NewJob, Result};

use crate::add::read_jobs;
use crate::asking::Asking;
use crate::callback::{UserData, shown, split, swarm_destroy_fn, swarm_done_fn, swarm_each_fn, swarm_outcomes_fn};
use crate::error::swarm_error;
use crate::flag::swarm_flag;
use crate::guard::{given, guard, guard_value, place};
use crate::job_options::swarm_new_job;
use crate::master::swarm_master;
use crate::operation::PendingEach;
use crate::outcome::{Ran, swarm_outcome};
use crate::runtime::{deadline, timed_out, within};
use crate::status::swarm_status;

const DOING: &str = "running jobs";

/// How the jobs of a group ended, in the order in which they were given.
pub struct swarm_outcomes {
    all: Vec<(Option<swarm_error>, Option<swarm_outcome>)>,
}

/// Adds jobs with `result` set and waits for all of their outcomes, at most `timeout_ms`. The jobs are deleted if this master
/// leaves or is lost, as by the option `ephemeral`, unless `keep` is true. A timeout ends the wait, not the jobs.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_run_many(
    master: Option<&swarm_master>,
    jobs: *const swarm_new_job,
    count: usize,
    keep: swarm_flag,
    timeout_ms: u64,
    outcomes: *mut *mut swarm_outcomes,
    error: *mut *mut swarm_error,
) -> swarm_status {
    guard(error, || {
        let member = swarm_master::member(master)?;
        let place = place(outcomes, "outcomes")?;
        // SAFETY: the caller's array is readable for its count.
        let jobs = unsafe { read_group(jobs, count, keep) }?;
        let ended = member.ask(timeout_ms, DOING, |core| async move { run_many(core, jobs).await })?;
        place.give(ended.into());
        Ok(())
    })
}

/// As swarm_master_run_many, without waiting; `done` is called once with all outcomes, or with SWARM_ERR_TIMEOUT after
/// `timeout_ms`.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_run_many_async(
    master: Option<&swarm_master>,
    jobs: *const swarm_new_job,
    count: usize,
    keep: swarm_flag,
    timeout_ms: u64,
    done: swarm_outcomes_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
    error: *mut *mut swarm_error,
) -> swarm_status {
    let user_data = UserData::new(user_data, destroy);
    guard(error, || {
        let member = swarm_master::member(master)?;
        // SAFETY: the caller's array is readable for its count.
        let jobs = unsafe { read_group(jobs, count, keep) }?;
        member.ask_async(done, user_data, |core| async move { within(timeout_ms, DOING, run_many(core, jobs)).await })
    })
}

/// As swarm_master_run_many, but calls `each` on the calling thread as each job ends, and returns after the last. After
/// SWARM_ERR_TIMEOUT, those that had ended before were told. `user_data` is used during the call only.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_run_each(
    master: Option<&swarm_master>,
    jobs: *const swarm_new_job,
    count: usize,
    keep: swarm_flag,
    timeout_ms: u64,
    each: swarm_each_fn,
    user_data: *mut c_void,
    error: *mut *mut swarm_error,
) -> swarm_status {
    guard(error, || {
        let member = swarm_master::member(master)?;
        given(each, "each")?;
        // SAFETY: the caller's array is readable for its count.
        let jobs = unsafe { read_group(jobs, count, keep) }?;
        let (core, until) = (member.core.clone(), deadline(timeout_ms));
        let (send, ended) = channel();
        let task = member.handle.spawn(async move {
            let parts = send.clone();
            let result = each_ended(core, jobs, |index, outcome| drop(parts.send(Part::Ended(index, outcome)))).await;
            // Nobody listens any more once the time limit has passed.
            let _ = send.send(Part::End(result));
        });
        loop {
            let part = match until {
                None => ended.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(until) => ended.recv_timeout(until.saturating_duration_since(Instant::now())),
            };
            match part {
                // SAFETY: the callback and its data belong together.
                Ok(Part::Ended(index, outcome)) => unsafe { tell_part(each, user_data, index, outcome) },
                Ok(Part::End(result)) => return result,
                Err(RecvTimeoutError::Timeout) => {
                    task.abort();
                    return Err(timed_out(timeout_ms, DOING));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Error::new(ErrorKind::Closed, format!("{DOING}: closed before it was done")));
                }
            }
        }
    })
}

/// As swarm_master_run_each, without waiting: `each` is called as each job ends, then `done` once, which may be NULL. Both get
/// `user_data`.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_run_each_async(
    master: Option<&swarm_master>,
    jobs: *const swarm_new_job,
    count: usize,
    keep: swarm_flag,
    timeout_ms: u64,
    each: swarm_each_fn,
    done: swarm_done_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
    error: *mut *mut swarm_error,
) -> swarm_status {
    let user_data = UserData::new(user_data, destroy);
    guard(error, || {
        let member = swarm_master::member(master)?;
        given(each, "each")?;
        // SAFETY: the caller's array is readable for its count.
        let jobs = unsafe { read_group(jobs, count, keep) }?;
        let pending = PendingEach::begin(member.dispatching()?, each, done, user_data)?;
        let core = member.core.clone();
        member.handle.spawn(async move {
            let ended = each_ended(core, jobs, |index, outcome| pending.part(index, outcome));
            let result = within(timeout_ms, DOING, ended).await;
            pending.end(result);
        });
        Ok(())
    })
}

/// How many jobs were given; 0 for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_outcomes_count(outcomes: Option<&swarm_outcomes>) -> usize {
    outcomes.map_or(0, |outcomes| outcomes.all.len())
}

/// How the job at `index` ended; NULL if that could not be learnt, see swarm_outcomes_error. Lives as long as `outcomes`.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_outcomes_get(outcomes: Option<&swarm_outcomes>, index: usize) -> *const swarm_outcome {
    let ended = outcomes.and_then(|outcomes| outcomes.all.get(index));
    ended.and_then(|(_, outcome)| outcome.as_ref()).map_or(std::ptr::null(), |outcome| outcome)
}

/// Why there is no outcome of the job at `index`, such as SWARM_ERR_JOB_DELETED; NULL if there is one. Lives as long as
/// `outcomes`.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_outcomes_error(outcomes: Option<&swarm_outcomes>, index: usize) -> *const swarm_error {
    let ended = outcomes.and_then(|outcomes| outcomes.all.get(index));
    ended.map_or(std::ptr::null(), |(error, _)| shown(error))
}

/// Frees what swarm_master_run_many handed out. What a callback was shown must not be freed.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_outcomes_free(outcomes: Option<Box<swarm_outcomes>>) {
    guard_value((), || drop(outcomes));
}

impl From<Vec<Result<Ran>>> for swarm_outcomes {
    fn from(ended: Vec<Result<Ran>>) -> Self {
        swarm_outcomes { all: ended.into_iter().map(split).collect() }
    }
}

/// What the runtime tells the thread that waits for a group.
enum Part {
    Ended(usize, Result<Ran>),
    End(Result<()>),
}

async fn each_ended(core: Master, jobs: Vec<NewJob>, tell: impl Fn(usize, Result<Ran>)) -> Result<()> {
    let mut group = core.run_each(jobs).await?;
    while let Some((index, outcome)) = group.next().await {
        let existed = group.added[index].existed;
        tell(index, outcome.map(|outcome| Ran { outcome, existed }));
    }
    Ok(())
}

async fn run_many(core: Master, jobs: Vec<NewJob>) -> Result<Vec<Result<Ran>>> {
    let mut existed = Vec::new();
    let ended = core.run_many_with(jobs, |added| existed.extend(added.iter().map(|added| added.existed))).await?;
    Ok(ended.into_iter().zip(existed).map(|(ended, existed)| ended.map(|outcome| Ran { outcome, existed })).collect())
}

/// # Safety
/// As for [`read_jobs`].
unsafe fn read_group(jobs: *const swarm_new_job, count: usize, keep: swarm_flag) -> Result<Vec<NewJob>> {
    // SAFETY: promised by the caller.
    let jobs = unsafe { read_jobs(jobs, count) }?;
    Ok(if keep.is_set() { jobs } else { jobs.into_iter().map(|job| job.ephemeral(true)).collect() })
}

/// Tells how one job ended.
///
/// # Safety
/// `user_data` must be what `each` was given with.
pub(crate) unsafe fn tell_part(each: swarm_each_fn, user_data: *mut c_void, index: usize, outcome: Result<Ran>) {
    let Some(each) = each else { return };
    let (error, outcome) = split::<Ran, swarm_outcome>(outcome);
    let outcome = outcome.as_ref().map_or(std::ptr::null(), |outcome| outcome as *const swarm_outcome);
    // SAFETY: the callback and its data belong together; what it is shown lives until it returns.
    unsafe { each(user_data, index, shown(&error), outcome) }
}
