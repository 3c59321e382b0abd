//! Puts assigned jobs into the order of their fences.
//!
//! Jobs arrive on two connections, in replies of rounds and in the inbox, so that a job that was assigned later may arrive first. Jobs from the
//! inbox wait while a round is under way that may return jobs that were assigned earlier. Jobs of a round wait for those that were put into the
//! inbox before it; their number follows from the remaining credit.

use crate::store::Assigned;

#[derive(Default)]
pub(crate) struct Arrivals {
    /// Credit sent to Redis for which no job has arrived yet.
    outstanding: u64,
    /// Jobs that arrived, but are emitted later.
    waiting: Vec<Assigned>,
    /// The number of jobs in the inbox that precede the waiting ones.
    unread: u64,
    /// Jobs have waited for a whole round. They are emitted after the next round, whatever `unread` is.
    carried_over: bool,
}

impl Arrivals {
    /// Adds credit that was sent to Redis.
    pub(crate) fn grant(&mut self, credit: u64) {
        self.outstanding += credit;
    }

    /// All credit is withdrawn.
    pub(crate) fn withdraw(&mut self) {
        self.outstanding = 0;
    }

    /// The number of jobs that may still be emitted without further credit, and how many of them have arrived.
    pub(crate) fn expected(&self) -> (u64, u64) {
        (self.outstanding, self.waiting.len() as u64)
    }

    /// Adds jobs from the inbox; returns those that can be emitted now.
    pub(crate) fn by_inbox(&mut self, jobs: Vec<Assigned>, round_under_way: bool) -> Vec<Assigned> {
        let count = jobs.len() as u64;
        self.outstanding = self.outstanding.saturating_sub(count);
        self.unread = self.unread.saturating_sub(count);
        self.waiting.extend(jobs);
        if round_under_way || self.unread > 0 { Vec::new() } else { self.all() }
    }

    /// Adds jobs of a round: `taken` jobs were assigned by it, `returned` credit was withdrawn, `credit` is left. Returns those that can be emitted
    /// now.
    pub(crate) fn by_round(&mut self, jobs: Vec<Assigned>, taken: u64, returned: u64, credit: Option<u64>) -> Vec<Assigned> {
        self.outstanding = self.outstanding.saturating_sub(taken + returned);
        self.waiting.extend(jobs);
        self.unread = credit.map_or(0, |credit| self.outstanding.saturating_sub(credit));
        if self.unread > 0 && !self.carried_over {
            self.carried_over = !self.waiting.is_empty();
            return Vec::new();
        }
        self.all()
    }

    /// Removes and returns a waiting job.
    pub(crate) fn remove(&mut self, fence: u64) -> Option<Assigned> {
        let at = self.waiting.iter().position(|job| fence_of(job) == fence)?;
        Some(self.waiting.remove(at))
    }

    /// Removes and returns all waiting jobs, in order.
    pub(crate) fn all(&mut self) -> Vec<Assigned> {
        (self.unread, self.carried_over) = (0, false);
        self.waiting.sort_by_key(fence_of);
        std::mem::take(&mut self.waiting)
    }
}

fn fence_of(job: &Assigned) -> u64 {
    job.as_ref().map_or_else(|unreadable| unreadable.fence, |job| job.fence)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::job::JobData;
    use crate::model::payload::Payload;

    fn jobs(fences: impl IntoIterator<Item = u64>) -> Vec<Assigned> {
        fences.into_iter().map(|fence| Ok(JobData::new(fence.to_string(), Payload::default(), fence))).collect()
    }

    fn fences(jobs: Vec<Assigned>) -> Vec<u64> {
        jobs.iter().map(fence_of).collect()
    }

    #[test]
    fn the_inbox_waits_for_the_round_and_the_round_for_the_inbox() {
        let mut arrivals = Arrivals::default();
        arrivals.grant(10);
        assert_eq!(fences(arrivals.by_inbox(jobs([1]), false)), [1], "nothing else is on the way");
        assert_eq!(fences(arrivals.by_inbox(jobs([4]), true)), [0; 0]);
        assert_eq!(fences(arrivals.by_round(jobs([2, 3]), 2, 0, Some(6))), [2, 3, 4]);
        // Of the 6 left, Redis knows of 4: two are in the inbox.
        assert_eq!(fences(arrivals.by_round(jobs([7]), 1, 0, Some(3))), [0; 0]);
        assert_eq!(fences(arrivals.by_inbox(jobs([5]), false)), [0; 0]);
        assert_eq!(fences(arrivals.by_inbox(jobs([6]), false)), [5, 6, 7]);
        assert_eq!(arrivals.expected(), (3, 0));
    }

    #[test]
    fn a_count_that_is_wrong_delays_by_one_round_only() {
        let mut arrivals = Arrivals::default();
        arrivals.grant(5);
        assert_eq!(fences(arrivals.by_round(jobs([1]), 1, 0, Some(2))), [0; 0]);
        assert_eq!(arrivals.expected(), (4, 1));
        assert_eq!(fences(arrivals.by_round(jobs([2]), 1, 0, Some(1))), [1, 2]);
        assert_eq!(fences(arrivals.by_round(jobs([3]), 1, 1, None)), [3]);
        assert!(arrivals.remove(3).is_none());
    }
}
