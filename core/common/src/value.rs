//! Values of options: parsed from text, and checked against their bounds. Error texts spell options and units in the program's language.

use std::fmt::Display;
use std::time::Duration;

use crate::error::{Error, Result, invalid};
use crate::language::{Language, grouped, option};

/// A day.
pub const DAY: Duration = Duration::from_secs(86_400);
/// A year: the upper bound of every duration.
pub const YEAR: Duration = Duration::from_secs(365 * 86_400);
/// The maximum number of characters of a value in an error text.
const SHOWN: usize = 80;

/// Reads `true` or `false`.
pub fn parse_bool(name: &str, value: &str) -> Result<bool> {
    choice(name, value, &[("true", true), ("false", false)])
}

/// A duration in milliseconds; fractions are cut.
pub fn parse_ms(name: &str, value: &str) -> Result<Duration> {
    let language = Language::current();
    let ms: Option<f64> = value.trim().parse().ok();
    match ms {
        Some(ms) if (0.0..=1e15).contains(&ms) => Ok(Duration::from_millis(ms as u64)),
        _ => {
            // The program may have passed another unit.
            let given = ms.map_or_else(|| shown(value), |ms| (ms / language.unit_ms()).to_string());
            Err(invalid(format!("{} is `{given}`, it must be a number of {}, 0 or more", language.option(name), language.unit())))
        }
    }
}

/// A whole number within its bounds.
pub fn whole<T: std::str::FromStr + PartialOrd + Display>(name: &str, value: &str, low: T, high: T) -> Result<T> {
    match value.trim().parse() {
        Ok(number) if (&low..=&high).contains(&&number) => Ok(number),
        _ => Err(out_of_bounds(name, &shown(value), &low, &high)),
    }
}

/// As [`whole`], for a value that was set as a number.
pub fn bounded<T: PartialOrd + Display>(name: &str, value: T, low: T, high: T) -> Result<()> {
    if (&low..=&high).contains(&&value) { Ok(()) } else { Err(out_of_bounds(name, &value.to_string(), &low, &high)) }
}

fn out_of_bounds(name: &str, value: &str, low: &impl Display, high: &impl Display) -> Error {
    invalid(format!("{} is `{value}`, it must be a whole number from {} to {}", option(name), grouped(low), grouped(high)))
}

/// A number from 0 to 1.
pub fn share(name: &str, value: &str) -> Result<f64> {
    let number = value.trim().parse().ok().filter(|number| (0.0..=1.0).contains(number));
    number.ok_or_else(|| invalid(format!("{} is `{}`, it must be a number from 0 to 1", option(name), shown(value))))
}

/// Parses one of the names in `choices`.
pub fn choice<T: Copy>(name: &str, value: &str, choices: &[(&str, T)]) -> Result<T> {
    choices.iter().find(|(text, _)| *text == value).map(|(_, choice)| *choice).ok_or_else(|| {
        let texts: Vec<_> = choices.iter().map(|(text, _)| *text).collect();
        invalid(format!("{} is `{}`, it must be {}", option(name), shown(value), texts.join(" or ")))
    })
}

/// Checks that a duration is from `low` to `high`.
pub fn within(name: &str, value: Duration, low: Duration, high: Duration) -> Result<()> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    let language = Language::current();
    let [value, low, high] = [value, low, high].map(|duration| language.duration(duration));
    Err(invalid(format!("{} is {value}, it must be {low} to {high}", language.option(name))))
}

/// A value, shortened for an error text.
pub fn shown(value: &str) -> String {
    match value.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", value[..end].escape_debug()),
        None => value.escape_debug().to_string(),
    }
}

/// The error for an unknown name. It shows the most similar names, and where all names are listed.
pub fn unknown(what: &str, name: &str, known: &[&str], page: &str) -> Error {
    let language = Language::current();
    let plain = |name: &str| name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>();
    let wanted = plain(&shown(name));
    let mut near: Vec<(usize, &str)> = known
        .iter()
        .map(|known| {
            let other = plain(known);
            let distance = distance(&wanted, &other);
            let part = wanted.len() > 2 && (other.contains(&wanted) || wanted.contains(&other) && other.len() > 2);
            (if part { distance.min(2) } else { distance }, *known)
        })
        .filter(|(distance, _)| *distance <= 2)
        .collect();
    near.sort();
    let names: Vec<_> = near.iter().take(3).map(|(_, known)| format!("`{}`", language.option(known))).collect();
    let hint = if names.is_empty() { String::new() } else { format!("; did you mean {}?", names.join(" or ")) };
    let page = if hint.is_empty() { format!("; {page}") } else { format!(" {}", capital(page)) };
    invalid(format!("unknown {what} `{}`{hint}{page}", shown(name)))
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// The edit distance: how many letters have to be changed, inserted or removed.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.chars().enumerate() {
        let mut before = std::mem::replace(&mut row[0], i + 1);
        for (j, other) in b.iter().enumerate() {
            let changed = before + usize::from(letter != *other);
            before = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(before + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_give_value_bounds_and_unit() {
        let text = |result: Result<u32>| result.unwrap_err().message().to_owned();
        assert_eq!(text(whole("window", "0", 1, 10_000)), "window is `0`, it must be a whole number from 1 to 10,000");
        assert_eq!(text(whole("window", "many", 1, 10_000)), "window is `many`, it must be a whole number from 1 to 10,000");
        let ms = parse_ms("lease", "-1").unwrap_err();
        assert_eq!(ms.message(), "lease is `-1`, it must be a number of milliseconds, 0 or more");
        let long = choice("requeue", &"x".repeat(1000), &[("front", ()), ("back", ())]).unwrap_err();
        assert!(long.message().len() < 200 && long.message().contains("front or back"), "{long}");
    }

    #[test]
    fn unknown_names_are_answered_with_the_nearest() {
        let known = ["password", "prefix", "port", "sentinel_password", "failed_ttl"];
        let text = |name| unknown("option", name, &known, "the page lists them").message().to_owned();
        assert_eq!(text("pasword"), "unknown option `pasword`; did you mean `password`? The page lists them");
        assert_eq!(text("failedTtl"), "unknown option `failedTtl`; did you mean `failed_ttl`? The page lists them");
        assert_eq!(text("colour"), "unknown option `colour`; the page lists them");
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
