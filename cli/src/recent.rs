//! How long the jobs of each task waited and ran in the last minutes.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use libswarm::{Error, Histogram, Resolution};
use serde::{Serialize, Serializer};

use crate::connection::Session;
use crate::output::times::brief;

/// How far back it looks.
const BACK: Duration = Duration::from_secs(300);
/// By how much Redis' clock may be ahead of the one of this machine.
const AHEAD: Duration = Duration::from_secs(3600);

/// The times of one task.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Times {
    pub(crate) wait: Histogram,
    pub(crate) run: Histogram,
    /// How long the first waiting job has waited.
    #[serde(rename = "oldest_waiting_ms", serialize_with = "in_ms")]
    pub(crate) oldest: Option<Duration>,
}

impl Times {
    pub(crate) fn add(&mut self, other: &Times) {
        self.wait.add(&other.wait);
        self.run.add(&other.run);
        self.oldest = self.oldest.max(other.oldest);
    }
}

fn in_ms<S: Serializer>(time: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(|time| time.as_millis() as u64).serialize(serializer)
}

/// By task; tasks without ends and waiting jobs are not there.
pub(crate) type Recent = BTreeMap<String, Times>;

/// Reads the last five minutes, with three calls.
pub(crate) async fn read(session: &Session) -> Result<Recent, Error> {
    let now = SystemTime::now();
    let history = session.master.metrics_history(Resolution::Minute, now - BACK, now + AHEAD, None);
    let mut recent = Recent::new();
    for row in session.try_get(history).await? {
        let times = recent.entry(row.task).or_default();
        times.wait.add(&row.counts.wait);
        times.run.add(&row.counts.run);
    }
    for (task, age) in session.try_get(session.master.oldest_waiting()).await? {
        recent.entry(task).or_default().oldest = Some(age);
    }
    Ok(recent)
}

/// The 50th, 95th and 99th percentile, such as `12ms 80ms 1.2s`; `-` if there are no times.
pub(crate) fn percentiles(times: &Histogram) -> String {
    let ranks: Option<Vec<String>> = [0.5, 0.95, 0.99].iter().map(|rank| times.percentile(*rank).map(brief)).collect();
    ranks.map_or_else(|| "-".to_owned(), |ranks| ranks.join(" "))
}
