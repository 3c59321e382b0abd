//! Times and durations as people read and write them.

use std::time::{Duration, SystemTime};

/// A duration such as `500ms`, `5s`, `2m`, `1.5h` or `7d`.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no duration; write a number with a unit, as in 500ms, 5s, 2m, 1h or 7d");
    let digits = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').ok_or_else(wrong)?;
    let (number, unit) = text.split_at(digits);
    let seconds = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => return Err(wrong()),
    };
    let number: f64 = number.parse().map_err(|_| wrong())?;
    Duration::try_from_secs_f64(number * seconds).map_err(|_| wrong())
}

/// A time such as `2026-11-30T12:00:00Z`, or milliseconds since 1970; in ms since 1970.
pub(crate) fn parse_time(text: &str) -> Result<u64, String> {
    if let Ok(ms) = text.parse() {
        return Ok(ms);
    }
    let time: Result<jiff::Timestamp, _> = text.parse();
    let wrong = || format!("`{text}` is no time; write it as 2026-11-30T12:00:00Z, with its zone, or in ms since 1970");
    time.ok().and_then(|time| u64::try_from(time.as_millisecond()).ok()).ok_or_else(wrong)
}

/// A duration in its two largest units: `3m 5s`, `250ms`.
pub(crate) fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0 => format!("{}ms", time.as_millis()),
        1..60 => format!("{seconds}s"),
        60..3600 => two(seconds / 60, "m", seconds % 60, "s"),
        3600..86_400 => two(seconds / 3600, "h", seconds % 3600 / 60, "m"),
        _ => two(seconds / 86_400, "d", seconds % 86_400 / 3600, "h"),
    }
}

/// A short time to about two digits: `12ms`, `1.4s`, `3m 5s`.
pub(crate) fn brief(time: Duration) -> String {
    match time.as_secs() {
        0 if time < Duration::from_millis(1) => "<1ms".to_owned(),
        1..10 => format!("{:.1}s", time.as_secs_f64()),
        _ => duration(time),
    }
}

fn two(large: u64, large_unit: &str, small: u64, small_unit: &str) -> String {
    match small {
        0 => format!("{large}{large_unit}"),
        small => format!("{large}{large_unit} {small}{small_unit}"),
    }
}

/// A time relative to now: `3s ago`, `in 5m`.
pub(crate) fn relative(time: SystemTime) -> String {
    match (SystemTime::now().duration_since(time), time.duration_since(SystemTime::now())) {
        (_, Ok(ahead)) if ahead > Duration::ZERO => format!("in {}", duration(ahead)),
        (Ok(since), _) => format!("{} ago", duration(since)),
        _ => "now".to_owned(),
    }
}

/// A time in UTC, to the millisecond.
pub(crate) fn absolute(time: SystemTime) -> String {
    jiff::Timestamp::try_from(time).map_or_else(|_| "?".to_owned(), |time| format!("{time:.3}"))
}

/// A time in ms since 1970.
pub(crate) fn of_ms(ms: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit() {
        for (text, ms) in [("500ms", 500), ("5s", 5000), ("1.5m", 90_000), ("2h", 7_200_000), ("1d", 86_400_000)] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for text in ["", "5", "s", "5 s", "-1s", "1..2s", "5x", "99999999999999999999d"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times_have_a_zone() {
        assert_eq!(parse_time("1970-01-01T00:00:01Z"), Ok(1000));
        assert_eq!(parse_time("1970-01-01T01:00:01+01:00"), Ok(1000));
        assert_eq!(parse_time("1234"), Ok(1234));
        for text in ["", "tomorrow", "2026-11-30", "2026-11-30T12:00:00"] {
            assert!(parse_time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_are_short() {
        for (ms, text) in [(0, "0ms"), (1500, "1s"), (60_000, "1m"), (3_900_000, "1h 5m"), (90_000_000, "1d 1h")] {
            assert_eq!(duration(Duration::from_millis(ms)), text);
        }
    }
}
