//! Running one or many jobs and awaiting their results.

use std::collections::VecDeque;
use std::ffi::{c_char, c_void};
use std::sync::Arc;

use libswarm::{Master, NewJob, Outcome, Result};
use libswarm_host::lock::{Mutex, MutexGuard};

use crate::add::read_jobs;
use crate::bytes::swarm_bytes;
use crate::call::{Answer, call, swarm_call};
use crate::callback::{UserData, swarm_destroy_fn};
use crate::dispatch::{Deliver, Dispatch};
use crate::error::{shown, swarm_error};
use crate::flag::swarm_flag;
use crate::guard::text;
use crate::job_options::{swarm_job_options, swarm_new_job};
use crate::master::swarm_master;
use crate::outcome::swarm_outcome;

/// Called as one job of several finishes; `index` is its position among them. If the outcome could not be determined, `outcome`
/// is NULL; otherwise `error` is NULL. Both are borrowed for the call.
pub type swarm_each_fn =
    Option<unsafe extern "C" fn(user_data: *mut c_void, index: usize, error: *const swarm_error, outcome: *const swarm_outcome)>;

/// Starts to wait for the outcome of a job that any member added with `result`. It is available until `result_ttl` after the job
/// has finished. Ends with SWARM_ERR_NOT_FOUND if there is no such job or its result has expired, SWARM_ERR_JOB_DELETED if it was
/// deleted.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_result(master: Option<&swarm_master>, id: *const c_char) -> *mut swarm_call {
    call(|| {
        let master = swarm_master::open(master)?;
        // SAFETY: a non-NULL text is NUL-terminated.
        let (core, id) = (master.core.clone(), unsafe { text(id, "id") }?.to_owned());
        Ok(swarm_call::awaited(
            &master.context,
            "awaiting a result",
            async move { Ok(Outcomes::one(core.result(id).await?, false)) },
        ))
    })
}

/// Adds a job with `result` set and waits for its outcome, swarm_call_outcome at index 0. Freeing the call ends the wait, not the
/// job. If a job with this id or with its unique key exists, the outcome is that of the existing job, see `existed` of swarm_outcome_details.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_run(
    master: Option<&swarm_master>,
    payload: swarm_bytes,
    options: *const swarm_job_options,
) -> *mut swarm_call {
    call(|| {
        let master = swarm_master::open(master)?;
        // SAFETY: the caller's payload and options are readable.
        let (core, job) = (master.core.clone(), unsafe { swarm_new_job { payload, options }.read() }?);
        Ok(swarm_call::awaited(&master.context, "running a job", async move {
            let mut existed = false;
            let outcome = core.run_with(job, |added| existed = added.existed).await?;
            Ok(Outcomes::one(outcome, existed))
        }))
    })
}

/// Adds jobs with `result` set and waits for all of their outcomes, which are in the order of the jobs. Freeing the call ends the
/// wait, not the jobs. Unless `keep` is true, the jobs are deleted if this master leaves or is lost, as with the option
/// `ephemeral`.
///
/// `each`, unless NULL, is called as each job finishes, with the other callbacks of the master; a wait for the call includes all
/// of these callbacks.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_run_many(
    master: Option<&swarm_master>,
    jobs: *const swarm_new_job,
    count: usize,
    keep: swarm_flag,
    each: swarm_each_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
) -> *mut swarm_call {
    let user_data = UserData::new(user_data, destroy);
    call(|| {
        let master = swarm_master::open(master)?;
        // SAFETY: the caller's array is readable for its count.
        let (core, jobs) = (master.core.clone(), unsafe { read_group(jobs, count, keep) }?);
        if each.is_none() {
            return Ok(swarm_call::awaited(&master.context, "running jobs", run_many(core, jobs, None)));
        }
        let each = Each::begin(master.context.serve()?, each, user_data)?;
        Ok(swarm_call::joined_awaited(&master.context, "running jobs", run_many(core, jobs, Some(each))))
    })
}

/// The outcome of the job at `index`, of a call of swarm_master_result, swarm_master_run (0) or swarm_master_run_many. NULL if it
/// could not be determined, see swarm_call_outcome_error. Valid as long as the call.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_call_outcome(call: Option<&swarm_call>, index: usize) -> *const swarm_outcome {
    let ended = swarm_call::read::<Outcomes>(call).and_then(|outcomes| outcomes.all.get(index));
    ended.and_then(|ended| ended.as_ref().ok()).map_or(std::ptr::null(), |outcome| outcome)
}

