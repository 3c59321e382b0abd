//! Jobs as callers make them, and as workers are handed them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use crate::error::{Error, ErrorKind, Result, invalid};
use crate::store::record::ResultWanted;
use crate::value::{choice, parse, parse_bool, parse_ms, within};
use crate::worker::WorkerHandle;

/// Longest job id, cluster name or member name, in bytes.
pub const MAX_NAME: usize = 256;
/// Longest result, in bytes.
pub const MAX_RESULT: usize = 128 * 1024;
/// Longest error text kept with a failed job, in bytes; longer ones are cut.
pub const MAX_ERROR_TEXT: usize = 16 * 1024;
/// Longest task, resource, headers and other options of a job together, in bytes.
pub const MAX_EXTRAS: usize = 32 * 1024;
/// Longest progress of a job, in bytes.
pub const MAX_PROGRESS: usize = 4096;
/// Most retries of a job.
pub const MAX_RETRIES: u32 = 200;
/// The span of priorities, on both sides of 0.
pub const MAX_PRIORITY: i64 = 1 << 53;
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

/// The pause before a failed job runs again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    /// How the pause grows with each attempt.
    pub growth: Growth,
    /// The first pause; 1 s unless set.
    pub delay: Duration,
    /// The longest pause; 1 hour unless set.
    pub max: Duration,
    /// The share of each pause that is random, 0 to 1; none unless set. With 0.2, a pause is 80 to 100 % of its length.
    pub jitter: f64,
}

/// How pauses between attempts grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Growth {
    /// Every pause is as long as the first.
    #[default]
    Fixed,
    /// Every pause is twice as long as the one before.
    Exponential,
}

impl Default for Backoff {
    fn default() -> Self {
        Backoff { growth: Growth::Fixed, delay: Duration::from_secs(1), max: Duration::from_secs(3600), jitter: 0.0 }
    }
}

impl Backoff {
    /// The pause after `failed` failed attempts, 1 or more.
    pub(crate) fn pause(&self, failed: u32) -> Duration {
        let factor = match self.growth {
            Growth::Fixed => 1.0,
            Growth::Exponential => 2f64.powi(failed.saturating_sub(1).min(1000) as i32),
        };
        let full = (self.delay.as_secs_f64() * factor).min(self.max.as_secs_f64());
        Duration::from_secs_f64(full * (1.0 - self.jitter * rand::random::<f64>()))
    }
}

/// When a job becomes due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Start {
    #[default]
    Now,
    After(Duration),
    At(SystemTime),
}

/// How surely a job is stored before `add` answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    /// When Redis has it in memory. The default.
    #[default]
    Memory,
    /// When it is on the disk of the Redis master (`WAITAOF`, Redis 7.2; or `appendfsync always`).
    Fsync,
    /// When at least one replica has it too (`WAIT`).
    Replica,
}

/// What most jobs do not have; kept apart in the record, so that the others do not pay for it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Extras {
    pub(crate) priority: i64,
    pub(crate) task: String,
    pub(crate) resource: String,
    pub(crate) similar: String,
    pub(crate) retries: u32,
    pub(crate) backoff: Option<Backoff>,
    pub(crate) assign_timeout: Option<Duration>,
    pub(crate) run_timeout: Option<Duration>,
    pub(crate) total_timeout: Option<Duration>,
    pub(crate) headers: BTreeMap<String, String>,
    /// The incarnation of the master without which the job is given up, or empty.
    pub(crate) tied_to: String,
}

/// A job to add.
#[derive(Clone, Debug, Default)]
pub struct NewJob {
    pub(crate) id: Option<String>,
    pub(crate) payload: Payload,
    pub(crate) result: bool,
    pub(crate) result_ttl: Option<Duration>,
    pub(crate) extras: Option<Box<Extras>>,
    pub(crate) start: Start,
    pub(crate) tied: bool,
    pub(crate) durability: Durability,
    /// The master that adds it awaits the result: the record names it.
    pub(crate) awaited: bool,
    /// The id was made for this job, so that none of the name can exist.
    pub(crate) fresh: bool,
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

    fn extras(&mut self) -> &mut Extras {
        self.extras.get_or_insert_default()
    }

    /// Higher ones are given first, first in first out inside one; 0 unless set, -2^53 to 2^53.
    pub fn priority(mut self, priority: i64) -> Self {
        self.extras().priority = priority;
        self
    }

    /// The name of the work, for routing: only workers whose option `tasks` names it are given the job.
    pub fn task(mut self, task: impl Into<String>) -> Self {
        self.extras().task = task.into();
        self
    }

