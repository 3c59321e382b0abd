//! Inspection of the cluster. The answers are JSON text.

use std::ffi::c_char;

use libswarm::JobState;

use crate::call::{call, swarm_call};
use crate::guard::{invalid, optional_text, text};
use crate::json::Json;
use crate::master::swarm_master;

/// Starts to look up a job; swarm_call_json is NULL if there is none: it was never added, or is completed and not kept, or
/// deleted, or its record has expired.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_job(master: Option<&swarm_master>, id: *const c_char) -> *mut swarm_call {
    call(|| {
        let master = swarm_master::open(master)?;
        // SAFETY: a non-NULL text is NUL-terminated.
        let (core, id) = (master.core.clone(), unsafe { text(id, "id") }?.to_owned());
        Ok(swarm_call::spawned(&master.context, "looking up a job", async move {
            match core.job(&id).await? {
                Some(job) => Json::of(&job),
                None => Ok(Json(None)),
            }
        }))
    })
}

/// Starts to read a page of the jobs in a state: "waiting" (in the order in which they will be assigned), "delayed" (as they
/// become due), "blocked" (at a limit, on a resource or another job), "active" and "deleting" (both together, in no order), "failed"
/// or "completed" (newest first). At most `limit`, 1 to 1,000. `after` is the `next` of the page before, or NULL for the first page.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_jobs(
    master: Option<&swarm_master>,
    state: *const c_char,
    after: *const c_char,
    limit: u32,
) -> *mut swarm_call {
    call(|| {
        let master = swarm_master::open(master)?;
        let core = master.core.clone();
        // SAFETY: non-NULL texts are NUL-terminated.
        let (state, after) = unsafe { (text(state, "state")?, optional_text(after, "after")?.map(str::to_owned)) };
        let known = || JobState::ALL.map(|(name, _)| name).join(", ");
        let state =
            JobState::from_name(state).ok_or_else(|| invalid(format!("`{state}` is not one of the states {}", known())))?;
        Ok(swarm_call::spawned(&master.context, "looking up jobs", async move {
            Json::of(&core.jobs(state, after.as_deref(), limit).await?)
        }))
    })
}

/// Starts to count the waiting jobs by priority and task. The answer also has the paused tasks and the master that chooses
/// workers.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_queues(master: Option<&swarm_master>) -> *mut swarm_call {
    call(|| {
        let master = swarm_master::open(master)?;
        let core = master.core.clone();
        Ok(swarm_call::spawned(&master.context, "counting the queues", async move { Json::of(&core.queues().await?) }))
    })
}

/// Starts to list all live members.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_members(master: Option<&swarm_master>) -> *mut swarm_call {
    call(|| {
        let master = swarm_master::open(master)?;
        let core = master.core.clone();
        Ok(swarm_call::spawned(&master.context, "looking up the members", async move { Json::of(&core.members().await?) }))
    })
}
