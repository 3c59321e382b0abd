//! Jobs to add, with their options and checks.

use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::model::extras::{BACKOFF, Extras, MAX_PRIORITY, MAX_RETRIES, MAX_WEIGHT, OnFailure};
use crate::model::limit::{self, JobLimit};
use crate::model::payload::Payload;
use crate::model::unique::{ON_CONFLICT, Unique, Until};
use libswarm_common::backoff::{Backoff, Growth};
use libswarm_common::error::{Error, ErrorKind, Result, invalid};
use libswarm_common::id::check_name;
use libswarm_common::language::{Language, Listed, option};
use libswarm_common::value::{YEAR, choice, parse_bool, parse_ms, share, unknown, whole, within};

/// The default time for which a result is kept.
pub const DEFAULT_RESULT_TTL: Duration = Duration::from_secs(300);

/// The names that [`NewJob::set`] accepts.
const NAMES: [&str; 30] = [
    "id",
    "result",
    "result_ttl",
    "priority",
    "task",
    "delay",
    "run_at",
    "retries",
    "backoff",
    "backoff_delay",
    "backoff_max",
    "backoff_jitter",
    "resource",
    "limits",
    "group",
    "weight",
    "unique",
    "unique_until",
    "on_conflict",
    "debounce",
    "max_wait",
    "assign_timeout",
    "run_timeout",
    "total_timeout",
    "header",
    "ephemeral",
    "durability",
    "after",
    "on_failure",
    "keep_completed",
];

