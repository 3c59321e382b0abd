//! The task of a master: registers, renews the lease, sends what was submitted, receives outcomes.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use libswarm_common::error::{Error, ErrorKind, Result};
use libswarm_common::id::Ids;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::adds::Adds;
use super::chooser::Chooser;
use super::closed;
use super::flight::{AddFlight, Landed};
use super::waits::Waits;
use crate::member::{InboxTask, MemberTask, Session, Shared, Source};
use crate::messaging::Messaging;
use crate::model::event::QueuedEvent;
use crate::model::message::Role;
use crate::store::codec::record::read_outcome;
use crate::store::{AddReply, Entry, Failed, Read, SyncCall, SyncReply};
use crate::util::clock::{boottime, from_now};
use crate::util::completion::Done;
use crate::util::optional;
use crate::util::reconnect::ReconnectDelay;

/// The limit of ids in one query for outcomes.
const MAX_ASKED: usize = 100;
/// How often a master that is registering checks whether submissions have waited for too long.
const CHECK: Duration = Duration::from_millis(100);

pub(crate) struct Task {
    shared: Arc<Shared>,
    messaging: Arc<Messaging>,
    adds: Arc<Adds>,
    waits: Arc<Waits>,
    chooser: Arc<Chooser>,
    commands: mpsc::UnboundedReceiver<Done<()>>,
    session: Session,
    /// Ids for jobs that the caller adds without one. A master cannot be used in a forked child, so no two processes share it.
    fresh: Ids,
    /// Number of the last batch of adds under the current incarnation.
    number: u64,
    /// The batch of adds under way. It survives the end of its incarnation: its outcome is known under the incarnation that sent it.
    flight: Option<AddFlight>,
    closing: Option<Option<Done<()>>>,
}

/// A call under way: returns the reply and what was sent.
type Call<With, T> = Pin<Box<dyn Future<Output = (With, Result<T, Failed>)> + Send>>;

/// The calls under way in one incarnation.
struct Calls {
    inbox: Option<InboxTask>,
    /// A round, with the time at which it was sent.
    sync: Option<Call<Duration, SyncReply>>,
    /// A query for outcomes, with the ids.
    ask: Option<Call<Vec<String>, Vec<Vec<u8>>>>,
    ask_delay: ReconnectDelay,
    /// When the next round is due.
    wake: Instant,
    /// The time of a due entry that the round under way may not have processed.
    unseen: Option<Instant>,
}

impl Calls {
    /// Sends a round now. If one is under way that may be too early, another follows.
    fn round_now(&mut self) {
        self.wake = Instant::now();
        self.unseen = self.sync.is_some().then_some(self.wake);
    }

    /// Sends a round at `due` at the latest.
    fn round_by(&mut self, due: Instant) {
        self.wake = self.wake.min(due);
        self.unseen = self.sync.is_some().then(|| self.unseen.map_or(due, |unseen| unseen.min(due)));
    }
}

impl MemberTask for Task {
    const NAME: &'static str = "the master's own";

    async fn run(&mut self) {
        while let Some(next) = self.join().await {
            self.waits.ask_all();
            let Some(error) = self.live(next).await else { break };
            if self.shared.obliterated.swap(false, Ordering::AcqRel) {
                // The program removed the cluster. It is created anew when the program uses it again.
                if self.flight.is_none() && !self.is_wanted().await {
                    break;
                }
            } else {
                self.shared.events.push([QueuedEvent::Error(error)]);
            }
        }
        let done = self.closing.take().flatten();
        if let Some(flight) = self.flight.take() {
            flight.fail(&closed());
        }
        self.adds.fail_waiting(None, &closed());
        self.waits.close(&closed());
        self.chooser.end();
        self.shared.events.push([QueuedEvent::Close(None)]);
        self.messaging.end(closed());
        self.commands.close();
        while let Ok(late) = self.commands.try_recv() {
            late(Err(closed()));
        }
        if let Some(done) = done {
            done(Ok(()));
        }
    }

    fn abort(&mut self, error: &Error) {
        self.adds.close(error);
        self.adds.fail_waiting(None, error);
        self.waits.close(error);
        self.chooser.end();
        self.shared.events.push([QueuedEvent::Close(Some(error.clone()))]);
    }

