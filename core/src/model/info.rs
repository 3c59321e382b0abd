//! Jobs, queues and members as inspections return them.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde::Serialize;

use super::as_json::{as_ms, failure, kept_result, optional_time, or_empty, or_zero, payload, raw, time};
use super::health::Stats;
use super::job::JobFailure;
use super::limit::LimitInfo;
use super::log::{FailedAttempt, LogLine};
use super::message::Role;

use super::payload::Payload;

/// The state of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub enum JobState {
    /// It waits for a worker.
    Waiting,
    /// It waits until it is due, after a delay or between attempts.
    Delayed,
    /// It waits at a limit, for its resource, or for the job that has its unique key.
    Blocked,
    /// A worker runs it.
    Active,
    /// It was deleted or timed out, and its worker has not yet confirmed that it stopped.
    Deleting,
    /// It failed permanently, and its record is kept.
    Failed,
    /// It was completed, and its record is kept.
    Completed,
}

impl JobState {
    /// All states with their names.
    pub const ALL: [(&'static str, JobState); 7] = [
        ("waiting", JobState::Waiting),
        ("delayed", JobState::Delayed),
        ("blocked", JobState::Blocked),
        ("active", JobState::Active),
        ("deleting", JobState::Deleting),
        ("failed", JobState::Failed),
        ("completed", JobState::Completed),
    ];

    /// The name of the state, which is the same in every language.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, state)| *state == self).map_or("", |(name, _)| name)
    }

    /// The state with this name.
    pub fn from_name(name: &str) -> Option<JobState> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, state)| *state)
    }
}

/// A job at one moment. Times are those of Redis' clock; as JSON they are milliseconds since 1970.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub struct JobInfo {
    /// The job's id.
    pub id: String,
    /// The state of the job.
    pub state: JobState,
    /// The payload; as JSON it is `payload`, as bytes `payload_base64`.
    #[serde(flatten, serialize_with = "payload")]
    pub payload: Payload,
    /// The payload is encrypted or compressed, and this member cannot decode it: [`payload`](Self::payload) has the bytes that are stored. Progress,
    /// checkpoint and result that cannot be decoded are left out; an error, a traceback and a line of the log are replaced by the reason in parentheses.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub payload_encoded: bool,
    /// Its priority.
    pub priority: i64,
    /// Its task, or "".
    pub task: String,
    /// Its resource, or "".
    pub resource: String,
    /// Its group, or "".
    pub group: String,
    /// Its limits.
    pub limits: Vec<String>,
    /// The headers that were added with the job.
    pub headers: BTreeMap<String, String>,
    /// The number of the attempt that runs or comes next, from 1; of a completed job the number of its attempts.
    pub attempt: u32,
    /// The total number of retries that the job may have.
    pub retries: u32,
    /// How many workers crashed in a row while they ran it.
    pub crashes: u32,
    /// The incarnation of the worker that runs it or completed it; as JSON "" for `None`.
    #[serde(serialize_with = "or_empty")]
    pub holder: Option<String>,
    /// The fencing token of the execution that runs or completed the job; as JSON 0 for `None`.
    #[serde(serialize_with = "or_zero")]
    pub fence: Option<u64>,
    /// When it was assigned to its worker.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "optional_time")]
    pub assigned_at: Option<SystemTime>,
    /// When a delayed job is due.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "optional_time")]
    pub due_at: Option<SystemTime>,
    /// The progress that its worker reported, as JSON.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "raw")]
    pub progress: Option<String>,
    /// The last checkpoint that an execution stored, as JSON.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "raw")]
    pub checkpoint: Option<String>,
    /// Why and when a failed job failed; as JSON `reason`, `error`, `traceback` and `failed_at`.
    #[serde(flatten, serialize_with = "failure")]
    pub failure: Option<JobFailure>,
    /// When a completed job was completed.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "optional_time")]
    pub completed_at: Option<SystemTime>,
    /// The result of a completed job; as JSON it is `result`, as bytes `result_base64`.
    #[serde(flatten, serialize_with = "kept_result")]
    pub result: Option<Payload>,
    /// The result of a completed job is not kept: it has more than 64 KiB, or its worker did not know yet that the cluster keeps completed jobs.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub result_omitted: bool,
    /// The lines that its handlers wrote with [`Job::log`](crate::Job::log), the newest 100. Pages of jobs leave them out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<LogLine>,
    /// The attempts that failed, the last one of a failed job included: of the newest 100 lines and attempts together. A crash is there if its worker had
    /// at most 100 jobs. Pages of jobs leave them out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failed_attempts: Vec<FailedAttempt>,
}

