//! The task of a master: registers, renews the lease, sends what was submitted, receives outcomes.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use libswarm_common::error::{Error, ErrorKind, Result};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::chooser::Chooser;
use super::closed;
use super::waits::Waits;
use crate::adding::{Adder, Adds, Landing};
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

pub(crate) struct Task {
    shared: Arc<Shared>,
    messaging: Arc<Messaging>,
    adder: Adder,
    waits: Arc<Waits>,
    chooser: Arc<Chooser>,
    commands: mpsc::UnboundedReceiver<Done<()>>,
    session: Session,
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
                if !self.adder.is_under_way() && !self.is_wanted().await {
                    break;
                }
            } else {
                self.shared.events.push([QueuedEvent::Error(error)]);
            }
        }
        let done = self.closing.take().flatten();
        self.adder.end(&closed());
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
        self.adder.end(error);
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
            adder: Adder::new(shared.clone(), adds),
            shared,
            messaging,
            waits,
            chooser,
            commands,
            closing: None,
        }
    }

    /// Whether this master must read its inbox.
    fn reads_inbox(&self) -> bool {
        self.waits.any() || self.chooser.is_active() || self.messaging.reads_inbox() || self.shared.options.is_for_tests()
    }

    /// Waits until the program makes a call; false if it closes the master.
    async fn is_wanted(&mut self) -> bool {
        while !self.adder.is_busy() && !self.reads_inbox() {
            tokio::select! {
                _ = self.adder.next() => {}
                () = self.waits.changed.notified() => {}
                command = self.commands.recv() => {
                    self.start_close(command);
                    return self.adder.is_busy();
                }
            }
        }
        true
    }

    fn start_close(&mut self, command: Option<Done<()>>) {
        self.adder.close(&closed());
        self.closing = Some(command);
    }

    /// Registers; returns when the first round is due. Returns `None` if the master is closed before that succeeds: at once if nothing was
    /// submitted, else after the option `timeout`. Submissions that wait too long meanwhile fail.
    async fn join(&mut self) -> Option<Duration> {
        let Task { session, commands, adder, shared, closing, waits, .. } = self;
        let mut joining = std::pin::pin!(session.join(Role::Master));
        let mut checks = Adder::checks();
        let mut give_up = Instant::now() + shared.options.timeout;
        loop {
            tokio::select! {
                next = &mut joining => return Some(next),
                command = commands.recv(), if closing.is_none() => {
                    *closing = Some(command);
                    adder.close(&closed());
                    give_up = Instant::now() + shared.options.timeout;
                }
                error = adder.while_joining(&mut checks) => if let Some(error) = error.filter(|error| !error.kind().is_retryable()) {
                    waits.take_unasked(usize::MAX).iter().for_each(|id| waits.refuse(id, &error));
                },
            }
            if closing.is_some() && (!adder.is_busy() || Instant::now() >= give_up) {
                return None;
            }
        }
    }

    /// Runs one incarnation. Returns `None` when the master was closed, or the reason to register anew.
    async fn live(&mut self, next: Duration) -> Option<Error> {
        self.session.announce();
        // This incarnation is not yet registered as the chooser.
        self.chooser.wanted.notify_one();
        self.adder.begin(&self.session);
        let mut calls = Calls {
            inbox: None,
            sync: None,
            ask: None,
            ask_delay: ReconnectDelay::new(self.shared.store.longest_backoff()),
            wake: Instant::now() + next.min(self.session.renewal()),
            unseen: None,
        };
        loop {
            if !self.adder.start(&self.session) && self.closing.is_some() {
                // Calls under way that are no longer polled must not delay the last call.
                drop(calls);
                self.session.stop_probing();
                self.messaging.sent().await;
                // A failure is logged; the master is closed nevertheless.
                let _ = self.session.leave().await;
                return None;
            }
            self.start_reads(&mut calls);
            let idle = calls.sync.is_none() && !self.adder.is_under_way();
            let round = self.chooser.deadline().map_or(calls.wake, |deadline| calls.wake.min(deadline));
            tokio::select! {
                biased;
                answer = self.adder.next() => if let Some(error) = answer.and_then(|answer| self.batch_answered(answer, &mut calls)) {
                    return Some(error);
                },
                (sent, answer) = optional(&mut calls.sync) => if let Some(error) = self.round_answered(sent, answer, &mut calls) {
                    return Some(error);
                },
                (ids, answer) = optional(&mut calls.ask) => self.outcomes_answered(ids, answer, &mut calls),
                Some(read) = next_read(&mut calls.inbox) => self.inbox_read(read, &mut calls),
                command = self.commands.recv(), if self.closing.is_none() => self.start_close(command),
                () = self.session.suspicion(idle) => calls.round_now(),
                () = self.waits.changed.notified() => {}
                () = self.messaging.inbox_wanted() => {}
                () = self.shared.round_wanted.notified() => calls.round_now(),
                () = tokio::time::sleep_until(round), if calls.sync.is_none() => self.start_round(&mut calls),
            }
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
        match self.adder.landed(answer, &mut self.session) {
            Landing::Stored(Some(next)) => calls.round_by(from_now(next)),
            Landing::Stored(None) | Landing::Other => {}
            Landing::Unknown => return Some(lost()),
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
            Ok(SyncReply::Done { next, spread, wanted, now, .. }) => {
                self.shared.clock.answered(sent, now);
                self.shared.extend_schedules(wanted);
                self.session.renewed(sent);
                let next = from_now(self.session.next_round(next, spread));
                calls.wake = calls.unseen.take().map_or(next, |unseen| next.min(unseen));
            }
            Ok(SyncReply::UnknownMember | SyncReply::Old) => return Some(lost()),
            Err(failed) => {
                self.shared.report(Source::Calls, &failed.error);
                self.adder.fail_old(&failed.error);
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
            outcome => return self.waits.settle(id, &read_outcome(id, outcome, self.shared.envelopes())),
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
                    results
                        .iter()
                        .for_each(|(id, outcome)| self.waits.settle(id, &read_outcome(id, outcome, self.shared.envelopes())));
                }
                Entry::Wake => calls.round_now(),
                Entry::Choose => self.chooser.asked(),
                Entry::Jobs(_) | Entry::Deletes(_) | Entry::Timeouts(_) | Entry::Moves(_) | Entry::Order(_) => {}
                other => self.messaging.received(other),
            }
        }
    }
}

/// The next entries of the inbox; never ready while it is not read.
async fn next_read(inbox: &mut Option<InboxTask>) -> Option<Read> {
    match inbox {
        Some(inbox) => inbox.receiver.recv().await,
        None => std::future::pending().await,
    }
}

fn lost() -> Error {
    Error::new(
        ErrorKind::LeaseLost,
        "Redis no longer knows this master: its lease ran out, or Redis lost its data; registering anew",
    )
}
