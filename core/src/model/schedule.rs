//! When a schedule adds its jobs.

use std::str::FromStr;
use std::time::Duration;

use libswarm_common::error::{Error, ErrorKind, Result, invalid};
use libswarm_common::id::check_name;
use libswarm_common::value::{YEAR, choice, within};

use super::cron::{self, CronSlots};

/// The shortest interval of a schedule.
const SHORTEST: Duration = Duration::from_millis(100);
/// Missed slots that `CatchUp::All` runs, at most: the newest.
pub const MAX_CAUGHT_UP: usize = 100;
/// Slots that are computed ahead.
pub(crate) const AHEAD: usize = 16;
/// Longest id of a schedule, in bytes: the ids of its jobs have the time of their slot behind it.
const MAX_ID: usize = 200;

/// When a schedule adds a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Timing {
    /// A cron expression of 5 fields, or 6 with seconds first; also `@hourly`, `@daily` and the like, and `L`, `W` and `#`.
    Cron(String),
    /// At every multiple of this interval since `start`, or since the schedule was created; 100 ms to a year.
    Every(Duration),
    /// This long after the job before has ended, the first at once; 100 ms to a year. Without `start`, `end` and `jitter`.
    AfterEnd(Duration),
}

/// What a schedule does when its job before has not ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overlap {
    /// The slot is skipped.
    #[default]
    Skip,
    /// Both jobs run.
    Allow,
    /// The job starts when the one before has ended. Of several, only the first waits.
    QueueOne,
    /// The job before is deleted, and the new one starts when it has stopped.
    Replace,
}

/// What a schedule does with slots that passed while nothing ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CatchUp {
    /// One job for all that were missed: that of the last slot.
    #[default]
    Last,
    /// Nothing.
    Skip,
    /// A job for each, at most [`MAX_CAUGHT_UP`].
    All,
}

/// A schedule that adds jobs by itself: any living member of the cluster fires it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// When it adds a job.
    pub timing: Timing,
    /// The IANA time zone of a cron expression; default UTC.
    pub tz: String,
    /// No slot is before this time, in ms since 1970.
    pub start: Option<u64>,
    /// No slot is after this time, in ms since 1970.
    pub end: Option<u64>,
    /// The number of jobs after which it ends.
    pub limit: Option<u64>,
    /// Each job is delayed by up to so much, at random; default 0, at most a day.
    pub jitter: Duration,
    /// What happens when the job before has not ended.
    pub overlap: Overlap,
    /// What happens with missed slots.
    pub catch_up: CatchUp,
}

/// What became of a call that sets a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheduled {
    /// There was none of this id.
    Created,
    /// It was another. A change of the job alone keeps the slots.
    Changed,
    /// It was the same: nothing has changed.
    Unchanged,
}

/// A schedule at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub struct ScheduleInfo {
    /// Its id.
    pub id: String,
    /// When it adds jobs, and how.
    pub schedule: Schedule,
    /// The task of its jobs, or "".
    pub task: String,
    /// The priority of its jobs.
    pub priority: i64,
    /// The next slot, in ms since 1970.
    pub next_at: Option<u64>,
    /// The last slot that has come, whether its job was added or skipped; in ms since 1970.
    pub last_at: Option<u64>,
    /// The id of the last job, or "".
    pub last_job: String,
    /// Whether it is paused.
    pub paused: bool,
    /// Whether no slot follows: its end or its limit is reached.
    pub ended: bool,
    /// The number of jobs that its slots have added.
    pub added: u64,
    /// Slots that were skipped because the job before had not ended.
    pub skipped: u64,
}

/// A page of schedules.
#[derive(Clone, Debug, Default)]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub struct SchedulePage {
    /// The schedules of this page, by their ids.
    pub schedules: Vec<ScheduleInfo>,
    /// The position of the next page; `None` at the end.
    pub next: Option<String>,
}

impl Overlap {
    /// Its name, the same in every language.
    pub fn name(self) -> &'static str {
        match self {
            Overlap::Skip => "skip",
            Overlap::Allow => "allow",
            Overlap::QueueOne => "queue_one",
            Overlap::Replace => "replace",
        }
    }

    /// Whether jobs of the schedule wait for each other, by a resource.
    pub(crate) fn uses_resource(self) -> bool {
        matches!(self, Overlap::QueueOne | Overlap::Replace)
    }
}

