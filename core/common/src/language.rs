//! How messages spell options and write durations: in the style of the program's language.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

/// The language of the program that uses this library. Messages spell options and write durations as this language does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Language {
    /// Rust; the default.
    #[default]
    Rust,
    /// C: as Rust.
    C,
    /// Python: durations are seconds.
    Python,
    /// Node: names are in camelCase.
    Node,
}

/// The kind of object that an option belongs to.
#[derive(Clone, Copy, Debug)]
pub enum Listed {
    /// Of a master or worker.
    Member,
    /// Of a job.
    Job,
    /// Of a supervisor or a program.
    Process,
}

/// One per process: each binding links its own copy of this crate.
static CURRENT: AtomicU8 = AtomicU8::new(Language::Rust as u8);

/// Prefix of options of a job whose spelling in some language differs from that of another option with the same name: `job.name`.
const OF_JOB: &str = "job.";
/// Prefix of times that a call takes as an argument: `call.name`.
const OF_CALL: &str = "call.";

/// Options that have another name in Python.
const IN_PYTHON: [(&str, &str); 11] = [
    ("assign_timeout", r#"timeouts["assign"]"#),
    ("run_timeout", r#"timeouts["run"]"#),
    ("total_timeout", r#"timeouts["total"]"#),
    ("job.backoff", r#"backoff["type"]"#),
    ("job.backoff_delay", r#"backoff["delay"]"#),
    ("job.backoff_max", r#"backoff["max"]"#),
    ("job.backoff_jitter", r#"backoff["jitter"]"#),
    ("unique_until", r#"unique["until"]"#),
    ("on_conflict", r#"unique["on_conflict"]"#),
    ("header", "headers"),
    ("task", "tasks"),
];

/// Options whose name in JavaScript is not simply their name in camelCase.
const IN_NODE: [(&str, &str); 11] = [
    ("assign_timeout", "timeouts.assign"),
    ("run_timeout", "timeouts.run"),
    ("total_timeout", "timeouts.total"),
    ("backoff", "backoff.type"),
    ("backoff_delay", "backoff.delay"),
    ("backoff_max", "backoff.max"),
    ("backoff_jitter", "backoff.jitter"),
    ("unique_until", "unique.until"),
    ("on_conflict", "unique.onConflict"),
    ("header", "headers"),
    ("task", "tasks"),
];

impl Language {
    /// Sets the language of this process.
    pub fn make_current(self) {
        CURRENT.store(self as u8, Ordering::Relaxed);
    }

    /// The language of this process.
    pub fn current() -> Self {
        match CURRENT.load(Ordering::Relaxed) {
            1 => Language::C,
            2 => Language::Python,
            3 => Language::Node,
            _ => Language::Rust,
        }
    }

    /// Returns the spelling of an option in this language. `name` is the name in `Options::set`, `NewJob::set` and so on.
    pub fn option(self, name: &str) -> Cow<'_, str> {
        let find =
            |others: &[(&str, &'static str)], name: &str| others.iter().find(|(own, _)| *own == name).map(|(_, other)| *other);
        if let Some(name) = name.strip_prefix(OF_CALL) {
            return if self == Language::C { format!("{name}_ms").into() } else { name.into() };
        }
        let plain = name.strip_prefix(OF_JOB).unwrap_or(name);
        match self {
            Language::Rust | Language::C => return plain.into(),
            Language::Python => return find(&IN_PYTHON, name).unwrap_or(plain).into(),
            Language::Node => {}
        }
        if let Some(other) = find(&IN_NODE, plain) {
            return other.into();
        }
        let name = plain;
        let mut parts = name.split('_');
        let mut out = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let mut letters = part.chars();
            out.extend(letters.next().map(|first| first.to_ascii_uppercase()));
            out.push_str(letters.as_str());
        }
        out.into()
    }

    /// Describes the syntax of guaranteed slots.
    pub fn priority_slots(self) -> &'static str {
        match self {
            Language::Rust | Language::C => "written priority:slots, as in 1:30,2:20",
            Language::Python => "a dict of slots by priority, as in {1: 30, 2: 20}",
            Language::Node => "an object or Map of slots by priority, as in { 1: 30, 2: 20 }",
        }
    }

    /// The unit of durations.
    pub fn unit(self) -> &'static str {
        if self == Language::Python { "seconds" } else { "milliseconds" }
    }

    /// Milliseconds in one unit of durations.
    pub fn unit_ms(self) -> f64 {
        if self == Language::Python { 1000.0 } else { 1.0 }
    }

    /// Where the user of an installed package finds the list of all options.
    pub fn options_page(self, of: Listed) -> &'static str {
        match (self, of) {
            (Language::Rust, Listed::Member) => "the documentation of `Options` lists them",
            (Language::Rust, Listed::Job) => "the documentation of `NewJob` lists them",
            (Language::Rust, Listed::Process) => "the documentation of `SupervisorOptions` and `Program` lists them",
            (Language::C, _) => "swarm.h lists them",
            (Language::Python, _) => "the README of the package libswarm lists them",
            (Language::Node, _) => "the README.md and types of the package assemblage list them",
        }
    }

    /// A duration in the unit of options.
    pub fn duration(self, duration: Duration) -> String {
        let ms = duration.as_millis();
        let plain = match self {
            Language::Python if ms.is_multiple_of(1000) => format!("{} s", grouped(ms / 1000)),
            Language::Python => format!("{} s", duration.as_secs_f64()),
            _ => format!("{} ms", grouped(ms)),
        };
        let day = 86_400_000;
        let spoken = match ms {
            0 => None,
            _ if ms.is_multiple_of(365 * day) => Some((ms / (365 * day), "year")),
            _ if ms.is_multiple_of(day) => Some((ms / day, "day")),
            _ if ms.is_multiple_of(3_600_000) => Some((ms / 3_600_000, "hour")),
            _ => None,
        };
        match spoken {
            Some((count, unit)) => format!("{plain} ({count} {unit}{})", if count == 1 { "" } else { "s" }),
            None => plain,
        }
    }

    /// A text of this crate in which `{name}` stands for an option. Never for texts from outside.
    pub fn text(self, template: &str) -> String {
        let mut out = String::with_capacity(template.len());
        let mut rest = template;
        while let Some((before, (name, after))) =
            rest.split_once('{').and_then(|(before, more)| Some((before, more.split_once('}')?)))
        {
            out.push_str(before);
            out.push_str(&self.option(name));
            rest = after;
        }
        out.push_str(rest);
        out
    }
}

/// The spelling of an option in a message.
pub fn option(name: &str) -> Cow<'_, str> {
    Language::current().option(name)
}

/// A number with commas between thousands.
pub fn grouped(number: impl std::fmt::Display) -> String {
    let digits = number.to_string();
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits.as_str()), |rest| ("-", rest));
    let mut out = sign.to_owned();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_spelled_as_the_language_does() {
        assert_eq!(Language::Rust.option("failed_ttl"), "failed_ttl");
        assert_eq!(Language::Python.option("failed_ttl"), "failed_ttl");
        assert_eq!(Language::Node.option("failed_ttl"), "failedTtl");
        assert_eq!(Language::Node.option("sentinel_master"), "sentinelMaster");
        assert_eq!(Language::Node.option("assign_timeout"), "timeouts.assign");
        assert_eq!(Language::Node.text("set {tls_ca}, or {tls}"), "set tlsCa, or tls");
        assert_eq!(Language::C.text("set {tls_ca}"), "set tls_ca");
        assert_eq!(Language::Python.option("backoff_delay"), "backoff_delay", "of a supervisor");
        assert_eq!(Language::Python.option("task"), "tasks");
        assert_eq!(Language::Node.text("no { end"), "no { end");
    }

    #[test]
    fn durations_are_in_the_unit_of_the_language() {
        let lease = Duration::from_millis(1500);
        assert_eq!(Language::Node.duration(lease), "1,500 ms");
        assert_eq!(Language::Python.duration(lease), "1.5 s");
        let day = Duration::from_secs(86_400);
        assert_eq!(Language::C.duration(day), "86,400,000 ms (1 day)");
        assert_eq!(Language::Python.duration(day * 2), "172,800 s (2 days)");
        assert_eq!(Language::Python.duration(day * 3650), "315,360,000 s (10 years)");
        assert_eq!(Language::Rust.duration(Duration::ZERO), "0 ms");
        assert_eq!(grouped(-1_234_567), "-1,234,567");
    }
}
