//! Counts of ends by task, with the times that jobs waited and ran.

use std::time::{Duration, SystemTime};

use libswarm_common::error::{Result, invalid};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::as_json::time;

/// How an execution ended, as its worker counts it. Scripts count `d`, deleted jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(crate) enum Ended {
    Completed = b'c',
    /// Permanently.
    Failed = b'f',
    /// An attempt failed, and another follows.
    Retried = b'r',
    /// The job waits again, without a failed attempt.
    Released = b'l',
}

/// The number of buckets of a [`Histogram`].
pub const BUCKETS: usize = 28;

/// How many times are in which range. Bucket 0 has the times up to 1 ms, bucket `i` those up to 2^`i` ms, the last those above 2^26 ms (18.6 h).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// The number of times in each bucket.
    pub buckets: [u64; BUCKETS],
}

impl Histogram {
    /// The largest time of a bucket; `None` for the last, which has no bound.
    pub fn bound(bucket: usize) -> Option<Duration> {
        (bucket < BUCKETS - 1).then(|| Duration::from_millis(1 << bucket))
    }

    /// The bucket of a time in µs.
    pub(crate) fn bucket_of(micros: u64) -> usize {
        let above = micros.saturating_sub(1) / 1000;
        ((u64::BITS - above.leading_zeros()) as usize).min(BUCKETS - 1)
    }

    /// How many times there are.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// The sum of the times, estimated: each counts as three quarters of the bound of its bucket, one above the last bound as that. The true sum is
    /// between two thirds and four thirds of it, unless many times are below half a millisecond.
    pub fn sum(&self) -> Duration {
        let of = |(bucket, count): (usize, &u64)| {
            let micros = Self::bound(bucket).map_or(1000 << (BUCKETS - 2), |bound| bound.as_micros() as u64 * 3 / 4);
            u128::from(micros) * u128::from(*count)
        };
        let micros: u128 = self.buckets.iter().enumerate().map(of).sum();
        Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }

    /// The time that the fraction `rank` (0 to 1) of the times do not exceed, interpolated in its bucket: at most twice the true time, and at least half
    /// of it, unless that is below 1 ms or above the last bound. `None` if there are no times.
    pub fn percentile(&self, rank: f64) -> Option<Duration> {
        let wanted = rank.clamp(0.0, 1.0) * self.count() as f64;
        let mut below = 0.0;
        let last = self.buckets.iter().rposition(|count| *count > 0)?;
        for (bucket, count) in self.buckets.iter().enumerate().filter(|(_, count)| **count > 0) {
            let count = *count as f64;
            if below + count >= wanted || bucket == last {
                let from = if bucket == 0 { Duration::ZERO } else { Self::bound(bucket - 1).unwrap_or_default() };
                let to = Self::bound(bucket).unwrap_or(from);
                return Some(from + (to - from).mul_f64(((wanted - below) / count).clamp(0.0, 1.0)));
            }
            below += count;
        }
        None
    }

    /// Adds the times of another histogram.
    pub fn add(&mut self, other: &Histogram) {
        self.buckets.iter_mut().zip(other.buckets).for_each(|(count, more)| *count += more);
    }
}

/// `count`, `buckets`, and the percentiles in ms, if there are any times.
impl Serialize for Histogram {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("count", &self.count())?;
        map.serialize_entry("buckets", &self.buckets)?;
        for (name, rank) in [("p50_ms", 0.5), ("p95_ms", 0.95), ("p99_ms", 0.99)] {
            if let Some(time) = self.percentile(rank) {
                map.serialize_entry(name, &(time.as_micros() as f64 / 1000.0))?;
            }
        }
        map.end()
    }
}

/// What happened to the jobs of a task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub struct TaskCounts {
    /// Jobs that were completed.
    pub completed: u64,
    /// Jobs that failed permanently.
    pub failed: u64,
    /// Attempts that failed and were followed by another.
    pub retried: u64,
    /// Executions whose job waits again without a failed attempt: it was released, limited or moved, or its worker crashed.
    pub released: u64,
    /// Jobs that were deleted.
    pub deleted: u64,
    /// How long jobs waited before their first attempt: from when they were added, or from their start if that is later.
    pub wait: Histogram,
    /// How long handlers ran, each attempt by itself.
    pub run: Histogram,
}

