//! Failed jobs grouped by error, for the command line and the dashboard.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use libswarm::{JobInfo, Master, Result};
use serde_json::{Value, json};

/// The jobs that one call reads, and those that one changes.
pub(crate) const PAGE: u32 = 500;
pub(crate) const BATCH: usize = 200;
/// The tasks of a group that are listed.
const TASKS: usize = 10;

/// The reason and the first line of the error.
pub(crate) fn error_of(job: &JobInfo) -> (String, String) {
    let failure = job.failure.as_ref();
    let text = failure.map(|failure| failure.message.lines().next().unwrap_or_default().to_owned());
    (failure.map_or_else(String::new, |failure| failure.reason.name().to_owned()), text.unwrap_or_default())
}

/// An error without what differs between jobs: words with digits in them are replaced by `#`.
pub(crate) fn fingerprint(error: &str) -> String {
    let mut out = String::new();
    let is_end = |character: char| !(character.is_alphanumeric() || character == '_');
    for part in error.split_inclusive(is_end) {
        let word = part.trim_end_matches(is_end);
        out += if word.contains(|character: char| character.is_ascii_digit()) { "#" } else { word };
        out += &part[word.len()..];
    }
    out
}

/// Jobs that failed for the same reason, with errors of the same fingerprint.
#[derive(Default)]
pub(crate) struct Group {
    pub(crate) reason: String,
    fingerprint: String,
    pub(crate) count: u64,
    pub(crate) tasks: Vec<String>,
    /// The newest job, its error, and when it failed.
    pub(crate) example: String,
    pub(crate) error: String,
    pub(crate) last: Option<SystemTime>,
}

impl Group {
    pub(crate) fn to_json(&self) -> Value {
        let ms = |time: SystemTime| time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
        json!({
            "reason": self.reason, "fingerprint": self.fingerprint, "error": self.error, "count": self.count, "tasks": self.tasks,
            "last_at": self.last.map(ms), "example": self.example,
        })
    }
}

#[derive(Default)]
pub(crate) struct Groups(BTreeMap<(String, String), Group>);

impl Groups {
    /// Adds a job; newer ones come first.
    pub(crate) fn note(&mut self, job: &JobInfo) {
        let (reason, error) = error_of(job);
        let key = (reason, fingerprint(&error));
        let group = self.0.entry(key.clone()).or_insert_with(|| Group {
            reason: key.0,
            fingerprint: key.1,
            example: job.id.clone(),
            error,
            last: job.failure.as_ref().and_then(|failure| failure.at),
            ..Group::default()
        });
        group.count += 1;
        if !group.tasks.contains(&job.task) && group.tasks.len() < TASKS {
            group.tasks.push(job.task.clone());
        }
    }

    /// The groups, the largest first.
    pub(crate) fn sorted(self) -> Vec<Group> {
        let mut groups: Vec<Group> = self.0.into_values().collect();
        groups.sort_by_key(|group| std::cmp::Reverse((group.count, group.last)));
        groups
    }
}

/// Retries or deletes failed jobs, `BATCH` at most; returns how many there were.
pub(crate) async fn change(master: &Master, ids: &[String], retry: bool) -> Result<u64> {
    match retry {
        true => master.retry_failed(Some(ids)).await,
        false => master.delete_failed(Some(ids)).await,
    }
}

#[cfg(test)]
mod tests {
    use super::fingerprint;

    #[test]
    fn errors_that_differ_in_numbers_have_one_fingerprint() {
        let same = ["host-19 refused after 3 attempts", "host-7 refused after 12 attempts"].map(fingerprint);
        assert_eq!(same, ["host-# refused after # attempts"; 2]);
        assert_eq!(fingerprint("job 0af3e1: no user x_1"), "job #: no user #");
        assert_eq!((fingerprint(""), fingerprint("größe fehlt")), (String::new(), "größe fehlt".to_owned()));
    }
}
