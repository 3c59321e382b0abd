//! Sends the jobs that a member adds, one batch at a time.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use libswarm_common::error::Error;
use libswarm_common::id::Ids;
use tokio::time::{Instant, Interval};

use super::adds::Adds;
use super::flight::{AddFlight, Landed};
use crate::member::{Session, Shared};
use crate::store::{AddReply, Failed};

/// How often a member that is registering checks whether submissions have waited for too long.
const CHECK: Duration = Duration::from_millis(100);

/// The part of a member's task that adds jobs.
pub(crate) struct Adder {
    shared: Arc<Shared>,
    adds: Arc<Adds>,
    /// Ids for jobs that the caller adds without one. A member cannot be used in a forked child, so no two processes share it.
    fresh: Ids,
    /// Number of the last batch under the current incarnation.
    number: u64,
    /// The batch under way. It survives the end of its incarnation: its outcome is known under the incarnation that sent it.
    flight: Option<AddFlight>,
}

/// What the reply to a batch means for the member.
pub(crate) enum Landing {
    /// Redis has stored the batch. Contains the time until the next due entry, if a job may have changed it.
    Stored(Option<Duration>),
    /// The batch has failed, or is sent again.
    Other,
    /// Redis does not know the current incarnation of the member any more.
    Unknown,
}

impl Adder {
    pub(crate) fn new(shared: Arc<Shared>, adds: Arc<Adds>) -> Self {
        Adder { shared, adds, fresh: Ids::new(), number: 0, flight: None }
    }

    /// Whether jobs wait to be sent, or a batch is under way.
    pub(crate) fn is_busy(&self) -> bool {
        self.flight.is_some() || self.adds.len() > 0
    }

    pub(crate) fn is_under_way(&self) -> bool {
        self.flight.is_some()
    }

    /// Begins an incarnation: a batch whose incarnation is gone is sent again under it.
    pub(crate) fn begin(&mut self, session: &Session) {
        self.number = 0;
        self.adopt(session);
    }

    fn adopt(&mut self, session: &Session) {
        if let Some(flight) = self.flight.as_mut().filter(|flight| flight.is_orphaned()) {
            self.number += 1;
            flight.adopt(&self.shared, &session.incarnation, self.number, &session.epoch);
        }
    }

    /// Sends the next batch if none is under way. Returns whether one is.
    pub(crate) fn start(&mut self, session: &Session) -> bool {
        if self.flight.is_none() {
            let (now, envelopes) = (session.shared.clock.now(), session.shared.envelopes());
            let Some(batch) = self.adds.next_batch(&session.incarnation, self.number + 1, now, &mut self.fresh, envelopes) else {
                self.shared.pending_adds.store(0, Ordering::Relaxed);
                return false;
            };
            self.number += 1;
            self.shared.pending_adds.store(batch.count as u64, Ordering::Relaxed);
            self.flight = Some(AddFlight::new(&self.shared, batch, session.epoch.clone()));
        }
        true
    }

    /// The reply to the batch under way. If there is none, resolves with `None` when there may be jobs to send.
    pub(crate) async fn next(&mut self) -> Option<Result<AddReply, Failed>> {
        match &mut self.flight {
            Some(flight) => Some(flight.future.as_mut().await),
            None => {
                self.adds.arrived.notified().await;
                None
            }
        }
    }

    /// Handles the reply to the batch under way.
    pub(crate) fn landed(&mut self, answer: Result<AddReply, Failed>, session: &mut Session) -> Landing {
        let Some(flight) = self.flight.take() else { return Landing::Other };
        match flight.landed(&self.shared, &self.adds, answer) {
            Landed::Stored(next) => {
                session.seen();
                return Landing::Stored(next);
            }
            Landed::Failed => {}
            Landed::Again(again) => self.flight = Some(again),
            Landed::Orphaned(orphan) => {
                let lost_now = orphan.incarnation() == session.incarnation;
                self.flight = Some(orphan);
                if lost_now {
                    return Landing::Unknown;
                }
                self.adopt(session);
            }
        }
        Landing::Other
    }

    /// The times at which [`Adder::while_joining`] checks.
    pub(crate) fn checks() -> Interval {
        tokio::time::interval(CHECK)
    }

    /// While the member registers: handles the reply to a batch of the previous incarnation, or fails submissions that have waited for too long.
    /// Returns the current error of the member after such a check.
    pub(crate) async fn while_joining(&mut self, checks: &mut Interval) -> Option<Error> {
        tokio::select! {
            answer = self.next() => {
                let (flight, answer) = (self.flight.take()?, answer?);
                if let Landed::Again(again) | Landed::Orphaned(again) = flight.landed(&self.shared, &self.adds, answer) {
                    self.flight = Some(again);
                }
                None
            }
            _ = checks.tick() => {
                let error = self.shared.trouble()?;
                self.fail_old(&error);
                let limit = self.shared.options.timeout;
                if let Some(flight) = self.flight.take_if(|flight| flight.has_waited_too_long(&error, limit)) {
                    flight.fail(&error);
                }
                Some(error)
            }
        }
    }

    /// Fails submissions that have waited for longer than the option `timeout` during an outage. If the error does not go away by waiting, fails
    /// all.
    pub(crate) fn fail_old(&self, error: &Error) {
        let timeout = self.shared.options.timeout;
        if !error.kind().is_retryable() {
            self.adds.fail_waiting(None, error);
        } else if self.shared.troubled_for() >= timeout
            && let Some(since) = Instant::now().checked_sub(timeout)
        {
            self.adds.fail_waiting(Some(since), error);
        }
    }

    /// Rejects later submissions.
    pub(crate) fn close(&self, error: &Error) {
        self.adds.close(error);
    }

    /// Fails what was not stored, and later submissions.
    pub(crate) fn end(&mut self, error: &Error) {
        self.adds.close(error);
        if let Some(flight) = self.flight.take() {
            flight.fail(error);
        }
        self.adds.fail_waiting(None, error);
        self.shared.pending_adds.store(0, Ordering::Relaxed);
    }
}
