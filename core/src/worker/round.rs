//! One round of a worker: sends finishes, progress and free slots to Redis (`lua/commands/sync.lua`), and receives jobs.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::batch::{Dones, MAX_FINISHES, weight};
use super::finishes::Stored;
use super::outcome::{TARGET, log_assigned};
use super::stale;
use super::state::{Active, Task};
use crate::member::panicked;
use crate::model::job::Finish;
use crate::model::payload::ContentType;
use crate::store::codec::msgpack::{write_array, write_string};
use crate::store::envelope::ValueKind;
use crate::store::{Assigned, Failed, SyncCall, SyncReply};
use crate::util::clock::boottime;
use libswarm_common::error::{Error, ErrorKind, Result};

/// Returns when the round was sent, and the reply.
pub(super) type Flying = Pin<Box<dyn Future<Output = (Duration, Result<SyncReply, Failed>)> + Send>>;

/// A round under way. After a failure it is sent again unchanged.
pub(super) struct Flight {
    pub(super) call: Arc<SyncCall>,
    /// An earlier attempt may have been executed.
    maybe_executed: bool,
    dones: Dones,
    ended: usize,
    /// A summary of its finishes, for the log.
    summary: String,
    /// The number of lost connections before it was last sent.
    pub(super) losses: u64,
    pub(super) future: Flying,
}

/// A round that was never answered: the worker's task has panicked, or its runtime has ended.
impl Drop for Flight {
    fn drop(&mut self) {
        for (_, done) in self.dones.drain(..) {
            done(Err(if std::thread::panicking() { panicked("a round") } else { super::closed() }));
        }
    }
}

impl Task {
    /// Moves the finishes of the program into the batch of the next round.
    pub(super) fn gather(&mut self) {
        let report = self.finishes.reports_outcomes().then(|| self.shared.clone());
        let weigh = |fence| self.active.get(&fence).map_or(1, |active| weight(&active.job));
        let finishes = self.finishes.take_for_round(MAX_FINISHES, self.keeps_completed, self.had_options.then_some(weigh));
        // Values of these jobs were gathered before.
        let any_values = self.finishes.has_values();
        for ((fence, finish, done), at) in finishes {
            if any_values {
                for (kind, value) in self.finishes.take_values_of(fence) {
                    self.keep_value(fence, kind, value);
                }
            }
            let Some(Active { job, asked_to_stop, stopping }) = self.active.remove(&fence) else {
                self.returned(fence);
                if let Some(done) = done {
                    done(if finish == Finish::Stopped { Ok(()) } else { Err(stale(fence)) });
                }
                continue;
            };
            job.returned.store(at.as_micros() as u64, Ordering::Relaxed);
            let stopped = asked_to_stop && self.closing.is_none();
            let done = match (done, stopped && finish != Finish::Stopped) {
                (Some(done), true) => {
                    let error = Error::new(ErrorKind::JobDeleted, format!("job `{}` was deleted", job.id));
                    done(Err(error));
                    None
                }
                (done, _) => done,
            };
            if self.batch.finish(&job, stopped, finish, done, report.as_ref(), self.keeps_completed) {
                job.execution.finish();
                self.quotas.ended(job.priority());
            } else {
                self.active.insert(fence, Active { job, asked_to_stop, stopping });
            }
        }
        if self.batch.is_empty() && self.finishes.any() {
            // All of these finishes were too late, so that no round follows that would process the rest. Their notification was consumed before.
            self.finishes.arrived.notify_one();
        }
        self.start_prefetched();
        if self.shared.stuck.load(Ordering::Relaxed) > 0 {
            self.count_stuck();
        }
        self.shared.active.store(self.active.len() as u64, Ordering::Relaxed);
        self.finishes.ended.notify_waiters();
    }

