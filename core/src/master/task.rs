//! The task of a master: registers, keeps the lease, sends what was submitted, receives outcomes.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::adds::{Adds, Batch};
use super::choice::Chooser;
use super::closed;
use super::waits::Waits;
use crate::clock::boottime;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::id::Ids;
use crate::job::Outcome;
use crate::member::{Backoff, InboxTask, Session, Shared, Source};
use crate::new_job::Durability;
use crate::store::record::read_outcome;
use crate::store::{AddReply, Entry, Failed, Read, SyncCall, SyncReply, after};
use crate::worker::Done;

/// Inbox entries read before a round is sent only to have them trimmed.
const UNTRIMMED: u32 = 64;
/// Ids asked for in one call.
const ASKED: usize = 100;

pub(crate) struct Task {
    shared: Arc<Shared>,
    adds: Arc<Adds>,
    waits: Arc<Waits>,
    chooser: Arc<Chooser>,
    commands: mpsc::UnboundedReceiver<Done<()>>,
    session: Session,
    /// Ids for jobs that have none of their own. A master cannot be used in a forked child, so no two processes share it.
    fresh: Ids,
    /// Number of the last batch of adds under the current incarnation.
    number: u64,
    closing: Option<Option<Done<()>>>,
}

type Flying<T> = Pin<Box<dyn Future<Output = Result<T, Failed>> + Send>>;

/// A batch under way; sent again as it is when the answer is lost.
struct AddFlight {
    batch: Batch,
    backoff: Backoff,
    /// An earlier attempt may have been executed.
    maybe_executed: bool,
    /// When the first of the failures in a row came.
    failing_since: Option<Instant>,
    /// The life of the store in which it was first sent.
    epoch: String,
    /// Its incarnation is gone and it was never executed: it goes again under the next.
    orphaned: bool,
    future: Flying<AddReply>,
}

type SyncFlight = Pin<Box<dyn Future<Output = (Duration, Result<SyncReply, Failed>)> + Send>>;
type AskFlight = Pin<Box<dyn Future<Output = (Vec<String>, Result<Vec<Vec<u8>>, Failed>)> + Send>>;

impl Task {
    pub(crate) fn new(
        shared: Arc<Shared>,
        adds: Arc<Adds>,
        waits: Arc<Waits>,
        chooser: Arc<Chooser>,
        commands: mpsc::UnboundedReceiver<Done<()>>,
    ) -> Self {
        Task {
            session: Session::new(shared.clone()),
            shared,
            adds,
            waits,
            chooser,
            commands,
            fresh: Ids::new(),
            number: 0,
            closing: None,
        }
    }

    pub(crate) async fn run(mut self) {
        let mut flight = None;
        while let Some(next) = self.join().await {
            self.waits.ask_all();
            let Some(error) = self.live(next, &mut flight).await else { break };
            if self.shared.obliterated.swap(false, Ordering::AcqRel) {
                // It is what its program asked for; another cluster of the name begins when the program wants something of it.
                if !self.is_wanted().await {
                    break;
                }
            } else {
                self.shared.events.push([Event::Error(error)]);
            }
        }
        let done = self.closing.take().flatten();
        if let Some(AddFlight { batch, .. }) = flight {
            batch.fail(&closed());
        }
        self.adds.fail_waiting(None, &closed());
        self.waits.close();
        self.chooser.end();
        self.shared.events.push([Event::Close(None)]);
        self.shared.end(closed());
        self.commands.close();
        while let Ok(late) = self.commands.try_recv() {
            late(Err(closed()));
        }
        if let Some(done) = done {
            done(Ok(()));
        }
    }

    /// Waits until there is something to do; false if that is to close.
    async fn is_wanted(&mut self) -> bool {
        while self.adds.len() == 0 && !self.waits.any() && !self.chooser.is_active() && !self.shared.messages.reads_inbox() {
            tokio::select! {
                () = self.adds.arrived.notified() => {}
                () = self.waits.changed.notified() => {}
                command = self.commands.recv() => {
                    self.adds.close();
                    self.closing = Some(command);
                    return self.adds.len() > 0;
                }
            }
        }
        true
    }

