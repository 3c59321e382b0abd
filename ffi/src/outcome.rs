//! How jobs ended: awaiting it, and reading it.

use std::ffi::{CString, c_char, c_void};

use libswarm::{ErrorKind, Master, NewJob, Outcome, Payload, Result};

use crate::asking::Asking;
use crate::bytes::{swarm_bytes, swarm_content_type};
use crate::callback::{UserData, swarm_destroy_fn, swarm_outcome_fn};
use crate::error::{swarm_error, text as c_text};
use crate::guard::{guard, guard_value, place, text};
use crate::job_options::{swarm_job_options, swarm_new_job};
use crate::master::swarm_master;
use crate::runtime::within;
use crate::status::swarm_status;

/// How a job ended: completed with a result, or failed. A failed job is data, not an error of the call.
pub struct swarm_outcome {
    payload: Payload,
    failure: Option<Failed>,
    existed: bool,
}

/// How a job ended that was added to be awaited.
pub(crate) struct Ran {
    pub(crate) outcome: Outcome,
    /// The outcome is that of a job of this id that was there already.
    pub(crate) existed: bool,
}

struct Failed {
    kind: ErrorKind,
    reason: CString,
    message: CString,
}

/// Waits for the outcome of a job that was added with `result`, by anyone, at any time within its result_ttl.
/// SWARM_ERR_NOT_FOUND if there is no such job or its result has expired, SWARM_ERR_JOB_DELETED if it was deleted.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_result(
    master: Option<&swarm_master>,
    id: *const c_char,
    timeout_ms: u64,
    outcome: *mut *mut swarm_outcome,
    error: *mut *mut swarm_error,
) -> swarm_status {
    guard(error, || {
        let member = swarm_master::member(master)?;
        let place = place(outcome, "outcome")?;
        // SAFETY: a non-NULL text is NUL-terminated.
        let id = unsafe { text(id, "id") }?.to_owned();
        let outcome = member.ask(timeout_ms, "awaiting a result", |core| async move { core.result(id).await })?;
        place.give(outcome.into());
        Ok(())
    })
}

/// Adds a job with `result` set and waits for its outcome. A timeout ends the wait, not the job. If a job of its id exists, the
/// outcome is that one's, see swarm_outcome_existed.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_run(
    master: Option<&swarm_master>,
    payload: swarm_bytes,
    options: *const swarm_job_options,
    timeout_ms: u64,
    outcome: *mut *mut swarm_outcome,
    error: *mut *mut swarm_error,
) -> swarm_status {
    guard(error, || {
        let member = swarm_master::member(master)?;
        let place = place(outcome, "outcome")?;
        // SAFETY: the caller's payload and options are readable.
        let job = unsafe { swarm_new_job { payload, options }.read() }?;
        let outcome = member.ask(timeout_ms, "running a job", |core| async move { run(core, job).await })?;
        place.give(outcome.into());
        Ok(())
    })
}

/// Waits for a job's outcome without blocking; `done` is called once, with SWARM_ERR_TIMEOUT after `timeout_ms`.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_result_async(
    master: Option<&swarm_master>,
    id: *const c_char,
    timeout_ms: u64,
    done: swarm_outcome_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
    error: *mut *mut swarm_error,
) -> swarm_status {
    let user_data = UserData::new(user_data, destroy);
    guard(error, || {
        let member = swarm_master::member(master)?;
        // SAFETY: a non-NULL text is NUL-terminated.
        let id = unsafe { text(id, "id") }?.to_owned();
        member.ask_async(done, user_data, |core| async move { within(timeout_ms, "awaiting a result", core.result(id)).await })
    })
}

