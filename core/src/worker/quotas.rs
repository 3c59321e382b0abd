//! Guaranteed slots: how many jobs of each range of priorities a worker holds and may still be given.

use crate::config::options::Options;
use crate::store::Given;
use crate::store::codec::msgpack::{write_array, write_integer};
use libswarm_common::error::Result;

#[derive(Default)]
pub(crate) struct Quotas {
    ranges: Vec<Range>,
    /// The worker takes other jobs than just any without a task, so that Redis has to look at what it takes.
    pub(crate) selective: bool,
}

struct Range {
    from: i64,
    limit: u64,
    used: u64,
    /// Room given to Redis that no job has used yet.
    outstanding: u64,
}

impl Range {
    fn free(&self) -> u64 {
        self.limit.saturating_sub(self.used + self.outstanding)
    }
}

impl Quotas {
    pub(crate) fn new(options: &Options) -> Result<Self> {
        let ranges: Vec<Range> = options
            .ranges()?
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

    /// Jobs have arrived from Redis. One whose record cannot be read was given as a plain one.
    pub(crate) fn arrived(&mut self, jobs: &[Given]) {
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

    /// A slot is taken by a job of this priority.
    pub(crate) fn take(&mut self, priority: i64) {
        if let Some(range) = self.range(priority) {
            range.used += 1;
        }
    }

    /// A job of this priority that had arrived is over.
    pub(crate) fn ended(&mut self, priority: i64) {
        if let Some(range) = self.range(priority) {
            range.used = range.used.saturating_sub(1);
        }
    }

    /// All room is withdrawn.
    pub(crate) fn withdraw(&mut self) {
        self.ranges.iter_mut().for_each(|range| range.outstanding = 0);
    }

    /// A range that Redis takes for full is not.
    pub(crate) fn worth_sending(&self) -> bool {
        self.ranges.iter().any(|range| range.outstanding == 0 && range.free() > 0)
    }

    /// No room, for a round that withdraws all.
    pub(crate) fn none(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if self.selective {
            write_array(&mut out, 0);
        }
        out
    }

    /// The room that Redis does not know of, packed for `lua/commands/sync.lua`; given from now on.
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
