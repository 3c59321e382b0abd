//! Cron expressions in time zones.

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, Zoned};
use libswarm_common::error::{Result, invalid};

/// Clocks go back by less than this, in ms.
const FOLD: u64 = 3 * 3_600_000;

pub(super) fn parse(text: &str) -> Result<Cron> {
    let fields = text.split_whitespace().count();
    if fields > 6 {
        return Err(invalid(format!("the cron expression `{text}` has {fields} fields; it has 5, or 6 with seconds first")));
    }
    let parser = CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build();
    // Croner does not know this common name.
    let known = if text.trim().eq_ignore_ascii_case("@midnight") { "@daily" } else { text };
    parser.parse(known).map_err(|error| invalid(format!("the cron expression `{text}`{}: {error}", position(&parser, text))))
}

/// Which field of an expression cannot be read, if it is one.
fn position(parser: &CronParser, text: &str) -> String {
    let names = ["second", "minute", "hour", "day of the month", "month", "day of the week"];
    let fields: Vec<&str> = text.split_whitespace().collect();
    let Some(first) = 6_usize.checked_sub(fields.len()).filter(|_| fields.len() >= 5) else { return String::new() };
    let wrong = (0..fields.len()).find(|at| {
        let alone: Vec<&str> = (0..fields.len()).map(|other| if other == *at { fields[other] } else { "*" }).collect();
        parser.parse(&alone.join(" ")).is_err()
    });
    wrong.map_or_else(String::new, |at| format!(", field {} (`{}`, {})", at + 1, fields[at], names[first + at]))
}

pub(super) fn zone(name: &str) -> Result<TimeZone> {
    // Fixed offsets and the zone of the machine are not names of zones.
    TimeZone::get(name).map_err(|_| invalid(format!("there is no time zone `{name}`; use an IANA name such as Europe/Berlin")))
}

/// The slots of a cron expression in a time zone.
pub(super) struct CronSlots {
    cron: Cron,
    zone: TimeZone,
    /// Whether times are those of the clock on the wall: one that does not exist runs at the end of the gap, one that comes twice runs once. An
    /// expression for every hour goes on by time that has passed instead.
    by_wall: bool,
}

impl CronSlots {
    pub(super) fn new(text: &str, zone_name: &str) -> Result<Self> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let hour = fields.len().checked_sub(4).map_or("", |at| fields[at]);
        let by_wall = !hour.starts_with('*') && !text.trim().eq_ignore_ascii_case("@hourly");
        Ok(CronSlots { cron: parse(text)?, zone: zone(zone_name)?, by_wall })
    }

    /// At most `most` slots after `after`. An expression such as that of a 30th of February has none.
    pub(super) fn after(&self, after: u64, most: usize) -> Vec<u64> {
        let Some(start) = timestamp(after) else { return Vec::new() };
        let mut slots = Vec::new();
        let (mut at, mut last) = (self.clock(start), after);
        while slots.len() < most {
            let Ok(next) = self.cron.find_next_occurrence(&at, false) else { break };
            let slot = self.time_of(&next);
            if slot > last {
                slots.push(slot);
                last = slot;
            }
            at = next;
        }
        slots
    }

    /// At most `most` slots from `now` back to the first that is not after `after`, the newest first.
    pub(super) fn before(&self, now: u64, after: u64, most: usize) -> Vec<u64> {
        // Times on the wall that are later than now may have passed: clocks may just have gone back.
        let Some(start) = timestamp(if self.by_wall { now.saturating_add(FOLD) } else { now }) else { return Vec::new() };
        let mut slots: Vec<u64> = Vec::new();
        let (mut at, mut inclusive) = (self.clock(start), true);
        while slots.len() < most {
            let Ok(previous) = self.cron.find_previous_occurrence(&at, inclusive) else { break };
            let slot = self.time_of(&previous);
            if slot <= after {
                break;
            }
            if slot <= now && slots.last() != Some(&slot) {
                slots.push(slot);
            }
            (at, inclusive) = (previous, false);
        }
        slots
    }

    /// The time that the expression is compared with: of a clock on the wall, as if it were that of UTC.
    fn clock(&self, time: Timestamp) -> Zoned {
        let there = time.to_zoned(self.zone.clone());
        match there.datetime().to_zoned(TimeZone::UTC) {
            Ok(wall) if self.by_wall => wall,
            _ => there,
        }
    }

    /// The time, in ms since 1970, of a match.
    fn time_of(&self, found: &Zoned) -> u64 {
        let time = if self.by_wall { self.time_on_wall(found.datetime()) } else { Some(found.timestamp()) };
        time.map_or(0, |time| time.as_millisecond().max(0) as u64)
    }

    fn time_on_wall(&self, wall: DateTime) -> Option<Timestamp> {
        match self.zone.to_ambiguous_timestamp(wall).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(wall).ok(),
            AmbiguousOffset::Fold { before, .. } => before.to_timestamp(wall).ok(),
            // With the offset from after the gap, this time is before it.
            AmbiguousOffset::Gap { after, .. } => Some(self.zone.following(after.to_timestamp(wall).ok()?).next()?.timestamp()),
        }
    }
}