/// A job to add.
///
/// ```
/// use std::time::Duration;
///
/// use libswarm::NewJob;
///
/// let job = NewJob::json("a mail")?.id("mail-7").task("send").priority(3).retries(5).run_timeout(Duration::from_secs(30));
/// # Ok::<(), libswarm::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct NewJob {
    pub(crate) id: Option<String>,
    pub(crate) payload: Payload,
    pub(crate) result: bool,
    pub(crate) result_ttl: Option<Duration>,
    pub(crate) extras: Option<Box<Extras>>,
    pub(crate) start: Start,
    pub(crate) ephemeral: bool,
    pub(crate) durability: Durability,
    /// The master that adds the job awaits its result, and its record names this master.
    pub(crate) awaited: bool,
    /// The id was generated for this job, so that no job with this id can exist.
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

    /// Sets the job's id, 1 to 256 bytes without control characters. While a job with this id exists, adding it again changes nothing and returns
    /// `existed`.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Keeps the job's result so that it can be awaited.
    pub fn result(mut self, keep: bool) -> Self {
        self.result = keep;
        self
    }

    /// How long the result is kept after the job has finished, 1 s to 365 days; default 5 minutes.
    pub fn result_ttl(mut self, ttl: Duration) -> Self {
        self.result_ttl = Some(ttl);
        self
    }

    fn extras(&mut self) -> &mut Extras {
        self.extras.get_or_insert_default()
    }

    /// Jobs of a higher priority are assigned first, those of one priority first in first out; default 0, -2^53 to 2^53.
    pub fn priority(mut self, priority: i64) -> Self {
        self.extras().priority = priority;
        self
    }

    /// The kind of work, used to route jobs: only workers whose option `tasks` contains it accept the job.
    pub fn task(mut self, task: impl Into<String>) -> Self {
        self.extras().task = task.into();
        self
    }

    /// Delays the job by this time, up to 10 years.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.start = Start::After(delay);
        self
    }

    /// Delays the job until this time, on Redis' clock.
    pub fn run_at(mut self, time: SystemTime) -> Self {
        self.start = Start::At(time);
        self
    }

    /// How often the job is retried after its handler failed, 0 to 200; default 0.
    pub fn retries(mut self, retries: u32) -> Self {
        self.extras().retries = retries;
        self
    }

    /// The pauses before retries; default 1 s each.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.extras().backoff = Some(backoff);
        self
    }

    /// Jobs with the same resource run one at a time, in the order in which they would have been assigned.
    pub fn resource(mut self, resource: impl Into<String>) -> Self {
        self.extras().resource = resource.into();
        self
    }

    /// The job's group: the groups of the jobs that wait with the same priority and task take turns, so that no group waits for all jobs of another.
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.extras().group = group.into();
        self
    }

    /// How many turns the job's group has while one of weight 1 has one, 1 to 1,000; default 1. Of the jobs of a group that wait, the one that was
    /// queued last counts. Excludes a job without a group.
    pub fn weight(mut self, weight: u32) -> Self {
        self.extras().weight = Some(weight);
        self
    }

    /// The job's unique key, which one job has at a time: see [`Unique`]. While another job has it, adding this one does nothing, or what
    /// [`Unique::on_conflict`] states.
    pub fn unique(mut self, unique: impl Into<Unique>) -> Self {
        self.extras().unique = Some(unique.into());
        self
    }

    /// Delays the job by this time, 1 ms to 365 days. Until it starts, each further add with its unique key replaces its payload and options and
    /// delays it anew. Excludes `delay`, `run_at`, [`OnConflict::Attach`](crate::OnConflict::Attach) and [`Until::Time`](crate::Until::Time).
    pub fn debounce(mut self, pause: Duration) -> Self {
        self.extras().debounce = Some(pause);
        self
    }

    /// The longest time for which [`debounce`](NewJob::debounce) delays a job, from when it was first added; at least `debounce`, at most 10 years;
    /// default ten times `debounce`.
    pub fn max_wait(mut self, limit: Duration) -> Self {
        self.extras().max_wait = Some(limit);
        self
    }

    /// Adds a limit that the job is subject to, at a cost of 1; at most 4. A limit whose figures are not set with [`Master::limit`] allows everything.
    ///
    /// [`Master::limit`]: crate::Master::limit
    pub fn limit(self, name: impl Into<String>) -> Self {
        self.limit_at_cost(name, 1)
    }

    /// Adds a limit that the job is subject to, and how much of the limit's rate it takes, 1 to 1,000,000; at most 4.
    pub fn limit_at_cost(mut self, name: impl Into<String>, cost: u32) -> Self {
        self.extras().limits.push(JobLimit { name: name.into(), cost });
        self
    }

    /// The job fails with [`ErrorKind::AssignTimeout`] if it is not assigned within this time after it was added or became due.
    pub fn assign_timeout(mut self, limit: Duration) -> Self {
        self.extras().assign_timeout = Some(limit);
        self
    }

    /// Stops an execution after this time. It counts as failed, with [`ErrorKind::RunTimeout`] if no retry is left.
    pub fn run_timeout(mut self, limit: Duration) -> Self {
        self.extras().run_timeout = Some(limit);
        self
    }

    /// The job fails with [`ErrorKind::TotalTimeout`] in any state, this long after it was added.
    pub fn total_timeout(mut self, limit: Duration) -> Self {
        self.extras().total_timeout = Some(limit);
        self
    }

    /// The job waits until all these jobs have ended: at most 1,000 ids of jobs that exist, or that have ended and whose result or failure is kept; in
    /// a flow also ids of jobs of the flow. `delay`, `run_at` and `assign_timeout` count from then on. Excludes `unique` and `ephemeral`. Replaces
    /// ids that were set before.
    pub fn after(mut self, ids: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.extras().after = ids.into_iter().map(Into::into).collect();
        self
    }

    /// What the job does if a job that it waits for fails or is deleted; default [`OnFailure::Fail`].
    pub fn on_failure(mut self, what: OnFailure) -> Self {
        self.extras().node.on_failure = what;
        self
    }

    /// Adds a header: a name and a value that the handler receives with the job, such as a trace context.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.extras().headers.insert(name.into(), value.into());
        self
    }

    /// How long the job is kept once it is completed, whether or not the cluster keeps completed jobs: up to 10 years. Zero: it is not kept.
    pub fn keep_completed(mut self, age: Duration) -> Self {
        self.extras().keep = Some(age);
        self
    }

    /// Deletes the job when the master that added it leaves or is lost.
    pub fn ephemeral(mut self, ephemeral: bool) -> Self {
        self.ephemeral = ephemeral;
        self
    }

    /// The durability that the job has when `add` returns. If it cannot be reached, `add` fails with [`ErrorKind::NotDurable`]; the job stays
    /// queued.
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Sets an option by its name, which is the same in every language. Times are in milliseconds, `run_at` since 1970; `header` is `name=value`
    /// and may be set more than once, and so may `after`, one id each; `on_failure` is `fail`, `run` or `ignore`; `backoff` is `fixed` or `exponential`.
    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        match name {
            "id" => self.id = Some(value.to_owned()),
            "result" => self.result = parse_bool(name, value)?,
            "result_ttl" => self.result_ttl = Some(parse_ms(name, value)?),
            "priority" => self.extras().priority = whole(name, value, -MAX_PRIORITY, MAX_PRIORITY)?,
            "task" => self.extras().task = value.to_owned(),
            "delay" => self.start = Start::After(parse_ms(name, value)?),
            "run_at" => {
                let at = SystemTime::UNIX_EPOCH.checked_add(parse_ms(name, value)?);
                self.start = Start::At(at.ok_or_else(|| invalid(format!("{} is too far away", option(name))))?);
            }
            "retries" => self.extras().retries = whole(name, value, 0, MAX_RETRIES)?,
            "backoff" => {
                let growth = choice("job.backoff", value, &[("fixed", Growth::Fixed), ("exponential", Growth::Exponential)])?;
                self.extras().backoff.get_or_insert_default().growth = growth;
            }
            "backoff_delay" => self.extras().backoff.get_or_insert_default().delay = parse_ms(BACKOFF[0], value)?,
            "backoff_max" => self.extras().backoff.get_or_insert_default().max = parse_ms(BACKOFF[1], value)?,
            "backoff_jitter" => self.extras().backoff.get_or_insert_default().jitter = share(BACKOFF[2], value)?,
            "resource" => self.extras().resource = value.to_owned(),
            "limits" => self.extras().limits = limit::parse_job_limits(value)?,
            "group" => self.extras().group = value.to_owned(),
            "weight" => self.extras().weight = Some(whole(name, value, 1, MAX_WEIGHT)?),
            "unique" => self.extras().unique.get_or_insert_default().key = value.to_owned(),
            "unique_until" => self.extras().unique.get_or_insert_default().until = Until::parse(value)?,
            "on_conflict" => self.extras().unique.get_or_insert_default().on_conflict = choice(name, value, &ON_CONFLICT)?,
            "debounce" => self.extras().debounce = Some(parse_ms(name, value)?),
            "max_wait" => self.extras().max_wait = Some(parse_ms(name, value)?),
            "assign_timeout" => self.extras().assign_timeout = Some(parse_ms(name, value)?),
            "run_timeout" => self.extras().run_timeout = Some(parse_ms(name, value)?),
            "total_timeout" => self.extras().total_timeout = Some(parse_ms(name, value)?),
            "header" => {
                let (header, value) = value.split_once('=').ok_or_else(|| invalid("a header is written name=value"))?;
                self.extras().headers.insert(header.to_owned(), value.to_owned());
            }
            "after" => self.extras().after.push(value.to_owned()),
            "on_failure" => self.extras().node.on_failure = choice(name, value, &OnFailure::ALL)?,
            "keep_completed" => self.extras().keep = Some(parse_ms(name, value)?),
            "ephemeral" => self.ephemeral = parse_bool(name, value)?,
            "durability" => {
                let levels = [("memory", Durability::Memory), ("fsync", Durability::Fsync), ("replica", Durability::Replica)];
                self.durability = choice(name, value, &levels)?;
            }
            _ => return Err(unknown("job option", name, &NAMES, Language::current().options_page(Listed::Job))),
        }
        Ok(())
    }

    /// Checks everything that can be checked without Redis, as adding does; `max_payload` is the option of that name.
    pub fn check(&self, max_payload: usize) -> Result<()> {
        if self.payload.bytes.len() > max_payload {
            return Err(Error::new(
                ErrorKind::TooLarge,
                format!(
                    "the payload has {} bytes, the limit is {max_payload} (option {})",
                    self.payload.bytes.len(),
                    option("max_payload")
                ),
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
        let Some(extras) = &self.extras else { return Ok(()) };
        if extras.debounce.is_some() && self.start != Start::Now {
            return Err(invalid(Language::current().text("{debounce} delays the job itself: leave out {delay} and {run_at}")));
        }
        if !extras.after.is_empty() {
            self.check_after(&extras.after)?;
        }
        extras.check()
    }

    /// When the job becomes due, if no other job has its unique key.
    pub(crate) fn start(&self) -> Start {
        let debounce = self.extras.as_ref().and_then(|extras| extras.debounce);
        debounce.map_or(self.start, Start::After)
    }

    fn check_after(&self, after: &[String]) -> Result<()> {
        for id in after {
            check_name(&format!("{}: job id", option("after")), id)?;
            if self.id.as_ref() == Some(id) {
                return Err(invalid(format!("the job `{id}` waits for itself; remove its own id from {}", option("after"))));
            }
        }
        Ok(())
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

impl Start {
    /// As scripts read it: 0 at once, above 0 a pause in ms, below 0 the negated time in ms since 1970.
    pub(crate) fn as_millis(self) -> i64 {
        let millis = |time: Duration| (time.as_millis() as i64).min(1 << 53);
        match self {
            Start::Now => 0,
            Start::After(pause) => millis(pause),
            Start::At(time) => -millis(time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()).max(1),
        }
    }
}

/// The durability of a job when `add` returns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub enum Durability {
    /// Redis has it in memory. The default.
    #[default]
    Memory,
    /// It is on the disk of the Redis master (`WAITAOF`, Redis 7.2; or `appendfsync always`).
    Fsync,
    /// At least one replica has it too (`WAIT`).
    Replica,
}

impl NewJob {
    /// Whether it has the option `after`.
    pub(crate) fn waits_for_others(&self) -> bool {
        self.extras.as_ref().is_some_and(|extras| !extras.after.is_empty())
    }

    /// Bytes that the job keeps in memory until Redis has stored it.
    pub(crate) fn size(&self) -> u64 {
        let id = self.id.as_ref().map_or(0, String::len);
        (self.payload.bytes.len() + id + self.extras.as_ref().map_or(0, |extras| extras.size())) as u64
    }
}

/// The result of `add`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub struct Added {
    /// The job's id; if another job has its unique key, the id of that job.
    pub id: String,
    /// Whether the job with this id existed.
    pub existed: bool,
    /// Whether the existing job got the payload and the options of the added one. If not, it was left unchanged.
    pub replaced: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

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
