//! Passes jobs from Redis to the program, and requests to stop them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::finishes::refuse;
use super::stale;
use super::state::{Active, Task};
use crate::model::event::QueuedEvent;
use crate::model::execution::DeleteReason;
use crate::model::job::JobData;
use crate::store::Assigned;
use crate::util::clock::from_now;
use crate::util::completion::Done;
use crate::util::stages::{Stage, mark};
use libswarm_common::error::Error;

/// How long a suspect job is on trial, as in `lua/lib/suspects.lua`.
const TRIAL: Duration = Duration::from_millis(250);

impl Task {
    /// Passes jobs to the program, or releases them if no more are accepted.
    pub(super) fn receive(&mut self, jobs: Vec<Assigned>) {
        if jobs.is_empty() {
            return;
        }
        if self.draining || self.shared.is_paused() || self.ends.strong_count() == 0 {
            jobs.into_iter().for_each(|job| self.send_back(job));
            return;
        }
        let mut events = Vec::with_capacity(jobs.len());
        for job in jobs {
            match job {
                // It was assigned before the worker had fewer slots.
                Ok(data) if self.is_full() || self.quotas.exceed(data.priority()) => self.send_back(Ok(data)),
                Ok(mut data) => {
                    let from = data.waits_from.and_then(|from| self.shared.clock.local(from));
                    data.waits_from = from.map(|from| from.as_micros() as u64);
                    let data = Arc::new(data);
                    let run_timeout = data.extras.as_ref().and_then(|extras| extras.run_timeout);
                    if let Some(limit) = run_timeout.into_iter().chain(data.suspect.then_some(TRIAL)).min() {
                        self.round_by(from_now(limit));
                    }
                    self.had_options |= data.extras.as_ref().is_some_and(|extras| extras.need_care());
                    self.active.insert(data.fence, Active { job: data.clone(), asked_to_stop: false, stopping: None });
                    if self.running() > self.slots() {
                        self.prefetched.push_back(data);
                    } else {
                        events.push(QueuedEvent::Add(data));
                    }
                }
                Err(job) => {
                    self.quotas.ended(job.priority);
                    self.batch.unreadable(job);
                }
            }
        }
        self.push_adds(events);
    }

    /// Sends a round at this time at the latest.
    pub(super) fn round_by(&mut self, due: Instant) {
        self.first_clock = Some(self.first_clock.map_or(due, |first| first.min(due)));
    }

    /// Releases a job that is not accepted.
    fn send_back(&mut self, job: Assigned) {
        self.quotas.ended(job.as_ref().map_or_else(|job| job.priority, |job| job.priority()));
        match job {
            Ok(job) => self.batch.release(&job),
            Err(job) => self.batch.release_unread(job.id, job.fence),
        }
    }

    /// Passes prefetched jobs to the program for slots that are free now.
    pub(super) fn start_prefetched(&mut self) {
        let mut events = Vec::new();
        while self.running() < self.slots()
            && let Some(job) = self.prefetched.pop_front()
        {
            events.push(QueuedEvent::Add(job));
        }
        if !events.is_empty() {
            self.push_adds(events);
        }
    }

    fn push_adds(&mut self, adds: Vec<QueuedEvent>) {
        mark(Stage::Queued);
        self.emitted += adds.len() as u64;
        self.shared.active.store(self.active.len() as u64, Ordering::Relaxed);
        self.shared.events.push(adds);
    }

    /// The number of occupied slots: by jobs that were emitted and have not finished, and by handlers of abandoned executions.
    fn running(&self) -> usize {
        self.active.len() - self.prefetched.len() + self.stuck.slots()
    }

    fn slots(&self) -> usize {
        self.shared.slots().map_or(usize::MAX, |slots| slots as usize)
    }

    /// Whether neither a slot is free nor a place for a prefetched job.
    fn is_full(&self) -> bool {
        self.running() >= self.slots() && self.prefetched.len() >= self.shared.options.prefetch as usize
    }

    /// Withdraws a job that the program has not taken. Returns whether there was one.
    fn withdraw(&mut self, fence: u64) -> bool {
        let before = self.prefetched.len();
        self.prefetched.retain(|job| job.fence != fence);
        if self.prefetched.len() == before {
            if self.shared.events.withdraw_adds(Some(fence)).is_empty() {
                return false;
            }
            self.emitted -= 1;
        }
        true
    }

    /// Removes a job that is no longer active.
    pub(super) fn forget(&mut self, fence: u64) -> Option<Active> {
        let active = self.active.remove(&fence)?;
        self.quotas.ended(active.job.priority());
        Some(active)
    }

