//! Logs of jobs: lines that their handlers write, and attempts that failed.

use std::time::SystemTime;

use serde::Serialize;

use super::as_json::time;

/// Lines of a log that are kept, the newest ones.
pub const MAX_LOG_LINES: usize = 100;
/// Longest line of a log, in bytes; of a longer one the beginning is kept, and `…` after it.
pub const MAX_LOG_LINE: usize = 1024;

/// What stands for the rest of a line.
const CUT: &str = "…";

/// A line of the log of a job; as JSON `time` in milliseconds since 1970, and `text`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub struct LogLine {
    /// When it was written, on Redis' clock.
    #[serde(serialize_with = "time")]
    pub time: SystemTime,
    /// The text, at most 1 KiB.
    pub text: String,
}

/// An attempt of a job that failed, and after which the job continued or failed; as JSON times are in milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub struct FailedAttempt {
    /// The fencing token of the execution.
    pub fence: u64,
    /// The incarnation of the worker that ran it.
    pub holder: String,
    /// Why it failed: `failed` by its handler, `run_timeout`, `crashed` with its worker, or the reason of the failed job.
    pub reason: String,
    /// The error text, at most 1 KiB.
    pub error: String,
    /// When it was assigned.
    #[serde(serialize_with = "time")]
    pub assigned_at: SystemTime,
    /// When it failed.
    #[serde(serialize_with = "time")]
    pub failed_at: SystemTime,
}

/// The text as it is kept.
pub(crate) fn cut(text: &str) -> String {
    if text.len() <= MAX_LOG_LINE {
        return text.to_owned();
    }
    let end = (0..=MAX_LOG_LINE - CUT.len()).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{}{CUT}", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_cut_between_characters() {
        for text in ["", "a", &"x".repeat(MAX_LOG_LINE)] {
            assert_eq!(cut(text), text);
        }
        for letter in ["x", "é", "…", "🙂"] {
            let line = cut(&letter.repeat(MAX_LOG_LINE + 1));
            assert!(line.ends_with(CUT) && line.len() <= MAX_LOG_LINE && line.len() > MAX_LOG_LINE - 4, "{}", line.len());
        }
    }
}
