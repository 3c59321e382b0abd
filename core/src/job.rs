//! Jobs as workers are handed them, and how they end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::new_job::Extras;
use crate::store::record::ResultWanted;
use crate::worker::WorkerHandle;
use libswarm_common::error::{Error, ErrorKind, Result, invalid};

/// Longest result, in bytes.
pub const MAX_RESULT: usize = 128 * 1024;
/// Longest error text kept with a failed job, in bytes; longer ones are cut.
pub const MAX_ERROR_TEXT: usize = 16 * 1024;
/// Longest traceback kept with a failed job, in bytes; of longer ones the end is kept.
pub const MAX_TRACEBACK: usize = 16 * 1024;
/// Longest progress of a job, in bytes.
pub const MAX_PROGRESS: usize = 4096;

/// How the bytes of a payload or result are to be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ContentType {
    /// UTF-8 JSON text. The default.
    #[default]
    Json,
    /// Bytes of the caller's own meaning.
    Bytes,
}

/// Bytes with their content type. libswarm never looks into them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Payload {
    /// The bytes as given.
    pub bytes: Vec<u8>,
    /// How to read them.
    pub content_type: ContentType,
}

impl Payload {
    /// `value` as JSON text.
    pub fn json<T: serde::Serialize + ?Sized>(value: &T) -> Result<Self> {
        let bytes = serde_json::to_vec(value).map_err(|e| invalid(format!("the value cannot be written as JSON: {e}")))?;
        Ok(Payload { bytes, content_type: ContentType::Json })
    }

    /// Bytes as they are.
    pub fn bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Payload { bytes: bytes.into(), content_type: ContentType::Bytes }
    }

    /// Bytes that already are JSON text; not checked here.
    pub fn raw_json(bytes: impl Into<Vec<u8>>) -> Self {
        Payload { bytes: bytes.into(), content_type: ContentType::Json }
    }

    /// Reads the bytes as JSON, whatever the content type says.
    pub fn to<T: serde::de::DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.bytes).map_err(|e| invalid(format!("the payload is not the expected JSON: {e}")))
    }
}

/// How a job ended, as told to whoever awaits its result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The handler completed with this result.
    Completed(Payload),
    /// The job failed permanently.
    Failed(Failure),
}

impl Outcome {
    /// The result, or a failure as an error: [`ErrorKind::JobFailed`], or the kind of the timeout that ended it.
    pub fn into_result(self) -> Result<Payload> {
        match self {
            Outcome::Completed(payload) => Ok(payload),
            Outcome::Failed(failure) => Err(Error::new(failure.kind(), failure.message)),
        }
    }

    /// The result read as JSON, or a failure as an error.
    pub fn json<T: serde::de::DeserializeOwned>(self) -> Result<T> {
        self.into_result()?.to()
    }
}

/// Why a job failed. Data, not an error of the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// `failed` (by its handler), `poison` (its workers died too often), `corrupt` (its record could not be read), `assign_timeout`,
    /// `run_timeout` or `total_timeout`.
    pub reason: String,
    /// The handler's error text, at most 16 KiB.
    pub message: String,
}

impl Failure {
    /// The kind of error that a failed job is for a language that throws it.
    pub fn kind(&self) -> ErrorKind {
        match &*self.reason {
            "assign_timeout" => ErrorKind::AssignTimeout,
            "run_timeout" => ErrorKind::RunTimeout,
            "total_timeout" => ErrorKind::TotalTimeout,
            _ => ErrorKind::JobFailed,
        }
    }
}

/// What a job is, fixed at its assignment.
#[derive(Debug)]
pub struct JobData {
    /// The job's id.
    pub id: String,
    /// What the adder gave.
    pub payload: Payload,
    /// Grows with every assignment in the cluster; fit for `WHERE fence <= :fence` in the user's own store.
    pub fence: u64,
    /// How many workers died in a row while they ran this job.
    pub crashes: u32,
    /// How many attempts have failed before this one.
    pub(crate) failed_attempts: u32,
    /// Workers died while they ran it: it is given apart from others of the kind.
    pub(crate) suspect: bool,
    pub(crate) result: Option<ResultWanted>,
    pub(crate) extras: Option<Box<Extras>>,
    ended: AtomicBool,
    /// Progress was stored, so that it has to be forgotten.
    pub(crate) progressed: AtomicBool,
}

impl JobData {
    pub(crate) fn new(id: String, payload: Payload, fence: u64) -> Self {
        let (ended, progressed) = (AtomicBool::new(false), AtomicBool::new(false));
        JobData {
            id,
            payload,
            fence,
            crashes: 0,
            failed_attempts: 0,
            suspect: false,
            result: None,
            extras: None,
            ended,
            progressed,
        }
    }

