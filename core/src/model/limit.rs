//! Limits: how many jobs of a kind start in a time, and how many are active.

use std::time::Duration;

use libswarm_common::error::{Result, invalid};
use libswarm_common::id::check_name;
use libswarm_common::value::{bounded, within};
use serde::Serialize;

/// The limits that one job may have.
pub(crate) const MAX_JOB_LIMITS: usize = 4;
/// The highest rate, burst, concurrency and cost.
const MAX_FIGURE: u32 = 1_000_000;
const LONGEST_PERIOD: Duration = Duration::from_secs(86_400);

/// The figures of a limit: a rate, a number of active jobs, or both.
///
/// ```
/// use std::time::Duration;
///
/// use libswarm::Limit;
///
/// let stripe = Limit::rate(100, Duration::from_secs(60)).burst(10).concurrency(5);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub struct Limit {
    /// Jobs that start in each period, 1 to 1,000,000; `None` for no limit.
    pub rate: Option<u32>,
    /// The period of the rate, 1 ms to a day; default 1 s.
    pub per: Option<Duration>,
    /// How many jobs may start at once after a pause, 1 to 1,000,000; default 1: starts are at least `per / rate` apart. In a period, at most
    /// `rate + burst - 1` jobs start.
    pub burst: Option<u32>,
    /// Jobs that are active at a time, 1 to 1,000,000; `None` for no limit.
    pub concurrency: Option<u32>,
}

impl Limit {
    /// At most `jobs` start in each period.
    pub fn rate(jobs: u32, per: Duration) -> Self {
        Limit { rate: Some(jobs), per: Some(per), ..Limit::default() }
    }

    /// At most `jobs` are active.
    pub fn concurrent(jobs: u32) -> Self {
        Limit { concurrency: Some(jobs), ..Limit::default() }
    }

    /// How many jobs may start at once after a pause.
    #[must_use]
    pub fn burst(mut self, jobs: u32) -> Self {
        self.burst = Some(jobs);
        self
    }

    /// Limits the jobs that are active, too.
    #[must_use]
    pub fn concurrency(mut self, jobs: u32) -> Self {
        self.concurrency = Some(jobs);
        self
    }

    pub(crate) fn check(&self) -> Result<()> {
        if self.rate.is_none() && self.concurrency.is_none() {
            return Err(invalid("a limit has a rate, a concurrency or both"));
        }
        for (name, value) in [("rate", self.rate), ("burst", self.burst), ("concurrency", self.concurrency)] {
            if let Some(value) = value {
                bounded(name, value, 1, MAX_FIGURE)?;
            }
        }
        if let Some(per) = self.per {
            within("per", per, Duration::from_millis(1), LONGEST_PERIOD)?;
        }
        let of_rate = [("per", self.per.is_some()), ("burst", self.burst.is_some())];
        if let (None, Some((name, _))) = (self.rate, of_rate.into_iter().find(|(_, set)| *set)) {
            return Err(invalid(format!("{name} belongs to a rate, and this limit has none; set rate, or leave {name} out")));
        }
        Ok(())
    }

    /// The period of the rate.
    pub(crate) fn period(&self) -> Duration {
        self.per.unwrap_or(Duration::from_secs(1))
    }
}

/// The options of a limit by their common names.
#[cfg(feature = "bindings")]
pub const LIMIT_OPTIONS: [&str; 4] = ["rate", "per", "burst", "concurrency"];

#[cfg(feature = "bindings")]
impl Limit {
    /// A limit from options by their common names, with their values as text; `per` in ms.
    pub fn from_pairs(pairs: &[(String, String)]) -> Result<Limit> {
        use libswarm_common::value::{parse_ms, unknown, whole};
        let mut limit = Limit::default();
        for (name, value) in pairs {
            match &**name {
                "rate" => limit.rate = Some(whole(name, value, 1, MAX_FIGURE)?),
                "per" => limit.per = Some(parse_ms(name, value)?),
                "burst" => limit.burst = Some(whole(name, value, 1, MAX_FIGURE)?),
                "concurrency" => limit.concurrency = Some(whole(name, value, 1, MAX_FIGURE)?),
                _ => return Err(unknown("option of a limit", name, &LIMIT_OPTIONS, "docs/reference/options.md")),
            }
        }
        limit.check()?;
        Ok(limit)
    }
}

/// A limit at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub struct LimitInfo {
    /// Its name.
    pub name: String,
    /// Its figures; as JSON those of `rate`, `per` in ms, `burst` and `concurrency` that are set. A limit without figures allows everything.
    #[serde(flatten, serialize_with = "figures")]
    pub figures: Option<Limit>,
    /// The number of active jobs that have this limit.
    pub active: u64,
    /// The number of jobs that wait at this limit. A job that may start waits in its queue.
    pub blocked: u64,
    /// The time until the rate lets the next job start, also after a handler said that the limit must wait; 0 if one may start now.
    #[serde(serialize_with = "milliseconds", rename = "next_in_ms")]
    pub next_in: Duration,
}

fn milliseconds<S: serde::Serializer>(time: &Duration, to: S) -> std::result::Result<S::Ok, S::Error> {
    to.serialize_u64(time.as_millis() as u64)
}