    /// Requests that the program stops jobs. A job that is not active may be in the round under way; otherwise it is over, and the next round
    /// confirms that.
    pub(super) fn deleted(&mut self, deletes: Vec<(u64, String)>, reason: DeleteReason, in_flight: bool) {
        let mut events = Vec::new();
        for (fence, id) in deletes {
            match self.active.get(&fence).map(|active| active.asked_to_stop) {
                Some(true) => {}
                Some(false) if self.withdraw(fence) => {
                    self.forget(fence);
                    self.batch.stopped(id, fence);
                }
                Some(false) => {
                    let Some(active) = self.active.get_mut(&fence) else { continue };
                    active.asked_to_stop = true;
                    if !active.job.execution.is_over() {
                        events.push(stop(&active.job, reason));
                    }
                    self.stopping(fence, reason);
                }
                None => match self.arrivals.remove(fence) {
                    Some(job) => {
                        self.quotas.ended(job.map_or_else(|job| job.priority, |job| job.priority()));
                        self.batch.stopped(id, fence);
                    }
                    None if in_flight => self.early_deletes.push((fence, id, reason)),
                    None => self.batch.stopped(id, fence),
                },
            }
        }
        self.shared.events.push(events);
        self.finishes.ended.notify_waiters();
    }

    /// Requests that the program stops jobs that move to another worker. They stay assigned to this worker until it has released them.
    pub(super) fn moved(&mut self, moves: Vec<(u64, String)>) {
        let mut events = Vec::new();
        for (fence, id) in moves {
            if !self.active.contains_key(&fence) {
                continue;
            }
            if self.withdraw(fence) {
                match self.forget(fence) {
                    Some(active) => self.batch.release(&active.job),
                    None => self.batch.release_unread(id.into_bytes(), fence),
                }
            } else if let Some(active) = self.active.get(&fence)
                && !active.job.execution.is_over()
            {
                events.push(stop(&active.job, DeleteReason::Moved));
                self.stopping(fence, DeleteReason::Moved);
            }
        }
        self.shared.events.push(events);
        self.finishes.ended.notify_waiters();
    }

    pub(super) fn start_drain(&mut self, done: Done<()>) {
        self.draining = true;
        self.release_untaken();
        self.drained.push(done);
    }

    pub(super) fn start_close(&mut self, grace: Duration, done: Done<()>) {
        self.draining = true;
        self.release_untaken();
        self.stop_all(DeleteReason::Terminated);
        self.closing = Some((from_now(grace), done));
    }

    pub(super) fn release_untaken(&mut self) {
        let arrived = self.arrivals.all();
        self.receive(arrived);
        let untaken = self.shared.events.withdraw_adds(None);
        self.emitted -= untaken.len() as u64;
        for job in untaken.into_iter().chain(std::mem::take(&mut self.prefetched)) {
            if self.forget(job.fence).is_some() {
                self.batch.release(&job);
            }
        }
    }

    /// Requests that the program stops every active job, oldest first.
    fn stop_all(&mut self, reason: DeleteReason) {
        let mut jobs: Vec<_> = self.active.values_mut().filter(|active| !active.asked_to_stop).collect();
        jobs.sort_by_key(|active| active.job.fence);
        let mut events = Vec::new();
        for active in jobs {
            active.asked_to_stop = true;
            if !active.job.execution.is_over() {
                events.push(stop(&active.job, reason));
            }
        }
        self.shared.events.push(events);
        self.finishes.ended.notify_waiters();
    }

    /// The lease has ended: every job may be assigned to another worker now.
    pub(super) fn self_fence(&mut self, error: Error) {
        let untaken = self.shared.events.withdraw_adds(None);
        for job in untaken.into_iter().chain(std::mem::take(&mut self.prefetched)) {
            self.active.remove(&job.fence);
        }
        self.stop_all(DeleteReason::LeaseLost);
        self.active.clear();
        self.early_deletes.clear();
        let batch = std::mem::take(&mut self.batch);
        for (_, done) in batch.pack("", self.shared.envelopes()).1 {
            done(Err(stale(0)));
        }
        let late = self.finishes.take(usize::MAX);
        late.iter().for_each(|(fence, ..)| self.returned(*fence));
        refuse(late, &stale(0));
        self.count_stuck();
        self.shared.active.store(0, Ordering::Relaxed);
        self.shared.events.push([QueuedEvent::Close(Some(error))]);
    }
}

/// Marks the job as ended for its program, and returns the event.
fn stop(job: &Arc<JobData>, reason: DeleteReason) -> QueuedEvent {
    job.execution.stop(reason);
    QueuedEvent::Delete(job.clone(), reason)
}