    /// Which attempt this is, from 1: how often the handler failed before, and 1. Crashes of workers and releases do not count.
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

    /// The job's resource, or "".
    pub fn resource(&self) -> &str {
        self.extras.as_ref().map_or("", |extras| &extras.resource)
    }

    /// How many more attempts there are if this one fails.
    pub fn retries_left(&self) -> u32 {
        self.extras.as_ref().map_or(0, |extras| extras.retries.saturating_sub(self.failed_attempts))
    }

    /// What the adder sent along.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.extras.iter().flat_map(|extras| extras.headers.iter()).map(|(name, value)| (&**name, &**value))
    }

    /// Whether a result given to complete is stored, so that its size counts, or ignored.
    pub fn wants_result(&self) -> bool {
        self.result.is_some()
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::Release);
    }
}

/// A job in the hands of its worker. Cloning is cheap and names the same execution.
///
/// Dropping it does nothing: the worker holds the job until it is completed, failed, released, deleted or taken back.
#[derive(Clone)]
pub struct Job {
    pub(crate) data: Arc<JobData>,
    pub(crate) worker: WorkerHandle,
}

impl std::ops::Deref for Job {
    type Target = JobData;
    fn deref(&self) -> &JobData {
        &self.data
    }
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.data.fmt(f)
    }
}

/// Why an execution failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobError {
    /// What went wrong; whoever awaits the job gets it. At most 16 KiB are kept.
    pub message: String,
    /// Where, as the handler's language shows it, or "". Kept with a failed job and logged; of more than 16 KiB the end.
    pub traceback: String,
}

impl JobError {
    /// An error with a traceback.
    pub fn new(message: impl Into<String>, traceback: impl Into<String>) -> Self {
        JobError { message: message.into(), traceback: traceback.into() }
    }

    /// Cut to what is kept.
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

/// How a worker ends its hold on a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finish {
    /// Done. The result is stored if the job was added with `result`, and ignored otherwise.
    Complete(Payload),
    /// This attempt failed. The job is retried after its backoff, or is failed if no retry is left.
    Fail(JobError),
    /// As `Fail`, but retried after this pause, at most 365 days.
    Retry(JobError, Duration),
    /// Failed permanently, whatever its retries.
    FailPermanently(JobError),
    /// Back to the cluster, for another worker or a later time; not counted as a crash.
    Release,
    /// The work was stopped after a `delete` event. Frees the slot; a re-added job of this id may then start elsewhere.
    Stopped,
}

impl Job {
    /// The payload read as JSON.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T> {
        self.payload.to()
    }

    /// Whether the job is over for this execution: deleted, taken back, or finished.
    pub fn is_cancelled(&self) -> bool {
        self.has_ended()
    }

    /// Resolves when the job is over for this execution: deleted, taken back, or finished.
    pub async fn cancelled(&self) {
        self.worker.until_ended(self).await
    }

    /// Completes the job; resolves when Redis has accepted it. [`ErrorKind::StaleFence`] if the job is no longer ours.
    pub async fn complete(&self, result: Payload) -> Result<()> {
        self.worker.finish_and_wait(self.fence, Finish::Complete(result)).await
    }

    /// Stores how far the work is, for those who look the job up; any thread, never blocks. The latest wins. At most 4 KiB; a job that is
    /// over ignores it.
    pub fn progress(&self, progress: &impl serde::Serialize) -> Result<()> {
        self.worker.progress(self.fence, Payload::json(progress)?.bytes)
    }

    /// Fails this attempt: the job is retried after its backoff, or is failed if no retry is left.
    pub async fn fail(&self, error: impl Into<JobError>) -> Result<()> {
        self.worker.finish_and_wait(self.fence, Finish::Fail(error.into())).await
    }

    /// Fails this attempt; the job is retried after this pause, or is failed if no retry is left.
    pub async fn retry(&self, error: impl Into<JobError>, after: Duration) -> Result<()> {
        self.worker.finish_and_wait(self.fence, Finish::Retry(error.into(), after)).await
    }

    /// Fails the job permanently, whatever its retries.
    pub async fn fail_permanently(&self, error: impl Into<JobError>) -> Result<()> {
        self.worker.finish_and_wait(self.fence, Finish::FailPermanently(error.into())).await
    }

    /// Gives the job back.
    pub async fn release(&self) -> Result<()> {
        self.worker.finish_and_wait(self.fence, Finish::Release).await
    }

    /// Says that the work stopped after a `delete` event.
    pub async fn stopped(&self) -> Result<()> {
        self.worker.finish_and_wait(self.fence, Finish::Stopped).await
    }

    /// Queues the job's deletion; false if it was gone already. The `delete` event follows, as for a deletion by a master.
    pub async fn delete(&self) -> Result<bool> {
        self.worker.delete(self.id.clone()).await
    }
}