impl CatchUp {
    /// Its name, the same in every language.
    pub fn name(self) -> &'static str {
        match self {
            CatchUp::Last => "last",
            CatchUp::Skip => "none",
            CatchUp::All => "all",
        }
    }
}

/// The options of a schedule by their common names.
#[cfg(feature = "bindings")]
pub const SCHEDULE_OPTIONS: [&str; 10] =
    ["cron", "every", "after_end", "tz", "start", "end", "limit", "jitter", "overlap", "catch_up"];

#[cfg(feature = "bindings")]
impl Schedule {
    /// A schedule from options by their common names, with their values as text: times in ms, times of day in ms since 1970. Exactly one of `cron`,
    /// `every` and `after_end` is set.
    pub fn from_pairs(pairs: &[(String, String)]) -> Result<Schedule> {
        use libswarm_common::value::{parse_ms, unknown, whole};
        let mut timings = Vec::new();
        let mut schedule = Schedule::new(Timing::Every(Duration::ZERO));
        for (name, value) in pairs {
            match &**name {
                "cron" => timings.push(Timing::Cron(value.clone())),
                "every" => timings.push(Timing::Every(parse_ms(name, value)?)),
                "after_end" => timings.push(Timing::AfterEnd(parse_ms(name, value)?)),
                "tz" => schedule.tz.clone_from(value),
                "start" => schedule.start = Some(whole(name, value, 0, 1 << 53)?),
                "end" => schedule.end = Some(whole(name, value, 0, 1 << 53)?),
                "limit" => schedule.limit = Some(whole(name, value, 1, 1 << 53)?),
                "jitter" => schedule.jitter = parse_ms(name, value)?,
                "overlap" => schedule.overlap = value.parse()?,
                "catch_up" => schedule.catch_up = value.parse()?,
                _ => return Err(unknown("option of a schedule", name, &SCHEDULE_OPTIONS, "docs/reference/options.md")),
            }
        }
        let [timing] = <[Timing; 1]>::try_from(timings)
            .map_err(|timings| invalid(format!("a schedule has one of cron, every and after_end, not {}", timings.len())))?;
        schedule.timing = timing;
        schedule.check()?;
        Ok(schedule)
    }
}

#[cfg(feature = "bindings")]
impl SchedulePage {
    /// As JSON: `{"schedules": [...], "next": text or null}`.
    pub fn to_json(&self) -> String {
        let shown: Vec<String> = self.schedules.iter().map(ScheduleInfo::to_json).collect();
        format!("{{\"schedules\":[{}],\"next\":{}}}", shown.join(","), serde_json::Value::from(self.next.clone()))
    }
}

#[cfg(feature = "bindings")]
impl ScheduleInfo {
    /// As JSON, with the options by their common names; times in ms.
    pub fn to_json(&self) -> String {
        let mut fields: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(&self.schedule.timing_text()).unwrap_or_default();
        let more = serde_json::json!({
            "id": self.id, "limit": self.schedule.limit, "overlap": self.schedule.overlap.name(),
            "catch_up": self.schedule.catch_up.name(), "task": self.task, "priority": self.priority, "next_at": self.next_at,
            "last_at": self.last_at, "last_job": self.last_job, "paused": self.paused, "ended": self.ended, "added": self.added,
            "skipped": self.skipped,
        });
        fields.extend(more.as_object().cloned().unwrap_or_default());
        fields.retain(|_, value| !value.is_null());
        serde_json::Value::Object(fields).to_string()
    }
}

impl Schedule {
    /// What the slots follow from, as JSON: kept in the cluster, for whichever member computes them.
    pub(crate) fn timing_text(&self) -> String {
        let mut fields = serde_json::Map::new();
        let (name, value) = match &self.timing {
            Timing::Cron(text) => ("cron", text.clone().into()),
            Timing::Every(interval) => ("every", (interval.as_millis() as u64).into()),
            Timing::AfterEnd(pause) => ("after_end", (pause.as_millis() as u64).into()),
        };
        fields.insert(name.into(), value);
        fields.insert("tz".into(), self.tz.clone().into());
        fields.insert("start".into(), self.start.into());
        fields.insert("end".into(), self.end.into());
        fields.insert("jitter".into(), (self.jitter.as_millis() as u64).into());
        serde_json::Value::Object(fields).to_string()
    }

