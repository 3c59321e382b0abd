//! Flows: jobs that wait for each other.

use std::ffi::c_char;

use libswarm::{Error, NewFlow, Result, inputs_to_json};

use crate::add::read_jobs;
use crate::call::{call, swarm_call};
use crate::error::text as c_text;
use crate::flag::swarm_flag;
use crate::guard::{invalid, optional_text, text};
use crate::job::swarm_job;
use crate::job_options::swarm_new_job;
use crate::json::Json;
use crate::master::swarm_master;
use crate::sized;

/// Which jobs of a flow wait for which others, besides those in their option `after`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum swarm_flow_shape {
    /// None.
    SWARM_FLOW_GRAPH = 0,
    /// Each job waits for the one before.
    SWARM_FLOW_CHAIN = 1,
    /// The last job waits for all others.
    SWARM_FLOW_FAN_IN = 2,
}

/// Options of a flow. Start with `swarm_flow_options flow = SWARM_FLOW_OPTIONS_INIT;` and set the fields that you need.
#[repr(C)]
pub struct swarm_flow_options {
    /// The size of the struct; set by SWARM_FLOW_OPTIONS_INIT.
    pub struct_size: usize,
    /// The flow's id, 1 to 200 bytes of UTF-8 without control characters; for NULL, libswarm generates one. While a flow with this
    /// id exists, and for an hour after its last job has ended, adding it again changes nothing.
    pub id: *const c_char,
    /// A swarm_flow_shape.
    pub shape: i32,
    /// When one job of the flow fails, deletes those that have not ended.
    pub cancel_rest: swarm_flag,
}

/// Starts to add a flow: 1 to 10,000 jobs whose options `after` name each other or other jobs, all or none. No job is assigned before
/// all are in Redis. A job whose id exists is left unchanged, and those after it wait for the existing one. `options` is NULL for
/// the defaults. swarm_call_json answers `{"id", "existed", "jobs": [{"id", "existed"}, ...]}`, in the order of the jobs.
///
/// Fails with SWARM_ERR_INVALID_ARGUMENT if jobs wait for each other in a cycle or for an id that is unknown, which the message
/// names, or for ephemeral jobs; with SWARM_ERR_TOO_LARGE for too many jobs or ids. Then nothing was added.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_add_flow(
    master: Option<&swarm_master>,
    jobs: *const swarm_new_job,
    count: usize,
    options: *const swarm_flow_options,
) -> *mut swarm_call {
    call(|| {
        let master = swarm_master::open(master)?;
        // SAFETY: the caller's array, its texts and the options are readable.
        let flow = unsafe { read(jobs, count, options) }?;
        let core = master.core.clone();
        Ok(swarm_call::spawned(&master.context, "adding a flow", async move {
            Ok::<_, Error>(Json(Some(c_text(&core.add_flow(flow).await?.to_json()))))
        }))
    })
}

/// Starts to look up a flow, by its id or by that of one of its jobs that has not been completed or deleted. swarm_call_json answers
/// `{"id", "cancel_rest", "jobs": [{"id", "state", "after": [id, ...]}, ...]}`, the jobs by their ids, or NULL if there is none. The
/// state is "waiting", "delayed", "blocked", "active", "completed", "failed" or "deleted". A flow is kept for an hour after its last
/// job has ended.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_flow(master: Option<&swarm_master>, id: *const c_char) -> *mut swarm_call {
    call(|| {
        let master = swarm_master::open(master)?;
        // SAFETY: a non-NULL text is NUL-terminated.
        let (core, id) = (master.core.clone(), unsafe { text(id, "id") }?.to_owned());
        Ok(swarm_call::spawned(&master.context, "looking up a flow", async move {
            Ok::<_, Error>(Json(core.flow(&id).await?.map(|flow| c_text(&flow.to_json()))))
        }))
    })
}

/// Starts to read how the jobs ended that this job waited for (option `after`). swarm_call_json answers an object by id, empty if it
/// waited for none: `{"state": "completed", "result": ...}` with `result_base64` for bytes, and without a result if it is not known;
/// `{"state": "failed", "reason": ..., "error": ...}`; or `{"state": "deleted"}`. Until this job has ended, these results are kept,
/// whatever their `result_ttl`. The call may outlive the job.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_job_inputs(job: *const swarm_job) -> *mut swarm_call {
    call(|| {
        // SAFETY: the job is NULL or still valid.
        let job = unsafe { swarm_job::open(job) }?;
        let core = job.core().clone();
        Ok(swarm_call::spawned(&job.jobs.context, "reading inputs", async move {
            Ok::<_, Error>(Json(Some(c_text(&inputs_to_json(&core.inputs().await?)))))
        }))
    })
}

/// # Safety
/// `jobs` is as for [`read_jobs`], `options` as for [`sized::read`], and its text ends with a NUL.
unsafe fn read(jobs: *const swarm_new_job, count: usize, options: *const swarm_flow_options) -> Result<NewFlow> {
    let defaults = swarm_flow_options {
        struct_size: size_of::<swarm_flow_options>(),
        id: std::ptr::null(),
        shape: 0,
        cancel_rest: swarm_flag::FALSE,
    };
    // SAFETY: promised by the caller.
    let (mut jobs, options) = unsafe {
        (read_jobs(jobs, count)?, if options.is_null() { defaults } else { sized::read(options, defaults, "options")? })
    };
    let flow = match options.shape {
        0 => NewFlow::new(jobs),
        1 => NewFlow::chain(jobs),
        2 => match jobs.pop() {
            Some(last) => NewFlow::fan_in(jobs, last),
            None => NewFlow::new([]),
        },
        other => return Err(invalid(format!("{other} is not a swarm_flow_shape"))),
    };
    let flow = flow.cancel_rest(options.cancel_rest.is_set());
    // SAFETY: promised by the caller.
    Ok(match unsafe { optional_text(options.id, "id") }? {
        Some(id) => flow.id(id),
        None => flow,
    })
}