    /// Whether a round should be sent now.
    pub(super) fn has_to_send(&self) -> bool {
        !self.batch.is_empty()
            || self.session.must_trim()
            || self.draining && !self.drain_reported
            || self.retask
            || self.must_report()
            || self.reslot
            || self.grantable(true) > 0
            || self.quotas.worth_sending() && !self.draining && !self.shared.is_paused()
            || !self.values.is_empty()
            || self.finishes.has_values()
    }

    /// How many more jobs this worker can accept than it has credit for. With `if_many`, 0 if it is too few for a round of its own.
    fn grantable(&self, if_many: bool) -> u64 {
        if self.draining || !self.shared.events.is_wanted() {
            return 0;
        }
        let window = u64::from(self.shared.options.window);
        let slots = self.asks_for();
        let (outstanding, arrived) = self.arrivals.expected();
        let untaken = self.emitted.saturating_sub(self.shared.events.counts().adds - self.taken_before) + arrived;
        let free = slots
            .saturating_sub((self.active.len() + self.stuck.slots()) as u64 + arrived)
            .min(window.saturating_sub(untaken))
            .saturating_sub(outstanding);
        let worthwhile = outstanding == 0 || free >= slots.min(window) / 2;
        if if_many && !worthwhile { 0 } else { free }
    }

    /// The limit of jobs that are assigned to this worker, including prefetched ones.
    fn asks_for(&self) -> u64 {
        if self.shared.is_paused() {
            return 0;
        }
        let slots = match self.shared.slots.load(Ordering::Relaxed) {
            0 => u64::MAX,
            slots => u64::from(slots) + u64::from(self.shared.options.prefetch),
        };
        slots.min(self.shared.asks_for.load(Ordering::Relaxed))
    }

    /// Withdraws credit if it exceeds the new limit.
    pub(super) fn slots_changed(&mut self) {
        let (outstanding, arrived) = self.arrivals.expected();
        self.reslot |=
            outstanding > 0 && outstanding + arrived + (self.active.len() + self.stuck.slots()) as u64 > self.asks_for();
    }

    pub(super) fn start_round(&mut self) -> Flight {
        let retask = std::mem::take(&mut self.retask);
        let reslot = std::mem::take(&mut self.reslot);
        let grant = if retask || reslot { 0 } else { self.grantable(false) };
        self.arrivals.grant(grant);
        self.first_clock = None;
        let accepts = self.pack_accepts(retask);
        // A worker with other tasks is ranked elsewhere, and one with fewer slots has too much credit: all credit is withdrawn, and the next round
        // sends the new credit.
        let credit = if self.draining && !self.drain_reported || retask || reslot {
            self.drain_reported |= self.draining;
            self.arrivals.withdraw();
            self.quotas.withdraw();
            "-".to_owned()
        } else if grant > 0 {
            grant.to_string()
        } else {
            String::new()
        };
        let quotas = if credit == "-" || self.shared.is_paused() { self.quotas.none() } else { self.quotas.grant() };
        let values = self.pack_values();
        let batch = std::mem::take(&mut self.batch);
        let ended = batch.len();
        let summary = batch.summary();
        let measured = batch.pack_measures();
        let (packed, dones) = batch.pack(&self.session.incarnation, self.shared.envelopes());
        let (mut number, answered) = (0, self.number);
        if !packed.is_empty() || !credit.is_empty() || !accepts.is_empty() || quotas.len() > 1 {
            self.number += 1;
            number = self.number;
        }
        let keep_from = self.session.keep_from();
        self.shared.pending.store(ended as u64, Ordering::Relaxed);
        let call = Arc::new(SyncCall { number, keep_from, credit, ended: packed, quotas, values, accepts, answered, measured });
        let losses = self.shared.store.losses();
        Flight { future: self.fly(call.clone(), Duration::ZERO), call, maybe_executed: false, dones, ended, summary, losses }
    }

