//! Handlers that were asked to stop and did not.
//!
//! An execution whose timeout is over is abandoned after the option `stop_grace`, so that its job can be retried elsewhere under a larger fence.
//! One that was asked to stop for another reason is only reported as stuck: its job must not run twice.

use std::sync::atomic::Ordering;

use tokio::time::Instant;

use super::outcome::{TARGET, named};
use super::state::{Stopping, Task};
use crate::model::execution::DeleteReason;

impl Task {
    /// The program has been asked to stop an active job.
    pub(super) fn stopping(&mut self, fence: u64, reason: DeleteReason) {
        let since = Instant::now();
        if let Some(active) = self.active.get_mut(&fence) {
            active.stopping = Some(Stopping { since, reason, stuck: false });
            let look = since + self.shared.options.stop_grace;
            self.stuck.next_look = Some(self.stuck.next_look.map_or(look, |next| next.min(look)));
        }
    }

    /// Finds the jobs that count as stuck now, and abandons those whose timeout is over.
    pub(super) fn find_stuck(&mut self) {
        let (now, grace) = (Instant::now(), self.shared.options.stop_grace);
        self.stuck.next_look = None;
        let mut over = Vec::new();
        for (fence, active) in &mut self.active {
            let Some(stopping) = active.stopping.as_mut().filter(|stopping| !stopping.stuck) else { continue };
            let look = stopping.since + grace;
            if look > now {
                self.stuck.next_look = Some(self.stuck.next_look.map_or(look, |next| next.min(look)));
                continue;
            }
            stopping.stuck = true;
            let (job, ms) = (named(&active.job), grace.as_millis());
            match stopping.reason {
                DeleteReason::TimedOut => {
                    over.push(*fence);
                    tracing::warn!(
                        target: TARGET,
                        "{job} has not stopped within {ms} ms after its timeout: the job may be retried elsewhere now, \
                         and its handler keeps a slot until it returns"
                    );
                }
                reason => {
                    tracing::warn!(
                        target: TARGET,
                        "{job} has not stopped within {ms} ms after it was asked to ({reason:?}): it keeps its slot until it does"
                    );
                }
            }
        }
        for fence in over {
            if let Some(active) = self.active.remove(&fence) {
                self.batch.stopped(active.job.id.clone(), fence);
                self.stuck.abandoned.insert(fence, active.job);
            }
        }
        self.shared.active.store(self.active.len() as u64, Ordering::Relaxed);
        self.count_stuck();
    }

    /// The handler of an abandoned execution has returned.
    pub(super) fn returned(&mut self, fence: u64) {
        if let Some(job) = self.stuck.abandoned.remove(&fence) {
            self.quotas.ended(job.priority());
            tracing::info!(target: TARGET, "the handler of {} has returned, its slot is free again", named(&job));
        }
    }

    pub(super) fn count_stuck(&self) {
        let active =
            self.active.values().filter(|active| active.stopping.as_ref().is_some_and(|stopping| stopping.stuck)).count();
        self.shared.stuck.store((active + self.stuck.abandoned.len()) as u64, Ordering::Relaxed);
    }
}