    /// Registers; `None` if the master is closed before that succeeds: at once if nothing was submitted, else after the option
    /// `timeout`. Submissions that wait too long meanwhile fail.
    async fn join(&mut self) -> Option<Duration> {
        let Task { session, commands, adds, shared, closing, waits, .. } = self;
        let mut joining = std::pin::pin!(session.join("master"));
        let mut look = tokio::time::interval(Duration::from_millis(100));
        let mut give_up = Instant::now() + shared.options.timeout;
        loop {
            tokio::select! {
                next = &mut joining => {
                    self.number = 0;
                    return Some(next);
                }
                command = commands.recv(), if closing.is_none() => {
                    *closing = Some(command);
                    adds.close();
                    give_up = Instant::now() + shared.options.timeout;
                }
                _ = look.tick() => if let Some(error) = shared.trouble() {
                    fail_old(shared, adds, &error);
                    if !error.kind().is_retryable() {
                        waits.fail(&waits.take_unasked(usize::MAX), &error);
                    }
                },
            }
            if closing.is_some() && (adds.len() == 0 || Instant::now() >= give_up) {
                return None;
            }
        }
    }

    /// `None` when the master was closed, or why it has to register anew. `flight` outlives the incarnation: its outcome is known under
    /// the one that sent it.
    async fn live(&mut self, next: Duration, flight: &mut Option<AddFlight>) -> Option<Error> {
        self.session.announce();
        // Redis does not know yet that this incarnation chooses.
        self.chooser.wanted.notify_one();
        if let Some(flight) = flight
            && flight.orphaned
        {
            self.number += 1;
            flight.batch.renumber(&self.session.incarnation, self.number);
            (flight.orphaned, flight.epoch) = (false, self.session.epoch.clone());
            flight.future = self.send(&flight.batch, Duration::ZERO);
        }
        let mut inbox: Option<InboxTask> = None;
        let mut sync: Option<SyncFlight> = None;
        let mut ask: Option<AskFlight> = None;
        let mut ask_backoff = Backoff::new(self.shared.store.longest_backoff());
        let mut wake = Instant::now() + next.min(self.session.renewal());
        let (mut untrimmed, mut last_entry): (u32, Option<String>) = (0, None);
        // When something is due that the round under way may not have seen.
        let mut unseen: Option<Instant> = None;
        loop {
            if flight.is_none() {
                *flight = self.take_off();
                if flight.is_none() {
                    self.shared.pending.store(0, Ordering::Relaxed);
                    if self.closing.is_some() {
                        self.leave().await;
                        return None;
                    }
                }
            }
            if inbox.is_none() && (self.waits.any() || self.chooser.is_active() || self.shared.messages.reads_inbox()) {
                inbox = Some(self.session.read_inbox());
            }
            if ask.is_none() {
                ask = self.ask(Duration::ZERO);
            }
            if sync.is_none() && untrimmed >= UNTRIMMED {
                wake = Instant::now();
            }
            tokio::select! {
                biased;
                answer = async { flight.as_mut().expect("guarded").future.as_mut().await }, if flight.is_some() => {
                    let landed = flight.take().expect("guarded");
                    match answer {
                        Ok(AddReply::Done { existed, next, not_durable }) => {
                            self.shared.healed(Source::Calls);
                            if let Some(next) = next {
                                let due = Instant::now() + next;
                                wake = wake.min(due);
                                unseen = sync.is_some().then(|| unseen.map_or(due, |unseen| unseen.min(due)));
                            }
                            self.shared.counts.added.fetch_add((landed.batch.count - existed.len()) as u64, Ordering::Relaxed);
                            landed.batch.succeed(&self.adds, &existed, not_durable.as_ref());
                        }
                        Ok(AddReply::UnknownMember(epoch)) => {
                            if let Some(again) = self.unknown(landed, &epoch) {
                                *flight = Some(again);
                                return Some(lost());
                            }
                        }
                        Err(failed) => *flight = self.failed(landed, failed),
                    }
                }
                (sent, answer) = async { sync.as_mut().expect("guarded").as_mut().await }, if sync.is_some() => {
                    sync = None;
                    match answer {
                        Ok(SyncReply::Done { next, spread, .. }) => {
                            self.session.renewed(sent);
                            wake = Instant::now() + self.session.next_round(next, spread);
                            wake = unseen.take().map_or(wake, |unseen| wake.min(unseen));
                        }
                        Ok(SyncReply::UnknownMember | SyncReply::Old) => return Some(lost()),
                        Err(failed) => {
                            self.shared.report(Source::Calls, &failed.error);
                            fail_old(&self.shared, &self.adds, &failed.error);
                            wake = Instant::now() + self.session.backoff.next();
                        }
                    }
                }
                (ids, answer) = async { ask.as_mut().expect("guarded").as_mut().await }, if ask.is_some() => {
                    ask = None;
                    match answer {
                        Ok(outcomes) => {
                            ask_backoff.reset();
                            for (id, outcome) in ids.iter().zip(outcomes) {
                                self.answered(id, &outcome);
                            }
                        }
                        Err(failed) => {
                            self.shared.report(Source::Calls, &failed.error);
                            if failed.error.kind().is_retryable() {
                                self.waits.put_back(ids);
                                ask = self.ask(ask_backoff.next());
                            } else {
                                self.waits.fail(&ids, &failed.error);
                            }
                        }
                    }
                }
                Some(Read { said, entries, last }) = async { inbox.as_mut().expect("guarded").receiver.recv().await }, if inbox.is_some() => {
                    untrimmed += entries;
                    last_entry = Some(last);
                    for entry in said {
                        match entry {
                            Entry::Results(results) => {
                                for (id, outcome) in results {
                                    self.waits.settle(&id, &read_outcome(&id, &outcome));
                                }
                            }
                            Entry::Wake => {
                                wake = Instant::now();
                                unseen = sync.is_some().then_some(wake);
                            }
                            Entry::Choose => self.chooser.asked(),
                            Entry::Jobs(_) | Entry::Deletes(_) | Entry::Timeouts(_) | Entry::Moves(_) => {}
                            other => self.shared.heard(other),
                        }
                    }
                }
                command = self.commands.recv(), if self.closing.is_none() => {
                    self.adds.close();
                    self.closing = Some(command);
                }
                () = self.adds.arrived.notified(), if flight.is_none() => {}
                () = self.waits.changed.notified() => {}
                () = self.shared.messages.changed.notified() => {}
                () = tokio::time::sleep_until(self.chooser.deadline().map_or(wake, |deadline| wake.min(deadline))), if sync.is_none() => {
                    self.chooser.looked_after();
                    let keep_from = last_entry.take().map_or_else(String::new, |id| after(&id));
                    untrimmed = 0;
                    sync = Some(self.sync(keep_from));
                }
            }
        }
    }