    /// Keeps a value of an active job for the next round.
    fn keep_value(&mut self, fence: u64, kind: Stored, value: Vec<u8>) {
        let Some(active) = self.active.get(&fence).filter(|active| !active.asked_to_stop) else { return };
        if kind == Stored::Progress {
            active.job.progressed.store(true, Ordering::Relaxed);
        } else if kind == Stored::Log {
            active.job.logged.store(true, Ordering::Relaxed);
        }
        self.values.push((active.job.id.clone(), fence, kind, value));
    }

    /// Progress, checkpoints and lines of logs, packed for `lua/commands/sync.lua`.
    fn pack_values(&mut self) -> Vec<u8> {
        for (fence, kind, value) in self.finishes.take_values() {
            self.keep_value(fence, kind, value);
        }
        let values = std::mem::take(&mut self.values);
        let mut out = Vec::new();
        if !values.is_empty() {
            write_array(&mut out, 4 * values.len());
            for (id, fence, kind, value) in values {
                write_string(&mut out, id.as_bytes());
                write_string(&mut out, format!("{fence}:{}", self.session.incarnation).as_bytes());
                let (letter, sealed) = match kind {
                    Stored::Progress => (b"p", ValueKind::Progress),
                    Stored::Checkpoint => (b"c", ValueKind::Checkpoint),
                    Stored::Log => {
                        write_string(&mut out, b"l");
                        out.extend_from_slice(&value);
                        continue;
                    }
                };
                write_string(&mut out, letter);
                let sealed = self.shared.envelopes().seal(sealed, &value, ContentType::Json);
                write_string(&mut out, sealed.as_ref().unwrap_or(&value));
            }
        }
        out
    }

    fn fly(&self, call: Arc<SyncCall>, pause: Duration) -> Flying {
        let (shared, incarnation) = (self.shared.clone(), self.session.incarnation.clone());
        Box::pin(async move {
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            let sent = boottime();
            (sent, shared.store.sync(&incarnation, &call).await)
        })
    }

    pub(super) fn again(&mut self, mut failed: Flight, maybe_executed: bool) -> Flight {
        let pause = self.session.backoff.next();
        let maybe_executed = failed.maybe_executed || maybe_executed;
        let losses = self.shared.store.losses();
        let future = self.fly(failed.call.clone(), pause);
        (failed.future, failed.maybe_executed, failed.losses) = (future, maybe_executed, losses);
        failed
    }

    pub(super) fn landed(&mut self, mut flight: Flight, jobs: Vec<Assigned>, stale_at: &[usize], deleted_at: &[usize]) {
        if !jobs.is_empty() {
            log_assigned(&jobs);
        }
        self.shared.pending.store(0, Ordering::Relaxed);
        let refused = stale_at.len() + deleted_at.len();
        if !flight.summary.is_empty() {
            tracing::debug!(target: TARGET, "finished: {}; {refused} refused as no longer assigned", flight.summary);
        }
        self.shared.counts.finished.fetch_add(flight.ended.saturating_sub(refused) as u64, Ordering::Relaxed);
        for (position, done) in std::mem::take(&mut flight.dones) {
            done(if stale_at.contains(&position) {
                Err(stale(0))
            } else if deleted_at.contains(&position) {
                Err(Error::new(ErrorKind::JobDeleted, "the job was deleted before it ended"))
            } else {
                Ok(())
            });
        }
        self.receive(jobs);
        for (fence, id, reason) in std::mem::take(&mut self.early_deletes) {
            self.deleted(vec![(fence, id)], reason, false);
        }
    }
}

/// The incarnation is over, so that the outcome of this round stays unknown. `unanswered`: the last attempt may have been executed.
pub(super) fn abandon(flight: Option<Flight>, unanswered: bool) {
    let Some(mut flight) = flight else { return };
    for (_, done) in std::mem::take(&mut flight.dones) {
        done(Err(if unanswered || flight.maybe_executed {
            let message = "the worker's membership ended before Redis answered: this finish of the job may have been accepted";
            Error::new(ErrorKind::OutcomeUnknown, message)
        } else {
            stale(0)
        }));
    }
}
