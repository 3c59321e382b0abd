//! The task of a master: registers, keeps the lease, sends what was submitted, receives outcomes.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::adds::Adds;
use super::choice::Chooser;
use super::closed;
use super::flight::{AddFlight, Landed};
use super::waits::Waits;
use crate::clock::{boottime, from_now};
use crate::event::Event;
use crate::member::{Backoff, InboxTask, Probe, Session, Shared, Source};
use crate::store::record::read_outcome;
use crate::store::{Entry, Failed, Read, SyncCall, SyncReply, after};
use crate::worker::Done;
use libswarm_common::error::{Error, ErrorKind, Result};
use libswarm_common::id::Ids;

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
        while let Some(next) = self.join(&mut flight).await {
            self.waits.ask_all();
            let Some(error) = self.live(next, &mut flight).await else { break };
            if self.shared.obliterated.swap(false, Ordering::AcqRel) {
                // It is what its program asked for; another cluster of the name begins when the program wants something of it.
                if flight.is_none() && !self.is_wanted().await {
                    break;
                }
            } else {
                self.shared.events.push([Event::Error(error)]);
            }
        }
        let done = self.closing.take().flatten();
        if let Some(flight) = flight {
            flight.fail(&closed());
        }
        self.adds.fail_waiting(None, &closed());
        self.waits.close(&closed());
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
                    self.adds.close(&closed());
                    self.closing = Some(command);
                    return self.adds.len() > 0;
                }
            }
        }
        true
    }

    /// Registers; `None` if the master is closed before that succeeds: at once if nothing was submitted, else after the option
    /// `timeout`. Submissions that wait too long meanwhile fail.
    async fn join(&mut self, flight: &mut Option<AddFlight>) -> Option<Duration> {
        let Task { session, commands, adds, shared, closing, waits, .. } = self;
        let mut joining = std::pin::pin!(session.join("master"));
        let mut tick = tokio::time::interval(Duration::from_millis(100));
        let mut give_up = Instant::now() + shared.options.timeout;
        loop {
            tokio::select! {
                next = &mut joining => {
                    self.number = 0;
                    return Some(next);
                }
                // Sent under the incarnation before: its outcome may still come.
                answer = async { flight.as_mut().expect("guarded").future.as_mut().await }, if flight.is_some() => {
                    let landed = flight.take().expect("guarded").landed(shared, adds, answer);
                    if let Landed::Again(again) | Landed::Orphaned(again) = landed {
                        *flight = Some(again);
                    }
                }
                command = commands.recv(), if closing.is_none() => {
                    *closing = Some(command);
                    adds.close(&closed());
                    give_up = Instant::now() + shared.options.timeout;
                }
                _ = tick.tick() => if let Some(error) = shared.trouble() {
                    fail_old(shared, adds, &error);
                    if flight.as_ref().is_some_and(|flight| {
                        flight.is_orphaned() && !error.kind().is_retryable() || flight.waits_longer_than(shared.options.timeout)
                    }) && let Some(flight) = flight.take()
                    {
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

    /// `None` when the master was closed, or why it has to register anew. `flight` outlives the incarnation: its outcome is known under
    /// the one that sent it.
    async fn live(&mut self, next: Duration, flight: &mut Option<AddFlight>) -> Option<Error> {
        self.session.announce();
        // Redis does not know yet that this incarnation chooses.
        self.chooser.wanted.notify_one();
        if let Some(flight) = flight
            && flight.is_orphaned()
        {
            self.adopt(flight);
        }
        let mut inbox: Option<InboxTask> = None;
        let mut sync: Option<SyncFlight> = None;
        let mut ask: Option<AskFlight> = None;
        let mut probe: Option<Probe> = None;
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
                        // Calls under way that nobody polls any more must not hold up the last one.
                        drop((inbox.take(), sync.take(), ask.take(), probe.take()));
                        let _ = self.session.leave().await;
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
                    match landed.landed(&self.shared, &self.adds, answer) {
                        Landed::Stored(next) => {
                            self.session.seen();
                            if let Some(next) = next {
                                let due = from_now(next);
                                wake = wake.min(due);
                                unseen = sync.is_some().then(|| unseen.map_or(due, |unseen| unseen.min(due)));
                            }
                        }
                        Landed::Failed => {}
                        Landed::Again(again) => *flight = Some(again),
                        Landed::Orphaned(mut orphan) => {
                            let lost_now = orphan.incarnation() == self.session.incarnation;
                            if !lost_now {
                                self.adopt(&mut orphan);
                            }
                            *flight = Some(orphan);
                            if lost_now {
                                return Some(lost());
                            }
                        }
                    }
                }
                (sent, answer) = async { sync.as_mut().expect("guarded").as_mut().await }, if sync.is_some() => {
                    sync = None;
                    match answer {
                        Ok(SyncReply::Done { next, spread, .. }) => {
                            self.session.renewed(sent);
                            wake = from_now(self.session.next_round(next, spread));
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
                                ids.iter().for_each(|id| self.waits.refuse(id, &failed.error));
                            }
                        }
                    }
                }
                Some(Read { said, entries, last, again }) = async { inbox.as_mut().expect("guarded").receiver.recv().await }, if inbox.is_some() => {
                    untrimmed += entries;
                    last_entry = Some(last).filter(|_| entries > 0).or(last_entry);
                    if again {
                        (wake, unseen) = round_now(sync.is_some());
                    }
                    for entry in said {
                        match entry {
                            Entry::Results(results) => {
                                for (id, outcome) in results {
                                    self.waits.settle(&id, &read_outcome(&id, &outcome));
                                }
                            }
                            Entry::Wake => (wake, unseen) = round_now(sync.is_some()),
                            Entry::Choose => self.chooser.asked(),
                            Entry::Jobs(_) | Entry::Deletes(_) | Entry::Timeouts(_) | Entry::Moves(_) => {}
                            other => self.shared.heard(other),
                        }
                    }
                }
                command = self.commands.recv(), if self.closing.is_none() => {
                    self.adds.close(&closed());
                    self.closing = Some(command);
                }
                answer = async { probe.as_mut().expect("guarded").as_mut().await }, if probe.is_some() => {
                    probe = None;
                    if self.session.probed(answer) {
                        (wake, unseen) = round_now(sync.is_some());
                    }
                }
                // A batch under way finds out by itself what became of the connection.
                losses = self.shared.store.lost(self.session.losses), if sync.is_none() && flight.is_none() => {
                    self.session.losses = losses;
                    wake = Instant::now();
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
                () = tokio::time::sleep_until(self.session.probe_at()), if probe.is_none() && sync.is_none() && flight.is_none() => {
                    probe = Some(self.session.probe());
                }
            }
        }
    }

    fn take_off(&mut self) -> Option<AddFlight> {
        let batch = self.adds.next_batch(&self.session.incarnation, self.number + 1, &mut self.fresh)?;
        self.number += 1;
        self.shared.pending.store(batch.count as u64, Ordering::Relaxed);
        Some(AddFlight::new(&self.shared, batch, self.session.epoch.clone()))
    }

    fn adopt(&mut self, flight: &mut AddFlight) {
        self.number += 1;
        flight.adopt(&self.shared, &self.session.incarnation, self.number, &self.session.epoch);
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
        let refusal = match answer {
            b"w" => return,
            b"n" => Error::new(
                ErrorKind::NotFound,
                format!("there is no job `{id}`, and no result of one: it never was, was deleted, or its result has expired"),
            ),
            b"x" => Error::new(
                ErrorKind::InvalidArgument,
                format!("job `{id}` was added without `result`, so its result is not kept"),
            ),
            outcome => return self.waits.settle(id, &read_outcome(id, outcome)),
        };
        self.waits.refuse(id, &refusal);
    }
}

/// When the next round is to be sent, and when another if one is under way that may not have seen why.
fn round_now(under_way: bool) -> (Instant, Option<Instant>) {
    let now = Instant::now();
    (now, under_way.then_some(now))
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