/// A page of jobs.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub struct JobPage {
    /// The jobs of this page. Pages of active jobs may be slightly shorter or longer than requested.
    pub jobs: Vec<JobInfo>,
    /// The position of the next page; `None` at the end. Jobs that change their state or position meanwhile may be missed or returned twice.
    pub next: Option<String>,
}

/// The number of waiting jobs of a priority and task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub struct QueueCount {
    /// The priority.
    pub priority: i64,
    /// The task, or "".
    pub task: String,
    /// Waiting jobs. In a queue of more than 4,096, deleted jobs count until their turn comes.
    pub waiting: u64,
    /// Groups that have waiting jobs.
    pub groups: u64,
}

/// Queues and pauses of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub struct Queues {
    /// Queues that are not empty, highest priority first.
    pub queues: Vec<QueueCount>,
    /// Limits that have figures or at which jobs wait, by name.
    pub limits: Vec<LimitInfo>,
    /// Tasks that are paused; `*` stands for all.
    pub paused: Vec<String>,
    /// The incarnation of the master that chooses workers, if there is one; as JSON "" for `None`.
    #[serde(serialize_with = "or_empty")]
    pub chooser: Option<String>,
}

impl Queues {
    /// Sorts the parts, and joins the counts of the same priority and task.
    pub(crate) fn put_in_order(&mut self) {
        self.limits.sort_by(|a, b| a.name.cmp(&b.name));
        self.limits.dedup_by(|a, b| a.name == b.name);
        self.paused.sort();
        self.queues.sort_by_cached_key(|queue| (std::cmp::Reverse(queue.priority), queue.task.clone()));
        // Jobs with a group and others wait in two queues, and plain jobs may, too.
        self.queues.dedup_by(|other, one| {
            let same = (other.priority, &other.task) == (one.priority, &one.task);
            if same {
                one.waiting += other.waiting;
                one.groups += other.groups;
            }
            same
        });
    }
}

/// A cluster at one moment, read with one call of bounded work: for displays that refresh often.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub struct Snapshot {
    /// The counts.
    pub stats: Stats,
    /// The first 1,000 queues that are not empty, highest priority first.
    pub queues: Vec<QueueCount>,
    /// There are more queues: [`Master::queues`](crate::Master::queues) returns all.
    pub more_queues: bool,
    /// Tasks that are paused; `*` stands for all.
    pub paused: Vec<String>,
    /// About 100 members, in the order in which they joined.
    pub members: Vec<MemberInfo>,
    /// There are more members: [`Master::members`](crate::Master::members) returns all.
    pub more_members: bool,
    /// The waiting job that is first in the order of assignment; as JSON "" for `None`.
    #[serde(serialize_with = "or_empty")]
    pub first_waiting: Option<String>,
}

/// A member as it is registered in Redis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub struct MemberInfo {
    /// Its incarnation.
    pub incarnation: String,
    /// Its role.
    pub role: Role,
    /// The option `name`.
    pub name: String,
    /// The option `group`.
    pub group: String,
    /// The host name of its machine.
    pub host: String,
    /// Its process id.
    pub pid: u32,
    /// The language of its program.
    pub language: String,
    /// The version of libswarm.
    pub version: String,
    /// The slots that a worker has now; `None` for no limit, as JSON 0.
    #[serde(serialize_with = "or_zero")]
    pub slots: Option<u32>,
    /// Whether it is paused: it is assigned no jobs.
    pub paused: bool,
    /// Tasks it accepts.
    pub tasks: Vec<String>,
    /// The number of its active jobs.
    pub active: u64,
    /// The number of its free slots.
    pub free: u64,
    /// When it registered, on Redis' clock.
    #[serde(serialize_with = "time")]
    pub joined_at: SystemTime,
    /// The time until its lease ends.
    #[serde(serialize_with = "as_ms", rename = "lease_left_ms")]
    pub lease_left: Duration,
    /// The data that its program set with [`Messages::set_data`](crate::Messages::set_data), as JSON.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "raw")]
    pub data: Option<String>,
    /// Messages for it that were dropped, because it did not read its inbox.
    pub dropped: u64,
}