fn figures<S: serde::Serializer>(figures: &Option<Limit>, to: S) -> std::result::Result<S::Ok, S::Error> {
    use serde::ser::SerializeMap;
    let none = Limit::default();
    let limit = figures.as_ref().unwrap_or(&none);
    let per = limit.per.map(|per| per.as_millis() as u64);
    let rate = [("rate", limit.rate), ("burst", limit.burst), ("concurrency", limit.concurrency)];
    let mut map = to.serialize_map(None)?;
    for (name, value) in rate.map(|(name, value)| (name, value.map(u64::from))).into_iter().chain([("per", per)]) {
        if let Some(value) = value {
            map.serialize_entry(name, &value)?;
        }
    }
    map.end()
}

/// A limit that a job is subject to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct JobLimit {
    pub(crate) name: String,
    /// How much of the rate the job takes.
    pub(crate) cost: u32,
}

/// Checks the name of a limit for which figures are set: `<group>:*` stands for the limits of a group.
pub(crate) fn check_limit_name(name: &str) -> Result<()> {
    check_name("name of a limit", name)?;
    let stem = name.strip_suffix(":*").unwrap_or(name);
    if stem.is_empty() || stem.ends_with('*') {
        return Err(invalid(format!("`{name}` is no name of a limit; `<group>:*` stands for all limits of a group")));
    }
    Ok(())
}

pub(crate) fn check_job_limits(limits: &[JobLimit]) -> Result<()> {
    if limits.len() > MAX_JOB_LIMITS {
        return Err(invalid(format!("a job has at most {MAX_JOB_LIMITS} limits, not {}", limits.len())));
    }
    for (at, limit) in limits.iter().enumerate() {
        check_name("name of a limit", &limit.name)?;
        if limit.name.ends_with('*') {
            return Err(invalid(format!("`{}` stands for many limits; a job names one, without `*`", limit.name)));
        }
        bounded("cost", limit.cost, 1, MAX_FIGURE)?;
        if limits[..at].iter().any(|other| other.name == limit.name) {
            return Err(invalid(format!("the job has the limit `{}` twice", limit.name)));
        }
    }
    Ok(())
}

/// Reads the limits of a job: a name, or a JSON array of names and `{"name": name, "cost": number}`.
pub(crate) fn parse_job_limits(text: &str) -> Result<Vec<JobLimit>> {
    let wrong = || invalid("limits is a name, or an array of names and {\"name\": ..., \"cost\": ...}");
    if !text.starts_with('[') {
        return Ok(vec![JobLimit { name: text.to_owned(), cost: 1 }]);
    }
    let items: Vec<serde_json::Value> = serde_json::from_str(text).map_err(|_| wrong())?;
    let read = |item: &serde_json::Value| match item {
        serde_json::Value::String(name) => Ok(JobLimit { name: name.clone(), cost: 1 }),
        serde_json::Value::Object(fields) => {
            if let Some(other) = fields.keys().find(|key| !["name", "cost"].contains(&key.as_str())) {
                return Err(invalid(format!("`{other}` is no part of a limit of a job; it has name and cost")));
            }
            let name = fields.get("name").and_then(|name| name.as_str()).ok_or_else(wrong)?.to_owned();
            let cost = fields.get("cost").map_or(Some(1), serde_json::Value::as_u64).and_then(|cost| u32::try_from(cost).ok());
            let cost =
                cost.ok_or_else(|| invalid(format!("the cost of limit `{name}` is a whole number from 1 to {MAX_FIGURE}")))?;
            Ok(JobLimit { name, cost })
        }
        _ => Err(wrong()),
    };
    items.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_out_of_bounds_are_refused() {
        let second = Duration::from_secs(1);
        for (limit, part) in [
            (Limit::default(), "a rate, a concurrency or both"),
            (Limit::rate(0, second), "rate"),
            (Limit::rate(1_000_001, second), "1,000,000"),
            (Limit::rate(1, Duration::ZERO), "per"),
            (Limit::rate(1, 86_401 * second), "per"),
            (Limit::rate(1, second).burst(0), "burst"),
            (Limit::concurrent(0), "concurrency"),
            (Limit::concurrent(1).burst(2), "burst belongs to a rate"),
        ] {
            let error = limit.check().unwrap_err().to_string();
            assert!(error.contains(part), "{limit:?}: {error}");
        }
        Limit::rate(1, second).burst(3).concurrency(2).check().unwrap();
    }

    #[test]
    fn limits_of_jobs_are_read_and_checked() {
        let read = |text: &str| parse_job_limits(text).and_then(|limits| check_job_limits(&limits).map(|()| limits));
        assert_eq!(read("stripe").unwrap(), [JobLimit { name: "stripe".into(), cost: 1 }]);
        let two = read(r#"["stripe", {"name": "tenant:42", "cost": 3}]"#).unwrap();
        assert_eq!((two.len(), &*two[1].name, two[1].cost), (2, "tenant:42", 3));
        for (text, part) in [
            ("", "empty"),
            ("[1]", "names"),
            ("[", "names"),
            (r#"[{"name": "a", "costs": 1}]"#, "costs"),
            (r#"[{"name": "a", "cost": 0}]"#, "cost"),
            (r#"[{"name": "a", "cost": -1}]"#, "cost"),
            (r#"[{"cost": 1}]"#, "names"),
            (r#"["a", "a"]"#, "twice"),
            (r#"["a", "b", "c", "d", "e"]"#, "at most 4"),
            ("tenant:*", "without `*`"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn names_with_a_star_stand_for_a_group() {
        for name in ["stripe", "tenant:*", "a:b:*"] {
            check_limit_name(name).unwrap();
        }
        for name in ["", "*", ":*", "tenant*", "a\nb"] {
            check_limit_name(name).unwrap_err();
        }
    }
}
