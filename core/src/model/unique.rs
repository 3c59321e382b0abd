//! Unique keys of jobs, and what becomes of a job whose key another job has.

use std::time::Duration;

use libswarm_common::error::{Result, invalid};
use libswarm_common::id::check_name;
use libswarm_common::language::{Language, option};
use libswarm_common::value::{YEAR, parse_ms, shown, within};

/// The shortest time of an option.
const SHORTEST: Duration = Duration::from_millis(1);
/// The default `max_wait` is so many times the `debounce`.
const DEFAULT_WAITS: u32 = 10;

/// A key that one job has at a time.
///
/// ```
/// use libswarm::{NewJob, OnConflict, Unique};
///
/// let job = NewJob::json("index")?.unique("index:7");
/// let newest = NewJob::json("index")?.unique(Unique { on_conflict: OnConflict::Latest, ..Unique::from("index:7") });
/// # Ok::<(), libswarm::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unique {
    /// The key, 1 to 256 bytes without control characters.
    pub key: String,
    /// Until when the job has the key; default until it ends.
    pub until: Until,
    /// What adding this job does while another job has the key; default nothing.
    pub on_conflict: OnConflict,
}

impl From<&str> for Unique {
    fn from(key: &str) -> Self {
        key.to_owned().into()
    }
}

impl From<String> for Unique {
    fn from(key: String) -> Self {
        Unique { key, ..Unique::default() }
    }
}

/// Until when a job has its unique key. A failed or deleted job has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub enum Until {
    /// Until it has completed, failed permanently, or was deleted.
    #[default]
    End,
    /// Until it is assigned to a worker for the first time.
    Start,
    /// For this time after it was added, also if it has completed before; 1 ms to 365 days.
    Time(Duration),
}

impl Until {
    /// Reads `end`, `start` or a number of milliseconds.
    pub(crate) fn parse(value: &str) -> Result<Until> {
        match value {
            "end" => Ok(Until::End),
            "start" => Ok(Until::Start),
            _ => parse_ms("unique_until", value).map(Until::Time).map_err(|_| {
                let (name, unit) = (option("unique_until"), Language::current().unit());
                invalid(format!("{name} is `{}`, it must be end or start, or a number of {unit}", shown(value)))
            }),
        }
    }
}

/// What adding a job does while another job has its unique key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub enum OnConflict {
    /// Nothing: the answer has the id of the other job.
    #[default]
    Drop,
    /// If the other job has not been assigned, it gets the payload and the options of this one. Otherwise as `Drop`.
    Replace,
    /// This job waits, and then finishes with the outcome of the other one. If that is deleted, the next one that waits runs.
    Attach,
    /// If the other job has not been assigned, as `Replace`. Otherwise this job runs after it; of several, only the newest does.
    Latest,
}

/// Names of the values, in every language.
pub(crate) const ON_CONFLICT: [(&str, OnConflict); 4] = [
    ("drop", OnConflict::Drop),
    ("replace", OnConflict::Replace),
    ("attach", OnConflict::Attach),
    ("latest", OnConflict::Latest),
];

/// Checks the options about the unique key of a job; `unique` is `None` if no key was set.
pub(crate) fn check(unique: Option<&Unique>, debounce: Option<Duration>, max_wait: Option<Duration>) -> Result<()> {
    let refuse = |template: &str| Err(invalid(Language::current().text(template)));
    let Some(unique) = unique else {
        return match (debounce, max_wait) {
            (Some(_), _) => refuse("{debounce} needs a unique key: set {unique}"),
            (None, Some(_)) => refuse("{max_wait} needs {debounce} and a unique key: set {debounce} and {unique}"),
            (None, None) => Ok(()),
        };
    };
    check_name("unique key", &unique.key)?;
    if let Until::Time(time) = unique.until {
        within("unique_until", time, SHORTEST, YEAR)?;
    }
    match unique.on_conflict {
        OnConflict::Attach if unique.until != Until::End => {
            return refuse("{on_conflict} is `attach`, which waits for the end of the other job: set {unique_until} to end");
        }
        OnConflict::Latest if unique.until != Until::End => {
            return refuse("{on_conflict} is `latest`, which waits for the end of the other job: set {unique_until} to end");
        }
        OnConflict::Attach if debounce.is_some() => {
            return refuse("{debounce} replaces jobs, and {on_conflict} `attach` keeps them: set one of them");
        }
        OnConflict::Drop | OnConflict::Replace | OnConflict::Attach | OnConflict::Latest => {}
    }
    match (debounce, max_wait) {
        (None, Some(_)) => refuse("{max_wait} needs {debounce}: set {debounce}"),
        (None, None) => Ok(()),
        (Some(_), _) if matches!(unique.until, Until::Time(_)) => {
            refuse("{debounce} needs its key until the job starts or ends: set {unique_until} to start or end")
        }
        (Some(debounce), max_wait) => {
            within("debounce", debounce, SHORTEST, YEAR)?;
            max_wait.map_or(Ok(()), |max_wait| within("max_wait", max_wait, debounce, 10 * YEAR))
        }
    }
}

/// The longest time for which adds with the same key delay a job.
pub(crate) fn longest_wait(debounce: Duration, max_wait: Option<Duration>) -> Duration {
    max_wait.unwrap_or(DEFAULT_WAITS * debounce)
}