    fn end(&mut self, error: Error) {
        self.messaging.end(error);
    }
}

impl Task {
    pub(crate) fn new(
        messaging: Arc<Messaging>,
        adds: Arc<Adds>,
        waits: Arc<Waits>,
        chooser: Arc<Chooser>,
        commands: mpsc::UnboundedReceiver<Done<()>>,
    ) -> Self {
        let shared = messaging.shared.clone();
        Task {
            session: Session::new(shared.clone()),
            shared,
            messaging,
            adds,
            waits,
            chooser,
            commands,
            fresh: Ids::new(),
            number: 0,
            flight: None,
            closing: None,
        }
    }

    /// Whether this master must read its inbox.
    fn reads_inbox(&self) -> bool {
        self.waits.any() || self.chooser.is_active() || self.messaging.reads_inbox()
    }

    /// Waits until the program makes a call; false if it closes the master.
    async fn is_wanted(&mut self) -> bool {
        while self.adds.len() == 0 && !self.reads_inbox() {
            tokio::select! {
                () = self.adds.arrived.notified() => {}
                () = self.waits.changed.notified() => {}
                command = self.commands.recv() => {
                    self.start_close(command);
                    return self.adds.len() > 0;
                }
            }
        }
        true
    }

    fn start_close(&mut self, command: Option<Done<()>>) {
        self.adds.close(&closed());
        self.closing = Some(command);
    }

    /// Registers; returns when the first round is due. Returns `None` if the master is closed before that succeeds: at once if nothing was
    /// submitted, else after the option `timeout`. Submissions that wait too long meanwhile fail.
    async fn join(&mut self) -> Option<Duration> {
        let Task { session, commands, adds, shared, closing, waits, flight, .. } = self;
        let mut joining = std::pin::pin!(session.join(Role::Master));
        let mut check = tokio::time::interval(CHECK);
        let mut give_up = Instant::now() + shared.options.timeout;
        loop {
            tokio::select! {
                next = &mut joining => {
                    self.number = 0;
                    return Some(next);
                }
                // The batch was sent under the previous incarnation: its outcome may still arrive.
                answer = answer_of(flight) => {
                    if let Some(Landed::Again(again) | Landed::Orphaned(again)) = flight.take().map(|sent| sent.landed(shared, adds, answer)) {
                        *flight = Some(again);
                    }
                }
                command = commands.recv(), if closing.is_none() => {
                    *closing = Some(command);
                    adds.close(&closed());
                    give_up = Instant::now() + shared.options.timeout;
                }
                _ = check.tick() => if let Some(error) = shared.trouble() {
                    fail_old(shared, adds, &error);
                    if let Some(flight) = flight.take_if(|flight| flight.has_waited_too_long(&error, shared.options.timeout)) {
                        flight.fail(&error);
                    }
                    if !error.kind().is_retryable() {
                        waits.take_unasked(usize::MAX).iter().for_each(|id| waits.refuse(id, &error));
                    }
                },
            }
            if closing.is_some() && (adds.len() == 0 && flight.is_none() || Instant::now() >= give_up) {
                return None;
            }
        }
    }

    /// Runs one incarnation. Returns `None` when the master was closed, or the reason to register anew.
    async fn live(&mut self, next: Duration) -> Option<Error> {
        self.session.announce();
        // This incarnation is not yet registered as the chooser.
        self.chooser.wanted.notify_one();
        self.adopt_flight();
        let mut calls = Calls {
            inbox: None,
            sync: None,
            ask: None,
            ask_delay: ReconnectDelay::new(self.shared.store.longest_backoff()),
            wake: Instant::now() + next.min(self.session.renewal()),
            unseen: None,
        };
        loop {
            if !self.start_batch() && self.closing.is_some() {
                // Calls under way that are no longer polled must not delay the last call.
                drop(calls);
                self.session.stop_probing();
                self.messaging.sent().await;
                // A failure is logged; the master is closed nevertheless.
                let _ = self.session.leave().await;
                return None;
            }
            self.start_reads(&mut calls);
            let idle = calls.sync.is_none() && self.flight.is_none();
            let round = self.chooser.deadline().map_or(calls.wake, |deadline| calls.wake.min(deadline));
            tokio::select! {
                biased;
                answer = answer_of(&mut self.flight) => if let Some(error) = self.batch_answered(answer, &mut calls) {
                    return Some(error);
                },
                (sent, answer) = optional(&mut calls.sync) => if let Some(error) = self.round_answered(sent, answer, &mut calls) {
                    return Some(error);
                },
                (ids, answer) = optional(&mut calls.ask) => self.outcomes_answered(ids, answer, &mut calls),
                Some(read) = next_read(&mut calls.inbox) => self.inbox_read(read, &mut calls),
                command = self.commands.recv(), if self.closing.is_none() => self.start_close(command),
                () = self.session.suspicion(idle) => calls.round_now(),
                () = self.adds.arrived.notified(), if self.flight.is_none() => {}
                () = self.waits.changed.notified() => {}
                () = self.messaging.inbox_wanted() => {}
                () = self.shared.round_wanted.notified() => calls.round_now(),
                () = tokio::time::sleep_until(round), if calls.sync.is_none() => self.start_round(&mut calls),
            }
        }
    }