    /// Reads what `timing_text` wrote; overlap, catch_up and limit have their defaults.
    pub(crate) fn from_timing(text: &str) -> Option<Self> {
        let fields: serde_json::Value = serde_json::from_str(text).ok()?;
        let millis = |name: &str| fields.get(name)?.as_u64().map(Duration::from_millis);
        let timing = match (fields.get("cron").and_then(|cron| cron.as_str()), millis("every"), millis("after_end")) {
            (Some(cron), _, _) => Timing::Cron(cron.to_owned()),
            (_, Some(interval), _) => Timing::Every(interval),
            (_, _, Some(pause)) => Timing::AfterEnd(pause),
            _ => return None,
        };
        let number = |name: &str| fields.get(name).and_then(serde_json::Value::as_u64);
        let schedule = Schedule {
            tz: fields.get("tz")?.as_str()?.to_owned(),
            start: number("start"),
            end: number("end"),
            jitter: millis("jitter")?,
            ..Schedule::new(timing)
        };
        schedule.check().ok()?;
        Some(schedule)
    }

    /// A schedule with the defaults.
    pub fn new(timing: Timing) -> Self {
        Schedule {
            timing,
            tz: "UTC".to_owned(),
            start: None,
            end: None,
            limit: None,
            jitter: Duration::ZERO,
            overlap: Overlap::default(),
            catch_up: CatchUp::default(),
        }
    }

    pub(crate) fn check(&self) -> Result<()> {
        match &self.timing {
            Timing::Cron(text) => drop(cron::parse(text)?),
            Timing::Every(interval) => within("every", *interval, SHORTEST, YEAR)?,
            Timing::AfterEnd(pause) => {
                within("after_end", *pause, SHORTEST, YEAR)?;
                let others =
                    [("start", self.start.is_some()), ("end", self.end.is_some()), ("jitter", self.jitter > Duration::ZERO)];
                if let Some((name, _)) = others.into_iter().find(|(_, set)| *set) {
                    return Err(invalid(format!("a schedule with after_end has no {name}")));
                }
            }
        }
        cron::zone(&self.tz)?;
        within("jitter", self.jitter, Duration::ZERO, Duration::from_secs(86_400))?;
        if self.limit == Some(0) {
            return Err(invalid("the limit of a schedule is at least 1"));
        }
        match (self.start, self.end) {
            (Some(start), Some(end)) if end <= start => Err(invalid("the end of a schedule is not after its start")),
            _ => Ok(()),
        }
    }

    /// Whether slots can be computed ahead. Without, the next follows from the end of a job.
    pub(crate) fn has_slots_ahead(&self) -> bool {
        !matches!(self.timing, Timing::AfterEnd(_))
    }

    /// The next slots after `after`, in ms since 1970, at most `most`. `anchor`: when the schedule was created. None is left at the end of the
    /// schedule, and for one whose next job follows the end of the one before.
    pub(crate) fn slots(&self, anchor: u64, after: u64, most: usize) -> Result<Vec<u64>> {
        let after = self.start.map_or(after, |start| after.max(start.saturating_sub(1)));
        let end = self.end.unwrap_or(u64::MAX);
        let slots: Vec<u64> = match &self.timing {
            Timing::Cron(text) => CronSlots::new(text, &self.tz)?.after(after, most),
            Timing::Every(interval) => {
                let (interval, anchor) = (interval.as_millis() as u64, self.start.unwrap_or(anchor));
                let first = after.checked_sub(anchor).map_or(0, |passed| passed / interval + 1);
                (first..).take(most).map(|number| anchor + number * interval).collect()
            }
            Timing::AfterEnd(_) => Vec::new(),
        };
        Ok(slots.into_iter().take_while(|slot| *slot <= end).collect())
    }

