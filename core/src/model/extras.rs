//! Options that most jobs do not have, and the bounds of them.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::limit::{self, JobLimit};
use crate::model::unique::{self, Unique, Until};
use libswarm_common::backoff::Backoff;
use libswarm_common::error::{Error, ErrorKind, Result, invalid};
use libswarm_common::id::check_name;
use libswarm_common::value::{YEAR, bounded, within};

/// The limit of a job's task, resource, headers and other options together, in bytes.
pub const MAX_EXTRAS: usize = 32 * 1024;
/// The limit of retries of a job.
pub const MAX_RETRIES: u32 = 200;
/// The limit of priorities, in both directions from 0.
pub const MAX_PRIORITY: i64 = 1 << 53;
/// The largest weight of a group.
pub const MAX_WEIGHT: u32 = 1000;

/// In the form that `Language::option` accepts.
pub(super) const BACKOFF: [&str; 3] = ["job.backoff_delay", "job.backoff_max", "job.backoff_jitter"];

/// What a job does if a job that it waits for fails or is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub enum OnFailure {
    /// It fails at once with [`ErrorKind::DependencyFailed`], and so on through the jobs that wait for it. The default.
    #[default]
    Fail,
    /// It runs when all have ended, and its inputs show which failed.
    Run,
    /// It runs when all have ended, and its inputs have only those that were completed.
    Ignore,
}

impl OnFailure {
    /// All with their names.
    pub(crate) const ALL: [(&'static str, OnFailure); 3] =
        [("fail", OnFailure::Fail), ("run", OnFailure::Run), ("ignore", OnFailure::Ignore)];
}

/// The part of a job in the graph of those that wait for each other.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Node {
    /// Unique among all jobs; empty if it waits for none and none waits for it.
    pub(crate) name: String,
    pub(crate) on_failure: OnFailure,
    /// The flow that it belongs to, or empty.
    pub(crate) flow: String,
    /// Other jobs wait for it.
    pub(crate) watched: bool,
}

/// Options that most jobs do not have; stored in a separate part of the record, so that other jobs do not pay for them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Extras {
    pub(crate) priority: i64,
    pub(crate) task: String,
    pub(crate) resource: String,
    pub(crate) group: String,
    pub(crate) weight: Option<u32>,
    pub(crate) unique: Option<Unique>,
    pub(crate) debounce: Option<Duration>,
    pub(crate) max_wait: Option<Duration>,
    pub(crate) retries: u32,
    pub(crate) backoff: Option<Backoff>,
    pub(crate) assign_timeout: Option<Duration>,
    pub(crate) run_timeout: Option<Duration>,
    pub(crate) total_timeout: Option<Duration>,
    pub(crate) limits: Vec<JobLimit>,
    pub(crate) headers: BTreeMap<String, String>,
    /// For an ephemeral job the incarnation of its master, else empty.
    pub(crate) ephemeral_of: String,
    /// JSON; stored by an execution, for the next one.
    pub(crate) checkpoint: Option<String>,
    /// The schedule that adds the job, or empty.
    pub(crate) schedule: String,
    /// Whether the next job of the schedule follows the end of this one.
    pub(crate) then_next: bool,
    pub(crate) node: Node,
    /// Jobs that this one waits for; not a part of the record.
    pub(crate) after: Vec<String>,
    /// How long the job is kept once it is completed; zero if it is not kept.
    pub(crate) keep: Option<Duration>,
    /// Executions have written to its log; set by scripts.
    pub(crate) logged: bool,
}

impl Extras {
    pub(crate) fn size(&self) -> usize {
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        let limits: usize = self.limits.iter().map(|limit| limit.name.len()).sum();
        let after: usize = self.after.iter().map(String::len).sum();
        self.task.len() + self.resource.len() + self.group.len() + self.unique_key().len() + limits + headers + after
    }

    /// Whether scripts must process these options when such a job finishes.
    pub(crate) fn need_care(&self) -> bool {
        !self.resource.is_empty() || self.need_decoding()
    }

    /// Whether scripts must process options in the map of extras of a record when the job is assigned.
    pub(crate) fn need_admission(&self) -> bool {
        !self.limits.is_empty() || self.unique.is_some() || self.has_timeouts()
    }

    /// As `need_care`, for options that are in the map of extras of a record.
    pub(crate) fn need_decoding(&self) -> bool {
        !self.limits.is_empty() || self.need_beginning()
    }

    /// Whether scripts must process these options when a job is added that waits for others.
    pub(crate) fn count_while_blocked(&self) -> bool {
        !self.ephemeral_of.is_empty() || self.total_timeout.is_some()
    }

    /// Whether scripts must process these options when the job is added.
    pub(crate) fn need_beginning(&self) -> bool {
        self.unique.is_some()
            || !self.ephemeral_of.is_empty()
            || self.then_next
            || self.has_timeouts()
            || !self.node.name.is_empty()
    }

    /// The unique key, or empty.
    pub(crate) fn unique_key(&self) -> &String {
        static NONE: String = String::new();
        self.unique.as_ref().map_or(&NONE, |unique| &unique.key)
    }

    /// Whether the job has its unique key for a time, which may be longer than its own.
    pub(crate) fn has_key_for_a_time(&self) -> bool {
        self.unique.as_ref().is_some_and(|unique| matches!(unique.until, Until::Time(_)))
    }

    /// The schedule whose next job follows the end of this one, or empty.
    pub(crate) fn then_next_of(&self) -> &String {
        static NONE: String = String::new();
        if self.then_next { &self.schedule } else { &NONE }
    }

    pub(crate) fn has_timeouts(&self) -> bool {
        self.assign_timeout.is_some() || self.run_timeout.is_some() || self.total_timeout.is_some()
    }

    pub(crate) fn check(&self) -> Result<()> {
        bounded("priority", self.priority, -MAX_PRIORITY, MAX_PRIORITY)?;
        for (what, name) in [("task", &self.task), ("resource", &self.resource), ("group", &self.group)] {
            if !name.is_empty() {
                check_name(what, name)?;
            }
        }
        unique::check(self.unique.as_ref(), self.debounce, self.max_wait)?;
        bounded("retries", self.retries, 0, MAX_RETRIES)?;
        limit::check_job_limits(&self.limits)?;
        if let Some(weight) = self.weight {
            bounded("weight", weight, 1, MAX_WEIGHT)?;
            if self.group.is_empty() {
                return Err(invalid("weight belongs to a group, and this job has none; set group, or leave weight out"));
            }
        }
        if let Some(backoff) = &self.backoff {
            backoff.check(BACKOFF)?;
        }
        let timeouts =
            [("assign_timeout", self.assign_timeout), ("run_timeout", self.run_timeout), ("total_timeout", self.total_timeout)];
        for (name, timeout) in timeouts {
            if let Some(timeout) = timeout {
                within(name, timeout, Duration::from_millis(1), YEAR)?;
            }
        }
        if let Some(age) = self.keep {
            within("keep_completed", age, Duration::ZERO, 10 * YEAR)?;
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