    /// Sends the next batch if none is under way. Returns whether one is.
    fn start_batch(&mut self) -> bool {
        if self.flight.is_none() {
            let Some(batch) = self.adds.next_batch(&self.session.incarnation, self.number + 1, &mut self.fresh) else {
                self.shared.pending.store(0, Ordering::Relaxed);
                return false;
            };
            self.number += 1;
            self.shared.pending.store(batch.count as u64, Ordering::Relaxed);
            self.flight = Some(AddFlight::new(&self.shared, batch, self.session.epoch.clone()));
        }
        true
    }

    /// Sends a batch whose incarnation is gone again, under this incarnation.
    fn adopt_flight(&mut self) {
        if let Some(flight) = self.flight.as_mut().filter(|flight| flight.is_orphaned()) {
            self.number += 1;
            flight.adopt(&self.shared, &self.session.incarnation, self.number, &self.session.epoch);
        }
    }

    /// Starts the reads from Redis that are not under way.
    fn start_reads(&self, calls: &mut Calls) {
        if calls.inbox.is_none() && self.reads_inbox() {
            calls.inbox = Some(self.session.read_inbox());
        }
        if calls.ask.is_none() {
            self.ask(calls, Duration::ZERO);
        }
        if calls.sync.is_none() && self.session.must_trim() {
            calls.wake = Instant::now();
        }
    }

    /// Handles the reply to the batch under way. Returns the reason to register anew, if there is one.
    fn batch_answered(&mut self, answer: Result<AddReply, Failed>, calls: &mut Calls) -> Option<Error> {
        match self.flight.take()?.landed(&self.shared, &self.adds, answer) {
            Landed::Stored(next) => {
                self.session.seen();
                if let Some(next) = next {
                    calls.round_by(from_now(next));
                }
            }
            Landed::Failed => {}
            Landed::Again(again) => self.flight = Some(again),
            Landed::Orphaned(orphan) => {
                let lost_now = orphan.incarnation() == self.session.incarnation;
                self.flight = Some(orphan);
                if lost_now {
                    return Some(lost());
                }
                self.adopt_flight();
            }
        }
        None
    }

    fn start_round(&mut self, calls: &mut Calls) {
        self.chooser.deadline_handled();
        let call = SyncCall { keep_from: self.session.keep_from(), ..SyncCall::default() };
        let (shared, incarnation) = (self.shared.clone(), self.session.incarnation.clone());
        calls.sync = Some(Box::pin(async move {
            let sent = boottime();
            (sent, shared.store.sync(&incarnation, &call).await)
        }));
    }

    /// Handles the reply to the round under way. Returns the reason to register anew, if there is one.
    fn round_answered(&mut self, sent: Duration, answer: Result<SyncReply, Failed>, calls: &mut Calls) -> Option<Error> {
        calls.sync = None;
        match answer {
            Ok(SyncReply::Done { next, spread, wanted, .. }) => {
                self.shared.extend_schedules(wanted);
                self.session.renewed(sent);
                let next = from_now(self.session.next_round(next, spread));
                calls.wake = calls.unseen.take().map_or(next, |unseen| next.min(unseen));
            }
            Ok(SyncReply::UnknownMember | SyncReply::Old) => return Some(lost()),
            Err(failed) => {
                self.shared.report(Source::Calls, &failed.error);
                fail_old(&self.shared, &self.adds, &failed.error);
                calls.wake = Instant::now() + self.session.backoff.next();
            }
        }
        None
    }

