//! Guaranteed slots: how many jobs of each range of priorities are active on a worker, and how many more may be assigned to it.

use crate::config::options::Options;
use crate::store::Assigned;
use crate::store::codec::msgpack::{write_array, write_integer};
use libswarm_common::error::Result;

#[derive(Default)]
pub(crate) struct Quotas {
    ranges: Vec<Range>,
    /// The worker accepts other jobs than all those without a task, so that scripts must match jobs with it.
    pub(crate) selective: bool,
}

struct Range {
    from: i64,
    limit: u64,
    used: u64,
    /// Free slots that were sent to Redis and that no job has used yet.
    outstanding: u64,
}

impl Range {
    fn free(&self) -> u64 {
        self.limit.saturating_sub(self.used + self.outstanding)
    }
}

impl Quotas {
    /// `slots` are those that the worker has now.
    pub(crate) fn new(options: &Options, slots: Option<u32>) -> Result<Self> {
        let ranges: Vec<Range> = options
            .ranges(slots)?
            .into_iter()
            .map(|(from, limit)| Range { from, limit: u64::from(limit), used: 0, outstanding: 0 })
            .collect();
        let selective = !ranges.is_empty() || options.tasks.iter().any(|task| !task.is_empty());
        Ok(Quotas { ranges, selective })
    }

    fn range(&mut self, priority: i64) -> Option<&mut Range> {
        let at = self.ranges.iter().rposition(|range| range.from <= priority).unwrap_or(0);
        self.ranges.get_mut(at)
    }

    /// Counts jobs that arrived from Redis. A job with an unreadable record was assigned as a plain one.
    pub(crate) fn arrived(&mut self, jobs: &[Assigned]) {
        if self.ranges.is_empty() {
            return;
        }
        for job in jobs {
            if let Some(range) = self.range(job.as_ref().map_or(0, |job| job.priority())) {
                range.outstanding = range.outstanding.saturating_sub(1);
                range.used += 1;
            }
        }
    }

    /// Takes over the limits of each range from others with the same ranges.
    pub(crate) fn resize(&mut self, other: &Quotas) {
        for (range, new) in self.ranges.iter_mut().zip(&other.ranges) {
            range.limit = new.limit;
        }
    }

    /// Whether more jobs of the range of this priority occupy slots than it has.
    pub(crate) fn exceed(&mut self, priority: i64) -> bool {
        self.range(priority).is_some_and(|range| range.used > range.limit)
    }

    /// Counts a slot that a job of this priority occupies.
    pub(crate) fn take(&mut self, priority: i64) {
        if let Some(range) = self.range(priority) {
            range.used += 1;
        }
    }

    /// Counts a slot that a job of this priority frees.
    pub(crate) fn ended(&mut self, priority: i64) {
        if let Some(range) = self.range(priority) {
            range.used = range.used.saturating_sub(1);
        }
    }

    /// Withdraws all free slots that were sent to Redis.
    pub(crate) fn withdraw(&mut self) {
        self.ranges.iter_mut().for_each(|range| range.outstanding = 0);
    }

    /// Whether a range has free slots that Redis does not know about, and none that it knows about.
    pub(crate) fn worth_sending(&self) -> bool {
        self.ranges.iter().any(|range| range.outstanding == 0 && range.free() > 0)
    }

    /// No free slots, for a round that withdraws all.
    pub(crate) fn none(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if self.selective {
            write_array(&mut out, 0);
        }
        out
    }

    /// The free slots that Redis does not know about, packed for `lua/commands/sync.lua`. They count as sent from now on.
    pub(crate) fn grant(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        if self.selective {
            write_array(&mut out, self.ranges.len());
            for range in &mut self.ranges {
                write_integer(&mut out, range.free());
                range.outstanding += range.free();
            }
        }
        out
    }
}
