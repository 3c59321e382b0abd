//! The outcome of a job.

use std::ffi::{CString, c_char};

use libswarm::{Outcome, Payload};

use crate::bytes::{swarm_bytes, swarm_content_type};
use crate::error::text as c_text;
use crate::status::swarm_status;

/// The outcome of a job: completed with a result, or failed. A failed job is data, not an error of the call. Valid as long as the
/// call from which it was read.
pub struct swarm_outcome {
    shown: swarm_outcome_info,
    _payload: Payload,
    _texts: Option<[CString; 2]>,
}

/// The data of an outcome. Only the library creates it.
#[repr(C)]
pub struct swarm_outcome_info {
    /// The size of the struct in this library; a later one may be larger.
    pub struct_size: usize,
    /// Whether the job completed.
    pub completed: bool,
    /// Whether a job with this id, or with its unique key, existed when the job was run, by itself or in a group. If so, the
    /// outcome is that of the existing job. False for swarm_master_result. To know it before the end, or without an outcome, add
    /// the job with swarm_master_add and then await swarm_master_result.
    pub existed: bool,
    /// SWARM_OK if the job completed. If it failed, SWARM_ERR_JOB_FAILED, SWARM_ERR_DEPENDENCY_FAILED, or the
    /// timeout that failed it: SWARM_ERR_ASSIGN_TIMEOUT, SWARM_ERR_RUN_TIMEOUT or SWARM_ERR_TOTAL_TIMEOUT.
    pub status: swarm_status,
    /// A swarm_content_type: how to interpret the result.
    pub content_type: i32,
    /// The result of a completed job, empty if it failed.
    pub result: swarm_bytes,
    /// Why the job failed: "failed" (by its handler), "poison" (too many crashes of its workers), "corrupt" (its record could not
    /// be read), "undecodable" (its payload could not be decoded), "dependency_failed", "assign_timeout", "run_timeout" or "total_timeout". NULL if it completed.
    pub reason: *const c_char,
    /// The error text of a failed job. NULL if it completed.
    pub message: *const c_char,
}

// SAFETY: the pointers lead to what is owned beside them and never changes.
unsafe impl Send for swarm_outcome {}
// SAFETY: as above.
unsafe impl Sync for swarm_outcome {}

/// The data for NULL as the outcome.
struct Empty(swarm_outcome_info);

// SAFETY: its pointers are NULL.
unsafe impl Sync for Empty {}

static EMPTY: Empty = Empty(swarm_outcome_info {
    struct_size: size_of::<swarm_outcome_info>(),
    completed: false,
    existed: false,
    status: swarm_status::SWARM_ERR_INVALID_ARGUMENT,
    content_type: 0,
    result: swarm_bytes::EMPTY,
    reason: std::ptr::null(),
    message: std::ptr::null(),
});

/// The data of an outcome. Valid as long as the outcome. Never NULL; for NULL as the outcome, `status` is
/// SWARM_ERR_INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_outcome_details(outcome: Option<&swarm_outcome>) -> *const swarm_outcome_info {
    outcome.map_or(&raw const EMPTY.0, |outcome| &raw const outcome.shown)
}

impl swarm_outcome {
    pub(crate) fn new(outcome: Outcome, existed: bool) -> Self {
        let (payload, failed) = match outcome {
            Outcome::Completed(payload) => (payload, None),
            Outcome::Failed(failure) => (Payload::default(), Some(failure)),
        };
        let status = failed.as_ref().map_or(swarm_status::SWARM_OK, |failed| failed.kind().into());
        let texts = failed.map(|failed| [c_text(failed.reason.name()), c_text(&failed.message)]);
        let text = |at: usize| texts.as_ref().map_or(std::ptr::null(), |texts| texts[at].as_ptr());
        let shown = swarm_outcome_info {
            completed: texts.is_none(),
            existed,
            status,
            content_type: swarm_content_type::from(payload.content_type) as i32,
            result: payload.bytes.as_slice().into(),
            reason: text(0),
            message: text(1),
            ..EMPTY.0
        };
        swarm_outcome { shown, _payload: payload, _texts: texts }
    }
}