    /// Queries the outcomes of jobs for which this master may not be registered as waiting.
    fn ask(&self, calls: &mut Calls, delay: Duration) {
        let ids = self.waits.take_unasked(MAX_ASKED);
        if ids.is_empty() {
            return;
        }
        let (shared, incarnation) = (self.shared.clone(), self.session.incarnation.clone());
        calls.ask = Some(Box::pin(async move {
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
            let answer = shared.store.awaiting(&incarnation, &ids).await;
            (ids, answer)
        }));
    }

    fn outcomes_answered(&self, ids: Vec<String>, answer: Result<Vec<Vec<u8>>, Failed>, calls: &mut Calls) {
        calls.ask = None;
        match answer {
            Ok(outcomes) => {
                calls.ask_delay.reset();
                ids.iter().zip(outcomes).for_each(|(id, outcome)| self.outcome_answered(id, &outcome));
            }
            Err(failed) => {
                self.shared.report(Source::Calls, &failed.error);
                if failed.error.kind().is_retryable() {
                    self.waits.put_back(ids);
                    let delay = calls.ask_delay.next();
                    self.ask(calls, delay);
                } else {
                    ids.iter().for_each(|id| self.waits.refuse(id, &failed.error));
                }
            }
        }
    }

    /// Handles the answer for one id: `w` the outcome will be sent; `n` there is neither job nor result; `x` the result is not kept; or the
    /// outcome.
    fn outcome_answered(&self, id: &str, answer: &[u8]) {
        let refusal = match answer {
            b"w" => return,
            b"n" => Error::new(
                ErrorKind::NotFound,
                format!(
                    "there is no job `{id}`, and no result of one: it was never added, was deleted, or its result has expired"
                ),
            ),
            b"x" => Error::new(
                ErrorKind::InvalidArgument,
                format!("job `{id}` was added without `result`, so its result is not kept"),
            ),
            outcome => return self.waits.settle(id, &read_outcome(id, outcome)),
        };
        self.waits.refuse(id, &refusal);
    }

    fn inbox_read(&mut self, Read { said, entries, last, again }: Read, calls: &mut Calls) {
        self.session.entries_read(entries, last);
        if again {
            calls.round_now();
        }
        for entry in said {
            match entry {
                Entry::Results(results) => {
                    results.iter().for_each(|(id, outcome)| self.waits.settle(id, &read_outcome(id, outcome)));
                }
                Entry::Wake => calls.round_now(),
                Entry::Choose => self.chooser.asked(),
                Entry::Jobs(_) | Entry::Deletes(_) | Entry::Timeouts(_) | Entry::Moves(_) | Entry::Order(_) => {}
                other => self.messaging.received(other),
            }
        }
    }
}

/// The reply to the batch under way; never ready if there is none.
async fn answer_of(flight: &mut Option<AddFlight>) -> Result<AddReply, Failed> {
    match flight {
        Some(flight) => flight.future.as_mut().await,
        None => std::future::pending().await,
    }
}

/// The next entries of the inbox; never ready while it is not read.
async fn next_read(inbox: &mut Option<InboxTask>) -> Option<Read> {
    match inbox {
        Some(inbox) => inbox.receiver.recv().await,
        None => std::future::pending().await,
    }
}

/// Fails submissions that have waited for longer than the option `timeout` during an outage. If the error does not go away by waiting, fails all.
fn fail_old(shared: &Shared, adds: &Adds, error: &Error) {
    if !error.kind().is_retryable() {
        adds.fail_waiting(None, error);
    } else if shared.troubled_for() >= shared.options.timeout
        && let Some(since) = Instant::now().checked_sub(shared.options.timeout)
    {
        adds.fail_waiting(Some(since), error);
    }
}

fn lost() -> Error {
    Error::new(
        ErrorKind::LeaseLost,
        "Redis no longer knows this master: its lease ran out, or Redis lost its data; registering anew",
    )
}