    /// The newest slots after `after` and up to `now`, at most `most`, the oldest first.
    pub(crate) fn missed(&self, anchor: u64, after: u64, now: u64, most: usize) -> Result<Vec<u64>> {
        let after = self.start.map_or(after, |start| after.max(start.saturating_sub(1)));
        let now = self.end.map_or(now, |end| now.min(end));
        if now <= after {
            return Ok(Vec::new());
        }
        let mut slots: Vec<u64> = match &self.timing {
            Timing::Cron(text) => CronSlots::new(text, &self.tz)?.before(now, after, most),
            Timing::Every(interval) => {
                let (interval, anchor) = (interval.as_millis() as u64, self.start.unwrap_or(anchor));
                let last = now.checked_sub(anchor).map(|passed| anchor + passed / interval * interval);
                let back = |slot: &u64| slot.checked_sub(interval).filter(|slot| *slot >= anchor);
                std::iter::successors(last, back).take_while(|slot| *slot > after).take(most).collect()
            }
            Timing::AfterEnd(_) => Vec::new(),
        };
        slots.reverse();
        Ok(slots)
    }
}

/// Checks the id of a schedule.
pub(crate) fn check_id(id: &str) -> Result<()> {
    check_name("schedule id", id)?;
    if id.len() > MAX_ID {
        return Err(Error::new(ErrorKind::TooLarge, format!("the schedule id has {} bytes, the limit is {MAX_ID}", id.len())));
    }
    Ok(())
}

impl FromStr for Overlap {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let all = [Overlap::Skip, Overlap::Allow, Overlap::QueueOne, Overlap::Replace];
        choice("overlap", text, &all.map(|one| (one.name(), one)))
    }
}

impl FromStr for CatchUp {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let all = [CatchUp::Last, CatchUp::Skip, CatchUp::All];
        choice("catch_up", text, &all.map(|one| (one.name(), one)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_go_on_from_their_anchor() {
        let schedule = Schedule::new(Timing::Every(Duration::from_secs(10)));
        assert_eq!(schedule.slots(1_000, 0, 3).unwrap(), [1_000, 11_000, 21_000]);
        assert_eq!(schedule.slots(1_000, 1_000, 1).unwrap(), [11_000]);
        assert_eq!(schedule.slots(1_000, 31_500, 2).unwrap(), [41_000, 51_000]);
        let bounded = Schedule { start: Some(20_000), end: Some(40_000), ..schedule };
        assert_eq!(bounded.slots(1_000, 0, 9).unwrap(), [20_000, 30_000, 40_000]);
    }

    #[cfg(feature = "bindings")]
    #[test]
    fn bindings_pass_options_by_name() {
        let from = |pairs: &[(&str, &str)]| {
            Schedule::from_pairs(&pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<Vec<_>>())
        };
        let schedule =
            from(&[("cron", "@daily"), ("tz", "Asia/Tokyo"), ("limit", "3"), ("overlap", "replace"), ("catch_up", "none")]);
        let expected = Schedule {
            tz: "Asia/Tokyo".into(),
            limit: Some(3),
            overlap: Overlap::Replace,
            catch_up: CatchUp::Skip,
            ..Schedule::new(Timing::Cron("@daily".into()))
        };
        assert_eq!(schedule.unwrap(), expected);
        for (pairs, part) in [
            (&[][..], "one of cron"),
            (&[("cron", "@daily"), ("every", "1000")], "one of cron"),
            (&[("every", "1000"), ("overlaps", "skip")], "overlap"),
            (&[("every", "1000"), ("overlap", "maybe")], "queue_one"),
            (&[("every", "1000"), ("limit", "0")], "limit"),
        ] {
            let error = from(pairs).unwrap_err().to_string();
            assert!(error.contains(part), "{pairs:?}: {error}");
        }
    }

    #[test]
    fn bad_values_are_named() {
        let refused = |timing: Timing| Schedule::new(timing).check().unwrap_err().to_string();
        for (text, part) in [
            ("* * * *", "fields"),
            ("61 * * * *", "field 1 (`61`, minute)"),
            ("0 0 31 13 *", "field 4 (`13`, month)"),
            ("", "empty"),
        ] {
            let error = refused(Timing::Cron(text.into()));
            assert!(error.contains(part), "{text}: {error}");
        }
        let zone = Schedule { tz: "Mars/Base".into(), ..Schedule::new(Timing::Cron("@daily".into())) };
        assert!(zone.check().unwrap_err().to_string().contains("Mars/Base"));
        assert!(refused(Timing::Every(Duration::from_millis(10))).contains("every"));
        let bounded = Schedule { start: Some(1), ..Schedule::new(Timing::AfterEnd(Duration::from_secs(1))) };
        assert!(bounded.check().unwrap_err().to_string().contains("no start"));
    }
}
