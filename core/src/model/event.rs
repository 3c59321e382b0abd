//! Events of a member, as plain data.

use std::sync::Arc;
use std::time::Duration;

use super::execution::DeleteReason;
use super::job::{JobData, JobError};
use super::message::{Change, MemberRef, MessageData, Role};
use libswarm_common::error::Error;

/// An event that waits for the program. It contains no handle of its worker, because the queue would then keep the worker alive.
pub(crate) enum QueuedEvent {
    Ready { incarnation: String },
    Add(Arc<JobData>),
    Delete(Arc<JobData>, DeleteReason),
    Outcome(Arc<JobData>, AcceptedOutcome),
    Close(Option<Error>),
    Message(Arc<MessageData>),
    Member { change: Change, role: Role, member: MemberRef },
    Error(Error),
}

/// An outcome that Redis has accepted.
pub(crate) enum AcceptedOutcome {
    Completed,
    Failed(JobError),
    Retrying(JobError, Duration),
}
