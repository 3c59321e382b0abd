//! Transitions of jobs, as followers receive them.

use std::time::SystemTime;

use serde::Serialize;

use super::as_json::{optional_time, or_zero, time};

/// The limit of bytes of [`JobEvent::reason`] and [`JobEvent::text`].
pub const MAX_EVENT_TEXT: usize = 256;

/// What became of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub enum JobEventKind {
    /// It was added, and waits.
    Added,
    /// An add with its unique key replaced it: it has other data, and waits.
    Replaced,
    /// It is delayed until `due_at`.
    Delayed,
    /// It waits for a limit, a resource, a unique key or other jobs: `reason` is `limit`, `resource`, `unique` or `jobs`.
    Blocked,
    /// Its delay is over, or what blocked it is free: it waits for a worker.
    Waiting,
    /// It was assigned to a worker.
    Assigned,
    /// Its worker reported progress.
    Progress,
    /// It left its worker and waits again, without a failed attempt: `reason` is empty if the worker released it or left, `crashed` if the worker was
    /// lost, `limited` if its handler was refused what it needs.
    Released,
    /// An attempt failed, or the job timed out, and it is retried: at `due_at` if that is set, else at once. Without a reason: it had failed, and is
    /// retried on request.
    Retrying,
    /// It was completed.
    Completed,
    /// It failed permanently.
    Failed,
    /// It was deleted, in any state. A worker that runs it stops.
    Deleted,
    /// A schedule adds the job; [`Added`](Self::Added) follows.
    ScheduleFired,
    /// Events before this one are missing: they are not kept any more, were not recorded, or Redis lost data. It has no job. After a loss of data,
    /// events that are kept may come again.
    Missed,
}

impl JobEventKind {
    /// All kinds with their names, and the letters of those that Redis stores.
    const ALL: [(&'static str, &'static str, JobEventKind); 14] = [
        ("added", "a", JobEventKind::Added),
        ("replaced", "x", JobEventKind::Replaced),
        ("delayed", "y", JobEventKind::Delayed),
        ("blocked", "b", JobEventKind::Blocked),
        ("waiting", "w", JobEventKind::Waiting),
        ("assigned", "s", JobEventKind::Assigned),
        ("progress", "p", JobEventKind::Progress),
        ("released", "l", JobEventKind::Released),
        ("retrying", "r", JobEventKind::Retrying),
        ("completed", "c", JobEventKind::Completed),
        ("failed", "f", JobEventKind::Failed),
        ("deleted", "d", JobEventKind::Deleted),
        ("schedule_fired", "h", JobEventKind::ScheduleFired),
        ("missed", "", JobEventKind::Missed),
    ];

    /// The name of the kind, which is the same in every language.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, _, kind)| *kind == self).map_or("", |(name, ..)| name)
    }

    pub(crate) fn from_letter(letter: &str) -> Option<JobEventKind> {
        Self::ALL.iter().find(|(_, known, _)| !letter.is_empty() && *known == letter).map(|(.., kind)| *kind)
    }
}

/// A transition of a job. Times are those of Redis' clock; as JSON they are milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub struct JobEvent {
    /// Where it is in the stream: the option `after` of a follower that continues behind it.
    pub position: String,
    /// What happened.
    pub kind: JobEventKind,
    /// When it happened.
    #[serde(serialize_with = "time")]
    pub time: SystemTime,
    /// The job's id.
    pub id: String,
    /// The job's task, or "" if it has none, or if the transition did not need to know it: in `Completed`, `Progress`, `Released` and `Blocked` it may
    /// be missing.
    pub task: String,
    /// The incarnation of the worker that runs it, or ran it until now; or "".
    pub worker: String,
    /// The fencing token of that execution; as JSON 0 for `None`.
    #[serde(serialize_with = "or_zero")]
    pub fence: Option<u64>,
    /// `Failed`, `Retrying`: the reason, as in [`FailureReason`](crate::FailureReason). `Released`, `Blocked`: see these. At most
    /// [`MAX_EVENT_TEXT`] bytes.
    pub reason: String,
    /// `Failed`, `Retrying`: the error, cut after [`MAX_EVENT_TEXT`] bytes. `Progress`: the progress as JSON, or "" if it is longer.
    pub text: String,
    /// `Delayed`, `Retrying`: when the job is due.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "optional_time")]
    pub due_at: Option<SystemTime>,
    /// `ScheduleFired`: the id of the schedule. `Blocked`: the name of the limit, the resource or the unique key; empty for `jobs`.
    pub name: String,
}

/// Where a follower of events begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub struct EventsOptions {
    /// `None`: with what happens from now on. `"0"`: with all events that are kept. Else behind the event with this
    /// [`position`](JobEvent::position).
    pub after: Option<String>,
}

impl EventsOptions {
    /// Sets where it begins; see [`EventsOptions::after`](Self#structfield.after).
    pub fn after(mut self, position: impl Into<String>) -> Self {
        self.after = Some(position.into());
        self
    }
}