    fn take_off(&mut self) -> Option<AddFlight> {
        let batch = self.adds.next_batch(&self.session.incarnation, self.number + 1, &mut self.fresh)?;
        self.number += 1;
        self.shared.pending.store(batch.count as u64, Ordering::Relaxed);
        Some(AddFlight {
            future: self.send(&batch, Duration::ZERO),
            batch,
            backoff: Backoff::new(self.shared.store.longest_backoff()),
            maybe_executed: false,
            failing_since: None,
            epoch: self.session.epoch.clone(),
            orphaned: false,
        })
    }

    fn send(&self, batch: &Batch, pause: Duration) -> Flying<AddReply> {
        let (shared, call, durability) = (self.shared.clone(), batch.call.clone(), batch.durability);
        Box::pin(async move {
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            let mut reply = shared.store.add(&call).await?;
            if let AddReply::Done { not_durable, .. } = &mut reply
                && durability > Durability::Memory
            {
                *not_durable = shared.store.make_durable(durability).await.err();
            }
            Ok(reply)
        })
    }

    fn sync(&self, keep_from: String) -> SyncFlight {
        let (shared, incarnation) = (self.shared.clone(), self.session.incarnation.clone());
        Box::pin(async move {
            let sent = boottime();
            let call = SyncCall { keep_from, ..SyncCall::default() };
            (sent, shared.store.sync(&incarnation, &call).await)
        })
    }

