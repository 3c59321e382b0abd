//! Jobs as callers make them, and as workers are handed them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use crate::error::{Error, ErrorKind, Result, invalid};
use crate::store::record::ResultWanted;
use crate::worker::WorkerHandle;

/// Longest job id, cluster name or member name, in bytes.
pub const MAX_NAME: usize = 256;
/// Longest result, in bytes.
pub const MAX_RESULT: usize = 128 * 1024;
/// Longest error text kept with a failed job, in bytes; longer ones are cut.
pub const MAX_ERROR_TEXT: usize = 16 * 1024;
/// How long a result is kept unless the job says otherwise.
pub const DEFAULT_RESULT_TTL: Duration = Duration::from_secs(300);

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

/// A job to add.
#[derive(Clone, Debug, Default)]
pub struct NewJob {
    pub(crate) id: Option<String>,
    pub(crate) payload: Payload,
    pub(crate) result: bool,
    pub(crate) result_ttl: Option<Duration>,
    /// The master that adds it awaits the result: the record names it.
    pub(crate) awaited: bool,
}

impl NewJob {
    /// A job with this payload and default options.
    pub fn new(payload: Payload) -> Self {
        NewJob { payload, ..NewJob::default() }
    }

    /// A job whose payload is `value` as JSON.
    pub fn json<T: serde::Serialize + ?Sized>(value: &T) -> Result<Self> {
        Ok(NewJob::new(Payload::json(value)?))
    }

    /// A job whose payload is plain bytes.
    pub fn bytes(bytes: impl Into<Vec<u8>>) -> Self {
        NewJob::new(Payload::bytes(bytes))
    }

    /// The caller's own id, 1 to 256 bytes without control characters. While a job with this id exists, adding it
    /// again changes nothing and answers `existed`.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Keep the job's result so that it can be awaited.
    pub fn result(mut self, keep: bool) -> Self {
        self.result = keep;
        self
    }

    /// How long the result is kept after the job ended, 1 s to 365 days; 5 minutes unless set.
    pub fn result_ttl(mut self, ttl: Duration) -> Self {
        self.result_ttl = Some(ttl);
        self
    }

    /// Sets an option by its name in every language: `id`, `result` (`true`/`false`), `result_ttl` (milliseconds).
    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        match name {
            "id" => self.id = Some(value.to_owned()),
            "result" => self.result = crate::options::parse_bool(name, value)?,
            "result_ttl" => self.result_ttl = Some(crate::options::parse_ms(name, value)?),
            _ => return Err(invalid(format!("unknown job option `{name}`; the options are id, result and result_ttl"))),
        }
        Ok(())
    }

    /// Checks everything that can be checked without Redis, as adding does; `max_payload` is the option of that name.
    pub fn check(&self, max_payload: usize) -> Result<()> {
        if self.payload.bytes.len() > max_payload {
            return Err(Error::new(
                ErrorKind::TooLarge,
                format!("the payload has {} bytes, the limit is {max_payload} (option max_payload)", self.payload.bytes.len()),
            ));
        }
        if let Some(id) = &self.id {
            check_name("job id", id)?;
        }
        if let Some(ttl) = self.result_ttl
            && !(Duration::from_secs(1)..=Duration::from_secs(365 * 86_400)).contains(&ttl)
        {
            return Err(invalid(format!("result_ttl is {} ms, it must be 1 s to 365 days", ttl.as_millis())));
        }
        Ok(())
    }
}

/// Checks a job id or a name: 1 to 256 bytes, no control characters.
pub(crate) fn check_name(what: &str, name: &str) -> Result<()> {
    if name.is_empty() {
        return Err(invalid(format!("the {what} is empty")));
    }
    if name.len() > MAX_NAME {
        return Err(Error::new(ErrorKind::TooLarge, format!("the {what} has {} bytes, the limit is {MAX_NAME}", name.len())));
    }
    if name.chars().any(char::is_control) {
        return Err(invalid(format!("the {what} has a control character")));
    }
    Ok(())
}

/// A fresh id: 20 lower-case hexadecimal characters, 80 random bits.
pub fn random_id() -> String {
    Ids::new().next()
}

/// Many fresh ids for one call to the system. Belongs to one object, and never to a process: a forked child would make its parent's ids.
pub(crate) struct Ids(SmallRng);

impl Ids {
    pub(crate) fn new() -> Self {
        Ids(SmallRng::from_os_rng())
    }

    pub(crate) fn next(&mut self) -> String {
        let mut bytes = [0u8; 10];
        self.0.fill(&mut bytes);
        let mut id = String::with_capacity(20);
        for nibble in bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]) {
            id.push(char::from(b"0123456789abcdef"[usize::from(nibble)]));
        }
        id
    }
}

/// What `add` answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Added {
    /// The job's id.
    pub id: String,
    /// A job with this id existed; it was left as it was.
    pub existed: bool,
}

/// How a job ended, as told to whoever awaits its result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The handler completed with this result.
    Completed(Payload),
    /// The job failed for good.
    Failed(Failure),
}

impl Outcome {
    /// The result, or a failure as a [`ErrorKind::JobFailed`] error.
    pub fn into_result(self) -> Result<Payload> {
        match self {
            Outcome::Completed(payload) => Ok(payload),
            Outcome::Failed(failure) => Err(Error::new(ErrorKind::JobFailed, failure.message)),
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
    /// `failed` (by its handler), `poison` (its workers died too often) or `corrupt` (its record could not be read).
    pub reason: String,
    /// The handler's error text, at most 16 KiB.
    pub message: String,
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
    /// How many workers died in a row while they held this job.
    pub deaths: u32,
    pub(crate) result: Option<ResultWanted>,
    ended: AtomicBool,
}

impl JobData {
    pub(crate) fn new(id: String, payload: Payload, fence: u64, deaths: u32, result: Option<ResultWanted>) -> Self {
        JobData { id, payload, fence, deaths, result, ended: AtomicBool::new(false) }
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

/// How a worker ends its hold on a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finish {
    /// Done. The result is stored if the job was added with `result`, and ignored otherwise.
    Complete(Payload),
    /// Failed for good, with an error text.
    Fail(String),
    /// Back to the cluster, for another worker or a later time; not counted as a death.
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

    /// Fails the job for good.
    pub async fn fail(&self, message: impl Into<String>) -> Result<()> {
        self.worker.finish_and_wait(self.fence, Finish::Fail(message.into())).await
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_20_hex_characters_and_differ() {
        let (a, b) = (random_id(), random_id());
        assert!(a.len() == 20 && a.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c)), "{a}");
        assert_ne!(a, b);
    }

    #[test]
    fn limits_are_refused_with_their_kind() {
        let kind = |job: NewJob| job.check(8).map_err(|e| e.kind());
        assert_eq!(kind(NewJob::bytes(vec![0; 8])), Ok(()));
        assert_eq!(kind(NewJob::bytes(vec![0; 9])), Err(ErrorKind::TooLarge));
        assert_eq!(kind(NewJob::bytes("").id("")), Err(ErrorKind::InvalidArgument));
        assert_eq!(kind(NewJob::bytes("").id("a\nb")), Err(ErrorKind::InvalidArgument));
        assert_eq!(kind(NewJob::bytes("").id("x".repeat(257))), Err(ErrorKind::TooLarge));
        assert_eq!(kind(NewJob::bytes("").result_ttl(Duration::ZERO)), Err(ErrorKind::InvalidArgument));
    }
}
