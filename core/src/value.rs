//! Values of options: read from their text, and held to their bounds.

use std::time::Duration;

use crate::error::{Result, invalid};
use crate::language::Language;

pub(crate) const YEAR: Duration = Duration::from_secs(365 * 86_400);

pub(crate) fn parse_bool(name: &str, value: &str) -> Result<bool> {
    choice(name, value, &[("true", true), ("false", false)])
}

/// A duration in milliseconds; fractions are cut.
pub(crate) fn parse_ms(name: &str, value: &str) -> Result<Duration> {
    let ms: f64 = parse(name, value)?;
    if !(0.0..=1e15).contains(&ms) {
        return Err(invalid(format!("{name} is `{value}`, not a number of milliseconds")));
    }
    Ok(Duration::from_millis(ms as u64))
}

pub(crate) fn parse<T: std::str::FromStr>(name: &str, value: &str) -> Result<T> {
    value.trim().parse().map_err(|_| invalid(format!("{name} is `{value}`, which is not a number in its range")))
}

pub(crate) fn choice<T: Copy>(name: &str, value: &str, choices: &[(&str, T)]) -> Result<T> {
    choices.iter().find(|(text, _)| *text == value).map(|(_, choice)| *choice).ok_or_else(|| {
        let texts: Vec<_> = choices.iter().map(|(text, _)| *text).collect();
        invalid(format!("{name} is `{value}`, it must be {}", texts.join(" or ")))
    })
}

pub(crate) fn within(name: &str, value: Duration, low: Duration, high: Duration) -> Result<()> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    let language = Language::current();
    let [value, low, high] = [value, low, high].map(|duration| language.duration(duration));
    Err(invalid(format!("{} is {value}, it must be {low} to {high}", language.option(name))))
}
