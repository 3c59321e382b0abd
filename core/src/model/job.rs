//! A job as it is assigned to a worker, and how it finishes.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use super::execution::{DeleteReason, Execution};
use super::extras::Extras;
use super::payload::{MAX_ERROR_TEXT, MAX_TRACEBACK, Payload};
use libswarm_common::error::{Error, ErrorKind, Result};

/// The outcome of a job, for those that await its result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The handler completed with this result.
    Completed(Payload),
    /// The job failed permanently.
    Failed(Failure),
}

impl Outcome {
    /// Returns the result, or a failure as an error: [`ErrorKind::JobFailed`], or the kind of the timeout that failed the job.
    pub fn into_result(self) -> Result<Payload> {
        match self {
            Outcome::Completed(payload) => Ok(payload),
            Outcome::Failed(failure) => Err(Error::new(failure.kind(), failure.message)),
        }
    }

    /// Returns the result parsed as JSON, or a failure as an error.
    pub fn json<T: serde::de::DeserializeOwned>(self) -> Result<T> {
        self.into_result()?.to()
    }
}

/// The reason for which a job failed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub enum FailureReason {
    /// Its handler failed it.
    Failed,
    /// Too many workers crashed while they ran it.
    Poison,
    /// Its record could not be read.
    Corrupt,
    /// Its payload is encrypted with a key that its worker does not have, or could not be decoded. Its record is kept as it is: once the worker has
    /// the key, the job can be retried.
    Undecodable,
    /// It was not assigned to a worker in time.
    AssignTimeout,
    /// An execution took too long.
    RunTimeout,
    /// It did not finish in time.
    TotalTimeout,
    /// A job that it waited for failed or was deleted.
    DependencyFailed,
    /// A reason of a newer version of libswarm.
    Other(String),
}

impl FailureReason {
    /// The name of the reason, which is the same in every language.
    pub fn name(&self) -> &str {
        match self {
            FailureReason::Failed => "failed",
            FailureReason::Poison => "poison",
            FailureReason::Corrupt => "corrupt",
            FailureReason::Undecodable => "undecodable",
            FailureReason::AssignTimeout => "assign_timeout",
            FailureReason::RunTimeout => "run_timeout",
            FailureReason::TotalTimeout => "total_timeout",
            FailureReason::DependencyFailed => "dependency_failed",
            FailureReason::Other(name) => name,
        }
    }

    /// The reason with this name.
    #[cfg(feature = "bindings")]
    pub fn named(name: &str) -> FailureReason {
        Self::from_name(name)
    }

    /// The reason with this name.
    pub(crate) fn from_name(name: &str) -> FailureReason {
        use FailureReason::{AssignTimeout, Corrupt, DependencyFailed, Failed, Poison, RunTimeout, TotalTimeout, Undecodable};
        let known = [Failed, Poison, Corrupt, Undecodable, AssignTimeout, RunTimeout, TotalTimeout, DependencyFailed]
            .into_iter()
            .find(|reason| reason.name() == name);
        known.unwrap_or_else(|| FailureReason::Other(name.to_owned()))
    }
}

/// Why a job failed. This is data; [`Failure::kind`] converts it into a kind of error.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub struct Failure {
    /// The reason.
    pub reason: FailureReason,
    /// The handler's error text, at most 16 KiB.
    pub message: String,
}

impl Failure {
    /// The kind of error that a binding raises for the failed job.
    pub fn kind(&self) -> ErrorKind {
        match &self.reason {
            FailureReason::AssignTimeout => ErrorKind::AssignTimeout,
            FailureReason::RunTimeout => ErrorKind::RunTimeout,
            FailureReason::TotalTimeout => ErrorKind::TotalTimeout,
            FailureReason::DependencyFailed => ErrorKind::DependencyFailed,
            FailureReason::Failed
            | FailureReason::Poison
            | FailureReason::Corrupt
            | FailureReason::Undecodable
            | FailureReason::Other(_) => ErrorKind::JobFailed,
        }
    }
}