    /// Not to be started before this time has passed, up to 10 years.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.start = Start::After(delay);
        self
    }

    /// Not to be started before this time of day, on Redis' clock.
    pub fn run_at(mut self, time: SystemTime) -> Self {
        self.start = Start::At(time);
        self
    }

    /// How often the job is run again after its handler failed, 0 to 200; 0 unless set.
    pub fn retries(mut self, retries: u32) -> Self {
        self.extras().retries = retries;
        self
    }

    /// The pauses before retries; 1 s each unless set.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.extras().backoff = Some(backoff);
        self
    }

    /// Jobs with the same resource run one at a time, in the order in which their turn came.
    pub fn resource(mut self, resource: impl Into<String>) -> Self {
        self.extras().resource = resource.into();
        self
    }

    /// While a job with the same key exists, this one waits and ends as that one ends.
    pub fn similar(mut self, key: impl Into<String>) -> Self {
        self.extras().similar = key.into();
        self
    }

    /// Fails with [`ErrorKind::AssignTimeout`] if no worker was given the job this long after it was added, or due.
    pub fn assign_timeout(mut self, limit: Duration) -> Self {
        self.extras().assign_timeout = Some(limit);
        self
    }

    /// An execution longer than this is stopped and counts as failed, with [`ErrorKind::RunTimeout`] if no retry is left.
    pub fn run_timeout(mut self, limit: Duration) -> Self {
        self.extras().run_timeout = Some(limit);
        self
    }

    /// Fails with [`ErrorKind::TotalTimeout`], whatever its state, this long after it was added.
    pub fn total_timeout(mut self, limit: Duration) -> Self {
        self.extras().total_timeout = Some(limit);
        self
    }

    /// A header: names and values that travel with the job, such as a trace's context.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.extras().headers.insert(name.into(), value.into());
        self
    }

    /// The job is given up (deleted) when the master that added it leaves or is lost.
    pub fn tied(mut self, tied: bool) -> Self {
        self.tied = tied;
        self
    }

    /// How surely the job is stored before `add` answers. Less than asked is [`ErrorKind::NotDurable`]; the job is added all the same.
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Sets an option by its name in every language. Times are in milliseconds, `run_at` since 1970; `header` is `name=value` and may be set more
    /// than once; `backoff` is `fixed` or `exponential`.
    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        match name {
            "id" => self.id = Some(value.to_owned()),
            "result" => self.result = parse_bool(name, value)?,
            "result_ttl" => self.result_ttl = Some(parse_ms(name, value)?),
            "priority" => self.extras().priority = parse(name, value)?,
            "task" => self.extras().task = value.to_owned(),
            "delay" => self.start = Start::After(parse_ms(name, value)?),
            "run_at" => {
                let at = SystemTime::UNIX_EPOCH.checked_add(parse_ms(name, value)?);
                self.start = Start::At(at.ok_or_else(|| invalid(format!("run_at is `{value}`, which is too far away")))?);
            }
            "retries" => self.extras().retries = parse(name, value)?,
            "backoff" => {
                let growth = choice(name, value, &[("fixed", Growth::Fixed), ("exponential", Growth::Exponential)])?;
                self.extras().backoff.get_or_insert_default().growth = growth;
            }
            "backoff_delay" => self.extras().backoff.get_or_insert_default().delay = parse_ms(name, value)?,
            "backoff_max" => self.extras().backoff.get_or_insert_default().max = parse_ms(name, value)?,
            "backoff_jitter" => self.extras().backoff.get_or_insert_default().jitter = parse(name, value)?,
            "resource" => self.extras().resource = value.to_owned(),
            "similar" => self.extras().similar = value.to_owned(),
            "assign_timeout" => self.extras().assign_timeout = Some(parse_ms(name, value)?),
            "run_timeout" => self.extras().run_timeout = Some(parse_ms(name, value)?),
            "total_timeout" => self.extras().total_timeout = Some(parse_ms(name, value)?),
            "header" => {
                let (header, value) = value.split_once('=').ok_or_else(|| invalid("a header is written name=value"))?;
                self.extras().headers.insert(header.to_owned(), value.to_owned());
            }
            "tied" => self.tied = parse_bool(name, value)?,
            "durability" => {
                let levels = [("memory", Durability::Memory), ("fsync", Durability::Fsync), ("replica", Durability::Replica)];
                self.durability = choice(name, value, &levels)?;
            }
            _ => return Err(invalid(format!("unknown job option `{name}`; docs/jobs.md lists the options"))),
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
        if let Some(ttl) = self.result_ttl {
            within("result_ttl", ttl, Duration::from_secs(1), YEAR)?;
        }
        match self.start {
            Start::Now => {}
            Start::After(delay) => within("delay", delay, Duration::ZERO, 10 * YEAR)?,
            Start::At(time) => {
                let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
                within("run_at", since, Duration::ZERO, 1000 * YEAR)?;
            }
        }
        match &self.extras {
            Some(extras) => extras.check(),
            None => Ok(()),
        }
    }
}

