//! Events of a member, as plain data.

use std::sync::Arc;
use std::time::Duration;

use super::job::{JobData, JobError};
use super::message::{Change, MemberRef, MessageData, Role};
use libswarm_common::error::Error;

/// Why a job that was not finished must stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub enum DeleteReason {
    /// A master or the worker itself deleted the job.
    Deleted,
    /// The worker is being terminated; the job goes to another worker.
    Terminated,
    /// The worker lost its lease; the job starts elsewhere.
    LeaseLost,
    /// The job's `run_timeout` or `total_timeout` is over.
    TimedOut,
    /// The job is to go to a worker that joined.
    Moved,
}

impl DeleteReason {
    /// The name of the reason, which is the same in every language.
    pub const fn name(self) -> &'static str {
        match self {
            DeleteReason::Deleted => "deleted",
            DeleteReason::Terminated => "terminated",
            DeleteReason::LeaseLost => "lease_lost",
            DeleteReason::TimedOut => "timed_out",
            DeleteReason::Moved => "moved",
        }
    }
}

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