impl TaskCounts {
    /// Adds the counts of another task or time.
    pub fn add(&mut self, other: &TaskCounts) {
        self.completed += other.completed;
        self.failed += other.failed;
        self.retried += other.retried;
        self.released += other.released;
        self.deleted += other.deleted;
        self.wait.add(&other.wait);
        self.run.add(&other.run);
    }

    /// By the label `outcome`.
    pub(crate) fn outcomes(&self) -> [(&'static str, u64); 5] {
        [
            ("completed", self.completed),
            ("failed", self.failed),
            ("retried", self.retried),
            ("released", self.released),
            ("deleted", self.deleted),
        ]
    }
}

/// The counts of one task in one minute or hour; see [`Master::metrics_history`](crate::Master::metrics_history).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub struct MetricsRow {
    /// When the minute or hour began, on Redis' clock.
    #[serde(serialize_with = "time", rename = "start_ms")]
    pub start: SystemTime,
    /// The task, or empty for jobs without one; `other` for tasks after the first 100.
    pub task: String,
    /// What happened in it.
    #[serde(flatten)]
    pub counts: TaskCounts,
}

/// The length of the slots of a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Resolution {
    /// Minutes; the last 24 hours are kept.
    Minute,
    /// Hours; the last 30 days are kept.
    Hour,
}

impl Resolution {
    /// The resolution with this name, `minute` or `hour`, the same in every language.
    pub fn from_name(name: &str) -> Result<Resolution> {
        match name {
            "minute" => Ok(Resolution::Minute),
            "hour" => Ok(Resolution::Hour),
            _ => Err(invalid(format!("resolution is `{name}`; it is `minute` or `hour`"))),
        }
    }

    /// The length of a slot.
    pub(crate) fn minutes(self) -> u64 {
        match self {
            Resolution::Minute => 1,
            Resolution::Hour => 60,
        }
    }

    /// How many slots are kept, besides the present one.
    pub(crate) fn kept(self) -> u64 {
        match self {
            Resolution::Minute => 1440,
            Resolution::Hour => 720,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_in_the_bucket_whose_bound_it_does_not_exceed() {
        for (micros, bucket) in
            [(0, 0), (1, 0), (1000, 0), (1001, 1), (2000, 1), (2001, 2), (4000, 2), (67_108_864_000, 26), (67_108_864_001, 27)]
        {
            assert_eq!(Histogram::bucket_of(micros), bucket, "{micros}");
        }
        assert_eq!(Histogram::bucket_of(u64::MAX), BUCKETS - 1);
        for bucket in 0..BUCKETS - 1 {
            assert_eq!(Histogram::bucket_of(Histogram::bound(bucket).unwrap().as_micros() as u64), bucket);
        }
    }

    #[test]
    fn percentiles_and_sums_are_wrong_by_a_bounded_factor() {
        let times: Vec<f64> = (0..1000).map(|n| 1.5_f64.powf(f64::from(n) / 40.0)).collect();
        let mut histogram = Histogram::default();
        times.iter().for_each(|ms| histogram.buckets[Histogram::bucket_of((ms * 1000.0) as u64)] += 1);
        for rank in [0.01, 0.25, 0.5, 0.95, 0.99, 1.0] {
            let exact = times[((rank * 1000.0) as usize).saturating_sub(1)];
            let estimated = histogram.percentile(rank).unwrap().as_secs_f64() * 1000.0;
            assert!((0.5..=2.0).contains(&(estimated / exact)), "{rank}: {estimated} for {exact}");
        }
        let sum = times.iter().sum::<f64>() / 1000.0;
        assert!((0.66..1.34).contains(&(sum / histogram.sum().as_secs_f64())));
        assert_eq!((histogram.count(), Histogram::default().percentile(0.5)), (1000, None));
    }
}