/// As swarm_master_run, without waiting; `done` is called once with the outcome, or with SWARM_ERR_TIMEOUT after `timeout_ms`.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_run_async(
    master: Option<&swarm_master>,
    payload: swarm_bytes,
    options: *const swarm_job_options,
    timeout_ms: u64,
    done: swarm_outcome_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
    error: *mut *mut swarm_error,
) -> swarm_status {
    let user_data = UserData::new(user_data, destroy);
    guard(error, || {
        let member = swarm_master::member(master)?;
        // SAFETY: the caller's payload and options are readable.
        let job = unsafe { swarm_new_job { payload, options }.read() }?;
        member.ask_async(done, user_data, |core| async move { within(timeout_ms, "running a job", run(core, job)).await })
    })
}

/// Whether the job completed; false if it failed.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_outcome_completed(outcome: Option<&swarm_outcome>) -> bool {
    outcome.is_some_and(|outcome| outcome.failure.is_none())
}

/// SWARM_OK if the job completed. If it failed, SWARM_ERR_JOB_FAILED, or the timeout that ended it: SWARM_ERR_ASSIGN_TIMEOUT,
/// SWARM_ERR_RUN_TIMEOUT or SWARM_ERR_TOTAL_TIMEOUT. SWARM_ERR_INVALID_ARGUMENT for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_outcome_status(outcome: Option<&swarm_outcome>) -> swarm_status {
    outcome.map_or(swarm_status::SWARM_ERR_INVALID_ARGUMENT, |outcome| {
        outcome.failure.as_ref().map_or(swarm_status::SWARM_OK, |failed| failed.kind.into())
    })
}

/// The result of a completed job, empty if it failed. Lives as long as the outcome.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_outcome_result(outcome: Option<&swarm_outcome>) -> swarm_bytes {
    outcome.map_or(swarm_bytes::EMPTY, |outcome| outcome.payload.bytes.as_slice().into())
}

/// How the result is to be read.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_outcome_content_type(outcome: Option<&swarm_outcome>) -> swarm_content_type {
    outcome.map(|outcome| outcome.payload.content_type).unwrap_or_default().into()
}

/// Why the job failed: "failed" (by its handler), "poison" (its workers died too often), "corrupt" (its record could not be
/// read), "assign_timeout", "run_timeout" or "total_timeout". NULL if it completed. Lives as long as the outcome.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_outcome_reason(outcome: Option<&swarm_outcome>) -> *const c_char {
    outcome.and_then(|outcome| outcome.failure.as_ref()).map_or(std::ptr::null(), |failed| failed.reason.as_ptr())
}

/// The error text of a failed job. NULL if it completed. Lives as long as the outcome.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_outcome_message(outcome: Option<&swarm_outcome>) -> *const c_char {
    outcome.and_then(|outcome| outcome.failure.as_ref()).map_or(std::ptr::null(), |failed| failed.message.as_ptr())
}

/// Whether a job of that id existed when this one was run, alone or in a group: it was left as it was, and the outcome is its own. False
/// for swarm_master_result. Who must know it before the end, or also where there is no outcome, adds the job with
/// swarm_master_add and then awaits swarm_master_result.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_outcome_existed(outcome: Option<&swarm_outcome>) -> bool {
    outcome.is_some_and(|outcome| outcome.existed)
}

/// Frees what swarm_master_result or swarm_master_run handed out. What a callback was shown must not be freed.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_outcome_free(outcome: Option<Box<swarm_outcome>>) {
    guard_value((), || drop(outcome));
}

impl From<Outcome> for swarm_outcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Completed(payload) => swarm_outcome { payload, failure: None, existed: false },
            Outcome::Failed(failure) => {
                let (kind, reason, message) = (failure.kind(), c_text(failure.reason.name()), c_text(&failure.message));
                swarm_outcome { payload: Payload::default(), failure: Some(Failed { kind, reason, message }), existed: false }
            }
        }
    }
}

impl From<Ran> for swarm_outcome {
    fn from(ran: Ran) -> Self {
        swarm_outcome { existed: ran.existed, ..ran.outcome.into() }
    }
}

async fn run(core: Master, job: NewJob) -> Result<Ran> {
    let mut existed = false;
    let outcome = core.run_with(job, |added| existed = added.existed).await?;
    Ok(Ran { outcome, existed })
}