/// Whether the result of a job is kept, and which member awaits it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ResultWanted {
    pub(crate) ttl_secs: u32,
    /// The incarnation that awaits it, or empty.
    pub(crate) requester: String,
}

/// Why and when a job failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub struct JobFailure {
    /// The reason.
    pub reason: FailureReason,
    /// The error text, at most 16 KiB; may be empty.
    pub message: String,
    /// The traceback of the handler's language, if it is known.
    pub traceback: Option<String>,
    /// When it failed, on Redis' clock; `None` if its record is damaged.
    pub at: Option<SystemTime>,
}

/// The data of a job, fixed at its assignment.
#[derive(Debug)]
pub struct JobData {
    /// The job's id.
    pub id: String,
    /// The payload, as it was added.
    pub payload: Payload,
    /// The fencing token. It grows with every assignment in the cluster, so that `WHERE fence <= :fence` in the user's own database rejects stale
    /// executions.
    pub fence: u64,
    /// How many workers crashed in a row while they ran this job.
    pub crashes: u32,
    /// How many attempts have failed before this one.
    pub(crate) failed_attempts: u32,
    /// Workers crashed while they ran it: it does not run at the same time as other suspects at first.
    pub(crate) suspect: bool,
    pub(crate) result: Option<ResultWanted>,
    pub(crate) extras: Option<Box<Extras>>,
    pub(crate) execution: Execution,
    /// Progress was stored and has to be removed when the job finishes.
    pub(crate) progressed: AtomicBool,
    /// This execution has written to the log.
    pub(crate) logged: AtomicBool,
    /// From when the job waited, if its record has it: on the cluster's clock in ms; once the worker has it, on the clock of leases in µs.
    pub(crate) waits_from: Option<u64>,
    /// When the program took the job, on the clock of leases in µs; 0 before.
    pub(crate) started: AtomicU64,
    /// When its handler ended, likewise.
    pub(crate) returned: AtomicU64,
}

impl JobData {
    pub(crate) fn new(id: String, payload: Payload, fence: u64) -> Self {
        JobData {
            id,
            payload,
            fence,
            crashes: 0,
            failed_attempts: 0,
            suspect: false,
            result: None,
            extras: None,
            execution: Execution::active(),
            progressed: AtomicBool::new(false),
            logged: AtomicBool::new(false),
            waits_from: None,
            started: AtomicU64::new(0),
            returned: AtomicU64::new(0),
        }
    }

    /// The number of this attempt, from 1: one more than the attempts that failed before. Crashes of workers and releases do not count.
    pub fn attempt(&self) -> u32 {
        self.failed_attempts + 1
    }

    /// The job's priority.
    pub fn priority(&self) -> i64 {
        self.extras.as_ref().map_or(0, |extras| extras.priority)
    }

    /// The job's task, or "".
    pub fn task(&self) -> &str {
        self.extras.as_ref().map_or("", |extras| &extras.task)
    }

    /// The job's group, or "".
    pub fn group(&self) -> &str {
        self.extras.as_ref().map_or("", |extras| &extras.group)
    }

    /// The job's resource, or "".
    pub fn resource(&self) -> &str {
        self.extras.as_ref().map_or("", |extras| &extras.resource)
    }

    /// How many more attempts there are if this one fails.
    pub fn retries_left(&self) -> u32 {
        self.extras.as_ref().map_or(0, |extras| extras.retries.saturating_sub(self.failed_attempts))
    }