/// Why there is no outcome of the job at `index`, such as SWARM_ERR_JOB_DELETED; NULL if there is one. Valid as long as the call.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_call_outcome_error(call: Option<&swarm_call>, index: usize) -> *const swarm_error {
    let ended = swarm_call::read::<Outcomes>(call).and_then(|outcomes| outcomes.all.get(index));
    ended.and_then(|ended| ended.as_ref().err()).map_or(std::ptr::null(), |error| error)
}

/// The outcomes of jobs, in the order of the jobs.
struct Outcomes {
    all: Vec<Ended>,
}

type Ended = std::result::Result<swarm_outcome, swarm_error>;

impl Outcomes {
    fn one(outcome: Outcome, existed: bool) -> Outcomes {
        Outcomes { all: vec![Ok(swarm_outcome::new(outcome, existed))] }
    }
}

impl Answer for Outcomes {
    fn count(&self) -> usize {
        self.all.len()
    }
}

async fn run_many(core: Master, jobs: Vec<NewJob>, each: Option<Each>) -> Result<Outcomes> {
    let mut group = core.run_each(jobs).await?;
    let mut all: Vec<Option<Ended>> = group.added.iter().map(|_| None).collect();
    while let Some((index, outcome)) = group.next().await {
        let existed = group.added[index].existed;
        if let Some(each) = &each {
            each.part(index, shown_outcome(outcome.clone(), existed));
        }
        all[index] = Some(shown_outcome(outcome, existed));
    }
    Ok(Outcomes { all: all.into_iter().flatten().collect() })
}

fn shown_outcome(outcome: Result<Outcome>, existed: bool) -> Ended {
    outcome.map(|outcome| swarm_outcome::new(outcome, existed)).map_err(swarm_error::from)
}

/// # Safety
/// As for [`read_jobs`].
unsafe fn read_group(jobs: *const swarm_new_job, count: usize, keep: swarm_flag) -> Result<Vec<NewJob>> {
    // SAFETY: promised by the caller.
    let jobs = unsafe { read_jobs(jobs, count) }?;
    Ok(if keep.is_set() { jobs } else { jobs.into_iter().map(|job| job.ephemeral(true)).collect() })
}

/// The callback for each outcome of a group. Dropped at the end of the group; the callback's data lives until the last has run.
struct Each {
    dispatch: Arc<Dispatch>,
    key: usize,
    parts: Arc<Parts>,
}

struct Parts(Mutex<PartsState>);

struct PartsState {
    callback: Option<(swarm_each_fn, UserData)>,
    /// The operation is queued once for each of them, and once for its end.
    outcomes: VecDeque<(usize, Ended)>,
}

impl Each {
    fn begin(dispatch: &Arc<Dispatch>, each: swarm_each_fn, user_data: UserData) -> Result<Each> {
        let state = PartsState { callback: Some((each, user_data)), outcomes: VecDeque::new() };
        let parts = Arc::new(Parts(Mutex::new(state)));
        let key = dispatch.register(parts.clone())?;
        Ok(Each { dispatch: dispatch.clone(), key, parts })
    }

    /// Delivers one outcome. Can be called from any thread and is quick.
    fn part(&self, index: usize, outcome: Ended) {
        self.parts.lock().outcomes.push_back((index, outcome));
        self.dispatch.push(self.parts.clone());
    }
}

impl Drop for Each {
    fn drop(&mut self) {
        self.dispatch.end(self.key);
    }
}

impl Parts {
    fn lock(&self) -> MutexGuard<'_, PartsState> {
        self.0.lock()
    }
}

impl Deliver for Parts {
    fn deliver(&self) {
        let mut state = self.lock();
        // Taken out of the state for the call, because the lock must not be held then. Callbacks of one member never overlap.
        let Some((each, user_data)) = state.callback.take() else { return };
        let part = state.outcomes.pop_front();
        drop(state);
        let (Some(function), Some((index, outcome))) = (each, part) else { return };
        let (outcome, error) = match outcome {
            Ok(outcome) => (Some(outcome), None),
            Err(error) => (None, Some(error)),
        };
        let outcome = outcome.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
        // SAFETY: the callback and its data belong together; its arguments live until it returns.
        unsafe { function(user_data.pointer(), index, shown(&error), outcome) }
        self.lock().callback = Some((each, user_data));
    }
}
