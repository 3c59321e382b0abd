//! The outcome of a job.

use std::ffi::{CString, c_char};

use libswarm::{ErrorKind, Outcome, Payload};

use crate::bytes::{swarm_bytes, swarm_content_type};
use crate::error::text as c_text;
use crate::status::swarm_status;

/// The outcome of a job: completed with a result, or failed. A failed job is data, not an error of the call. Valid as long as the
/// call from which it was read.
pub struct swarm_outcome {
    payload: Payload,
    failure: Option<Failed>,
    existed: bool,
}

struct Failed {
    kind: ErrorKind,
    reason: CString,
    message: CString,
}

/// Whether the job completed; false if it failed, and for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_outcome_completed(outcome: Option<&swarm_outcome>) -> bool {
    outcome.is_some_and(|outcome| outcome.failure.is_none())
}

/// SWARM_OK if the job completed. If it failed, SWARM_ERR_JOB_FAILED, or the timeout that failed it: SWARM_ERR_ASSIGN_TIMEOUT,
/// SWARM_ERR_RUN_TIMEOUT or SWARM_ERR_TOTAL_TIMEOUT. SWARM_ERR_INVALID_ARGUMENT for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_outcome_status(outcome: Option<&swarm_outcome>) -> swarm_status {
    outcome.map_or(swarm_status::SWARM_ERR_INVALID_ARGUMENT, |outcome| {
        outcome.failure.as_ref().map_or(swarm_status::SWARM_OK, |failed| failed.kind.into())
    })
}

/// The result of a completed job, empty if it failed.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_outcome_result(outcome: Option<&swarm_outcome>) -> swarm_bytes {
    outcome.map_or(swarm_bytes::EMPTY, |outcome| outcome.payload.bytes.as_slice().into())
}

/// How to interpret the result.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_outcome_content_type(outcome: Option<&swarm_outcome>) -> swarm_content_type {
    outcome.map(|outcome| outcome.payload.content_type).unwrap_or_default().into()
}

/// Why the job failed: "failed" (by its handler), "poison" (too many crashes of its workers), "corrupt" (its record could not be
/// read), "assign_timeout", "run_timeout" or "total_timeout". NULL if it completed.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_outcome_reason(outcome: Option<&swarm_outcome>) -> *const c_char {
    outcome.and_then(|outcome| outcome.failure.as_ref()).map_or(std::ptr::null(), |failed| failed.reason.as_ptr())
}

/// The error text of a failed job. NULL if it completed.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_outcome_message(outcome: Option<&swarm_outcome>) -> *const c_char {
    outcome.and_then(|outcome| outcome.failure.as_ref()).map_or(std::ptr::null(), |failed| failed.message.as_ptr())
}

/// Whether a job with this id, or with its unique key, existed when the job was run, by itself or in a group. If so, the outcome is
/// that of the existing job. False for swarm_master_result. To know it before the end, or without an outcome, add the
/// job with swarm_master_add and then await swarm_master_result.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_outcome_existed(outcome: Option<&swarm_outcome>) -> bool {
    outcome.is_some_and(|outcome| outcome.existed)
}

impl swarm_outcome {
    pub(crate) fn new(outcome: Outcome, existed: bool) -> Self {
        match outcome {
            Outcome::Completed(payload) => swarm_outcome { payload, failure: None, existed },
            Outcome::Failed(failure) => {
                let (kind, reason, message) = (failure.kind(), c_text(failure.reason.name()), c_text(&failure.message));
                swarm_outcome { payload: Payload::default(), failure: Some(Failed { kind, reason, message }), existed }
            }
        }
    }
}