    /// The headers that were added with the job.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.extras.iter().flat_map(|extras| extras.headers.iter()).map(|(name, value)| (&**name, &**value))
    }

    /// The last checkpoint of the earlier executions, as JSON.
    pub fn last_checkpoint(&self) -> Option<&str> {
        self.extras.as_ref().and_then(|extras| extras.checkpoint.as_deref())
    }

    /// The slot of its schedule, in ms since 1970; `None` if no schedule added the job. The clock is that of Redis.
    pub fn scheduled_for(&self) -> Option<u64> {
        let extras = self.extras.as_ref().filter(|extras| !extras.schedule.is_empty())?;
        self.id.strip_prefix(&*extras.schedule)?.strip_prefix('@')?.parse().ok()
    }

    /// Whether workers crashed while they ran it and others, so that it is not in a batch with others.
    #[cfg(feature = "bindings")]
    pub fn is_suspect(&self) -> bool {
        self.suspect
    }

    /// The node of the job in the graph of jobs that wait for each other, or "".
    #[cfg(feature = "bindings")]
    pub fn node(&self) -> &str {
        self.node_name()
    }

    pub(crate) fn node_name(&self) -> &str {
        self.extras.as_ref().map_or("", |extras| &extras.node.name)
    }

    /// Whether the result of a completion is stored: the job has the option `result`, or others wait for it. If not, it is ignored, and its size is
    /// not checked.
    pub fn wants_result(&self) -> bool {
        self.result.is_some() || self.extras.as_ref().is_some_and(|extras| extras.node.watched)
    }

    /// Whether scripts must read the record when the job is completed: it may be kept, or has a log.
    pub(crate) fn is_recorded(&self) -> bool {
        self.logged.load(Ordering::Relaxed) || self.extras.as_ref().is_some_and(|extras| extras.keep.is_some() || extras.logged)
    }

    /// Why the job was deleted or reclaimed during this execution; `None` if it was not. [`Job::is_cancelled`](crate::Job::is_cancelled) is true from
    /// the same moment on.
    pub fn delete_reason(&self) -> Option<DeleteReason> {
        self.execution.delete_reason()
    }
}

/// Why an execution failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub struct JobError {
    /// The error text, which members that await the job receive. At most 16 KiB are kept.
    pub message: String,
    /// The traceback, in the form of the handler's language, or "". It is kept with a failed job and logged; beyond 16 KiB only its end is kept.
    pub traceback: String,
}

impl JobError {
    /// An error with a traceback.
    pub fn new(message: impl Into<String>, traceback: impl Into<String>) -> Self {
        JobError { message: message.into(), traceback: traceback.into() }
    }

    /// Cut to the lengths that are kept.
    pub(crate) fn cut(mut self) -> Self {
        if self.message.len() > MAX_ERROR_TEXT {
            let end = (0..=MAX_ERROR_TEXT).rev().find(|end| self.message.is_char_boundary(*end));
            self.message.truncate(end.unwrap_or(0));
        }
        if self.traceback.len() > MAX_TRACEBACK {
            let start = self.traceback.len() - MAX_TRACEBACK;
            let start = (start..).find(|start| self.traceback.is_char_boundary(*start));
            self.traceback.drain(..start.unwrap_or(0));
        }
        self
    }
}

impl From<String> for JobError {
    fn from(message: String) -> Self {
        JobError { message, traceback: String::new() }
    }
}

impl From<&str> for JobError {
    fn from(message: &str) -> Self {
        message.to_owned().into()
    }
}

impl std::fmt::Display for JobError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

/// How a worker finishes a job.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub enum Finish {
    /// Completed. The result is stored if the job was added with `result`, and ignored otherwise.
    Complete(Payload),
    /// This attempt failed. The job is retried after its backoff, or fails permanently if no retry is left.
    Fail(JobError),
    /// As `Fail`, but the job is retried after this pause, at most 365 days.
    Retry(JobError, Duration),
    /// Failed permanently, even if retries are left.
    FailPermanently(JobError),
    /// What the job needs refuses it for now (HTTP 429 with `Retry-After`): the limit `limit`, or if it is `None` each limit of the job, starts no
    /// jobs for this time, at most 365 days. No attempt is counted. A job that does not have the limit is delayed by the time.
    RateLimited {
        /// The time for which no jobs start; at least 1 ms.
        pause: Duration,
        /// The name of the limit.
        limit: Option<String>,
    },
    /// Released: the job is requeued, and no crash or attempt is counted.
    Release,
    /// The work was stopped after a `delete` event. Frees the slot; a new job with this id may then start elsewhere.
    Stopped,
}