const YEAR: Duration = Duration::from_secs(365 * 86_400);

impl Extras {
    /// Scripts have something to do for such a job when it is given or ends.
    pub(crate) fn need_care(&self) -> bool {
        !self.resource.is_empty() || self.need_beginning()
    }

    /// And when it is added.
    pub(crate) fn need_beginning(&self) -> bool {
        !self.similar.is_empty() || !self.tied_to.is_empty() || self.has_timeouts()
    }

    pub(crate) fn has_timeouts(&self) -> bool {
        self.assign_timeout.is_some() || self.run_timeout.is_some() || self.total_timeout.is_some()
    }

    fn check(&self) -> Result<()> {
        if self.priority.unsigned_abs() > MAX_PRIORITY.unsigned_abs() {
            return Err(invalid(format!("priority is {}, it must be -2^53 to 2^53", self.priority)));
        }
        for (what, name) in [("task", &self.task), ("resource", &self.resource), ("key of similar jobs", &self.similar)] {
            if !name.is_empty() {
                check_name(what, name)?;
            }
        }
        if self.retries > MAX_RETRIES {
            return Err(invalid(format!("retries is {}, at most {MAX_RETRIES} are allowed", self.retries)));
        }
        if let Some(backoff) = &self.backoff {
            within("backoff_delay", backoff.delay, Duration::ZERO, YEAR)?;
            within("backoff_max", backoff.max, Duration::ZERO, YEAR)?;
            if !(0.0..=1.0).contains(&backoff.jitter) {
                return Err(invalid(format!("backoff_jitter is {}, it must be 0 to 1", backoff.jitter)));
            }
        }
        let timeouts =
            [("assign_timeout", self.assign_timeout), ("run_timeout", self.run_timeout), ("total_timeout", self.total_timeout)];
        for (name, timeout) in timeouts {
            if let Some(timeout) = timeout {
                within(name, timeout, Duration::from_millis(1), YEAR)?;
            }
        }
        if self.headers.contains_key("") {
            return Err(invalid("a header has no name"));
        }
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + value.len() + 10).sum();
        if headers > MAX_EXTRAS - 2048 {
            let text = format!("the headers have {headers} bytes, the limit is {}", MAX_EXTRAS - 2048);
            return Err(Error::new(ErrorKind::TooLarge, text));
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

/// A source of fresh ids.
pub(crate) fn random_ids() -> Ids {
    Ids::new()
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
    /// How many workers died in a row while they held this job.
    pub deaths: u32,
    /// How many attempts have failed before this one.
    pub(crate) failed_attempts: u32,
    /// Workers died while they held it: it is given apart from others of the kind.
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
            deaths: 0,
            failed_attempts: 0,
            suspect: false,
            result: None,
            extras: None,
            ended,
            progressed,
        }
    }

    /// Which attempt this is, from 1: how often the handler failed before, and 1. Deaths of workers and releases do not count.
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

/// How a worker ends its hold on a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finish {
    /// Done. The result is stored if the job was added with `result`, and ignored otherwise.
    Complete(Payload),
    /// This attempt failed, with an error text. The job is retried after its backoff, or is failed if no retry is left.
    Fail(String),
    /// As `Fail`, but retried after this pause, at most 365 days.
    Retry(String, Duration),
    /// Failed for good, with an error text, whatever its retries.
    FailForGood(String),
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

    /// Stores how far the work is, for those who look the job up; any thread, never blocks. The latest wins. At most 4 KiB; a job that is
    /// over ignores it.
    pub fn progress(&self, progress: &impl serde::Serialize) -> Result<()> {
        self.worker.progress(self.fence, Payload::json(progress)?.bytes)
    }

    /// Fails this attempt: the job is retried after its backoff, or is failed if no retry is left.
    pub async fn fail(&self, message: impl Into<String>) -> Result<()> {
        self.worker.finish_and_wait(self.fence, Finish::Fail(message.into())).await
    }

    /// Fails this attempt; the job is retried after this pause, or is failed if no retry is left.
    pub async fn retry(&self, message: impl Into<String>, after: Duration) -> Result<()> {
        self.worker.finish_and_wait(self.fence, Finish::Retry(message.into(), after)).await
    }

    /// Fails the job for good, whatever its retries.
    pub async fn fail_for_good(&self, message: impl Into<String>) -> Result<()> {
        self.worker.finish_and_wait(self.fence, Finish::FailForGood(message.into())).await
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