fn timestamp(ms: u64) -> Option<Timestamp> {
    i64::try_from(ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(time: &str) -> u64 {
        time.parse::<Timestamp>().unwrap().as_millisecond() as u64
    }

    fn cron(text: &str, tz: &str, after: &str, most: usize) -> Vec<String> {
        let slots = CronSlots::new(text, tz).unwrap().after(ms(after), most);
        slots.into_iter().map(|ms| Timestamp::from_millisecond(ms as i64).unwrap().to_string()).collect()
    }

    /// A zone, a daily time, and the next two runs after a moment.
    #[rustfmt::skip]
    const CHANGES: &[(&str, &str, &str, [&str; 2])] = &[
        // A time that does not exist runs at the end of the gap.
        ("Europe/Berlin", "30 2 * * *", "2026-03-28T12:00:00Z", ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]),
        ("Europe/London", "30 1 * * *", "2026-03-28T12:00:00Z", ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]),
        ("America/New_York", "30 2 * * *", "2026-03-07T12:00:00Z", ["2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z"]),
        ("America/St_Johns", "30 2 * * *", "2026-03-07T12:00:00Z", ["2026-03-08T05:30:00Z", "2026-03-09T05:00:00Z"]),
        ("America/Santiago", "30 0 * * *", "2026-09-05T12:00:00Z", ["2026-09-06T04:00:00Z", "2026-09-07T03:30:00Z"]),
        ("Pacific/Auckland", "30 2 * * *", "2026-09-26T12:00:00Z", ["2026-09-26T14:00:00Z", "2026-09-27T13:30:00Z"]),
        ("Australia/Lord_Howe", "15 2 * * *", "2026-10-03T12:00:00Z", ["2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z"]),
        ("Africa/Casablanca", "30 2 * * *", "2026-03-21T12:00:00Z", ["2026-03-22T02:00:00Z", "2026-03-23T01:30:00Z"]),
        // One that comes twice runs once, the first time.
        ("Europe/Berlin", "30 2 * * *", "2026-10-24T12:00:00Z", ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]),
        ("Europe/London", "30 1 * * *", "2026-10-24T12:00:00Z", ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]),
        ("America/New_York", "30 1 * * *", "2026-10-31T12:00:00Z", ["2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"]),
        ("America/St_Johns", "30 1 * * *", "2026-10-31T12:00:00Z", ["2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"]),
        ("America/Santiago", "30 23 * * *", "2026-04-04T12:00:00Z", ["2026-04-05T02:30:00Z", "2026-04-06T03:30:00Z"]),
        ("Pacific/Auckland", "30 2 * * *", "2026-04-04T12:00:00Z", ["2026-04-04T13:30:00Z", "2026-04-05T14:30:00Z"]),
        ("Australia/Lord_Howe", "45 1 * * *", "2026-04-04T12:00:00Z", ["2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z"]),
        ("Africa/Casablanca", "30 2 * * *", "2026-02-14T12:00:00Z", ["2026-02-15T01:30:00Z", "2026-02-16T02:30:00Z"]),
        // Zones whose clocks are not changed.
        ("Asia/Kolkata", "30 2 * * *", "2026-03-28T12:00:00Z", ["2026-03-28T21:00:00Z", "2026-03-29T21:00:00Z"]),
        ("Asia/Tehran", "30 2 * * *", "2026-03-21T12:00:00Z", ["2026-03-21T23:00:00Z", "2026-03-22T23:00:00Z"]),
        ("UTC", "@daily", "2026-03-28T12:00:00Z", ["2026-03-29T00:00:00Z", "2026-03-30T00:00:00Z"]),
    ];

    #[test]
    fn daily_times_run_once_a_day_through_changes_of_the_clock() {
        for (tz, text, after, runs) in CHANGES {
            assert_eq!(cron(text, tz, after, 2), runs, "{tz} {text} after {after}");
            // Seen from the second, what was missed is the same.
            let missed = CronSlots::new(text, tz).unwrap().before(ms(runs[1]), ms(after), 9);
            assert_eq!(missed, [ms(runs[1]), ms(runs[0])], "{tz} {text} before {}", runs[1]);
        }
    }

    /// A zone, an expression, and all runs of the local day of a change.
    #[rustfmt::skip]
    const DAYS: &[(&str, &str, &str, &str, &[&str])] = &[
        // Lists, ranges and steps are times on the wall, too.
        ("Europe/Berlin", "30 2,14 * * *", "2027-10-30T22:00:00Z", "2027-10-31T23:00:00Z", &["2027-10-31T00:30:00Z", "2027-10-31T13:30:00Z"]),
        ("Europe/Berlin", "0,30 2 * * *", "2027-03-27T23:00:00Z", "2027-03-28T22:00:00Z", &["2027-03-28T01:00:00Z"]),
        ("Europe/Berlin", "0,30 2 * * *", "2027-10-30T22:00:00Z", "2027-10-31T23:00:00Z", &["2027-10-31T00:00:00Z", "2027-10-31T00:30:00Z"]),
        ("Europe/Berlin", "0 1-3 * * *", "2027-10-30T22:00:00Z", "2027-10-31T23:00:00Z", &["2027-10-30T23:00:00Z", "2027-10-31T00:00:00Z", "2027-10-31T02:00:00Z"]),
        ("Europe/Berlin", "0 1-3 * * *", "2027-03-27T23:00:00Z", "2027-03-28T22:00:00Z", &["2027-03-28T00:00:00Z", "2027-03-28T01:00:00Z"]),
        ("Australia/Lord_Howe", "15,45 1 * * *", "2026-04-04T13:00:00Z", "2026-04-05T13:00:00Z", &["2026-04-04T14:15:00Z", "2026-04-04T14:45:00Z"]),
        // An expression for every hour goes on by time that has passed.
        ("Europe/Berlin", "30 * * * *", "2027-10-30T23:00:00Z", "2027-10-31T02:00:00Z", &["2027-10-30T23:30:00Z", "2027-10-31T00:30:00Z", "2027-10-31T01:30:00Z"]),
        ("Europe/Berlin", "30 * * * *", "2027-03-28T00:00:00Z", "2027-03-28T02:00:00Z", &["2027-03-28T00:30:00Z", "2027-03-28T01:30:00Z"]),
        ("Europe/Berlin", "@hourly", "2027-10-31T00:30:00Z", "2027-10-31T02:30:00Z", &["2027-10-31T01:00:00Z", "2027-10-31T02:00:00Z"]),
    ];

    #[test]
    fn a_time_on_the_wall_runs_once_on_the_day_of_a_change() {
        for (tz, text, from, to, runs) in DAYS {
            let slots = CronSlots::new(text, tz).unwrap();
            let runs: Vec<u64> = runs.iter().map(|run| ms(run)).collect();
            // From every minute of the day, what follows and what was missed is the same.
            for at in (ms(from)..ms(to)).step_by(60_000) {
                let (passed, ahead): (Vec<u64>, Vec<u64>) = runs.iter().partition(|run| **run <= at);
                let after = slots.after(at, runs.len() + 1);
                assert_eq!(after.into_iter().filter(|slot| *slot < ms(to)).collect::<Vec<_>>(), ahead, "{tz} {text} after {at}");
                assert!(slots.before(at, ms(from) - 1, 9).into_iter().rev().eq(passed), "{tz} {text} before {at}");
            }
        }
    }

    #[test]
    fn expressions_have_seconds_and_the_extensions_of_cron() {
        assert_eq!(cron("*/20 * * * * *", "UTC", "2026-01-01T00:00:30Z", 2), ["2026-01-01T00:00:40Z", "2026-01-01T00:01:00Z"]);
        assert_eq!(cron("0 12 L * *", "UTC", "2026-02-01T00:00:00Z", 2), ["2026-02-28T12:00:00Z", "2026-03-31T12:00:00Z"]);
        assert_eq!(cron("0 12 15W * *", "UTC", "2026-08-01T00:00:00Z", 1), ["2026-08-14T12:00:00Z"]);
        assert_eq!(cron("0 12 * * MON#2", "UTC", "2026-08-01T00:00:00Z", 1), ["2026-08-10T12:00:00Z"]);
        assert_eq!(cron("@midnight", "UTC", "2026-08-01T10:00:00Z", 1), ["2026-08-02T00:00:00Z"]);
        assert_eq!(cron("0 0 30 2 *", "UTC", "2026-08-01T00:00:00Z", 1), [""; 0]);
    }
}