    fn ask(&self, pause: Duration) -> Option<AskFlight> {
        let ids = self.waits.take_unasked(ASKED);
        if ids.is_empty() {
            return None;
        }
        let (shared, incarnation) = (self.shared.clone(), self.session.incarnation.clone());
        Some(Box::pin(async move {
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            let answer = shared.store.awaiting(&incarnation, &ids).await;
            (ids, answer)
        }))
    }

    /// What Redis answered to the question for an id.
    fn answered(&self, id: &str, answer: &[u8]) {
        let outcome: Result<Outcome> = match answer {
            b"w" => return,
            b"n" => Err(Error::new(
                ErrorKind::NotFound,
                format!("there is no job `{id}`, and no result of one: it never was, was deleted, or its result has expired"),
            )),
            b"x" => Err(Error::new(
                ErrorKind::InvalidArgument,
                format!("job `{id}` was added without `result`, so its result is not kept"),
            )),
            outcome => read_outcome(id, outcome),
        };
        self.waits.settle(id, &outcome);
    }

    /// The call failed: again, or give up and tell.
    fn failed(&mut self, mut landed: AddFlight, failed: Failed) -> Option<AddFlight> {
        // All that can be known is known: some may be stored, but no answer is missing.
        let known = failed.half_done && !landed.maybe_executed;
        landed.maybe_executed |= failed.maybe_executed;
        let pause = landed.backoff.next();
        // A full store is the call's error, not trouble in the background: renewals and completions go on.
        let full = failed.error.kind() == ErrorKind::StoreFull;
        if !full {
            self.shared.report(Source::Calls, &failed.error);
        }
        let since = *landed.failing_since.get_or_insert_with(Instant::now);
        if !full && failed.error.kind().is_retryable() && since.elapsed() + pause < self.shared.options.timeout {
            landed.future = self.send(&landed.batch, pause);
            return Some(landed);
        }
        let error = if known {
            let message = format!(
                "{}. Redis keeps what it had done until then: some of the jobs may have been added",
                failed.error.message()
            );
            Error::new(failed.error.kind(), message)
        } else if landed.maybe_executed {
            let message =
                format!("{}. The reply to an earlier attempt was lost, so the jobs may have been added", failed.error.message());
            Error::new(ErrorKind::OutcomeUnknown, message)
        } else {
            failed.error
        };
        landed.batch.fail(&error);
        None
    }

    /// The incarnation of the batch is not known any more. A batch that cannot have been executed in this life of the store goes again.
    fn unknown(&mut self, mut landed: AddFlight, epoch: &str) -> Option<AddFlight> {
        if landed.maybe_executed && landed.epoch == epoch {
            let message = "the reply was lost and Redis has forgotten this master meanwhile: the jobs may have been added";
            landed.batch.fail(&Error::new(ErrorKind::OutcomeUnknown, message));
            return None;
        }
        landed.maybe_executed = false;
        landed.orphaned = true;
        landed.future = Box::pin(std::future::pending());
        Some(landed)
    }

    /// Leaves within the option `timeout`; if Redis is away, the lease ends by itself.
    async fn leave(&mut self) {
        self.shared.messages_sent().await;
        let deadline = Instant::now() + self.shared.options.timeout;
        while let Err(failed) = self.shared.store.leave(&self.session.incarnation).await {
            let pause = self.session.backoff.next();
            if Instant::now() + pause > deadline || !failed.error.kind().is_retryable() {
                return;
            }
            tokio::time::sleep(pause).await;
        }
    }
}

/// Fails submissions that have waited for longer than the option `timeout` while there was trouble, or all if waiting does not mend it.
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
