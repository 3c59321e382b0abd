//! The task of a worker: registers, renews the lease, passes jobs to the program and its finishes to Redis.
//!
//! One round is under way at a time (see `round.rs`). Changes are gathered meanwhile and sent with the next round; nothing waits for a timer.

use std::time::Duration;

use libswarm_common::error::{Error, ErrorKind, Result};
use tokio::time::Instant;

use super::arrivals::Arrivals;
use super::finishes::refuse;
use super::outcome::log_assigned;
use super::quotas::Quotas;
use super::round::{Flight, abandon};
use super::state::Task;
use super::{Command, closed};
use crate::adding::{Adder, Landing};
use crate::member::{MemberTask, Source, packed_tasks};
use crate::model::event::QueuedEvent;
use crate::model::execution::DeleteReason;
use crate::model::message::Role;
use crate::store::{AddReply, Entry, Failed, Read, SyncReply};
use crate::util::clock::{from_now, reached};
use crate::util::completion::Done;

/// How often a worker that joined requests a rebalance while the load is uneven: other workers may join and leave meanwhile.
const REBALANCES: u32 = 12;
const REBALANCE_PAUSE: Duration = Duration::from_secs(5);

const UNKNOWN: &str = "Redis no longer knows it: its lease ran out there, or Redis lost its data";

/// Why an incarnation ended.
enum End {
    LeaseLost(Error),
    Leave(Done<()>),
}

impl MemberTask for Task {
    const NAME: &'static str = "the worker's own";

    async fn run(&mut self) {
        let done = loop {
            let next = match self.join().await {
                Ok(next) => next,
                Err(done) => break done,
            };
            match self.live(next).await {
                End::Leave(done) => {
                    self.messaging.sent().await;
                    let left = self.session.leave().await;
                    let left =
                        left.map_err(|error| error.context("the worker is closed, but its jobs move only when its lease ends"));
                    break Box::new(move |_| done(left)) as Done<()>;
                }
                End::LeaseLost(error) => {
                    self.self_fence(error.clone());
                    if let Some((_, done)) = self.closing.take() {
                        break done;
                    }
                    if !self.shared.options.rejoin {
                        self.adder.end(&error);
                        self.finishes.close(error.clone());
                        refuse(self.finishes.take(usize::MAX), &error);
                        self.messaging.end(error);
                        return;
                    }
                }
            }
        };
        self.adder.end(&closed());
        self.finishes.close(closed());
        refuse(self.finishes.take(usize::MAX), &closed());
        for drained in self.drained.drain(..) {
            drained(Ok(()));
        }
        self.shared.events.push([QueuedEvent::Close(None)]);
        self.messaging.end(closed());
        done(Ok(()));
    }

    fn abort(&mut self, error: &Error) {
        self.adder.end(error);
        self.finishes.close(error.clone());
        let finishes = self.finishes.take(usize::MAX);
        for (_, _, done) in finishes {
            if let Some(done) = done {
                done(Err(error.clone()));
            }
        }
        self.self_fence(error.clone());
        let closing = self.closing.take().map(|(_, done)| done);
        for done in self.drained.drain(..).chain(closing) {
            done(Err(error.clone()));
        }
    }

    fn end(&mut self, error: Error) {
        self.messaging.end(error);
    }
}

impl Task {
    /// Registers. `Err` if the worker is terminated before that succeeds.
    async fn join(&mut self) -> Result<Duration, Done<()>> {
        self.begin_reports();
        let mut retask = false;
        let next = self.registered(&mut retask).await?;
        self.taken_before = self.shared.events.counts().adds;
        (self.emitted, self.number) = (0, 0);
        self.arrivals = Arrivals::default();
        self.resume_orders();
        // The options were checked before, and so was each change.
        self.quotas = Quotas::new(&self.shared.options, self.shared.slots()).unwrap_or_default();
        self.stuck.priorities().for_each(|priority| self.quotas.take(priority));
        self.quotas.selective |= packed_tasks(&self.shared.tasks()).is_some();
        (self.retask, self.reslot, self.first_clock) = (retask, false, None);
        self.drain_reported = false;
        Ok(next)
    }

    /// Registers; meanwhile it processes commands. Sets `retask` if the tasks have changed since.
    async fn registered(&mut self, retask: &mut bool) -> Result<Duration, Done<()>> {
        let Task { session, commands, adder, draining, .. } = self;
        let mut checks = Adder::checks();
        let mut joining = std::pin::pin!(session.join(Role::Worker));
        loop {
            tokio::select! {
                next = &mut joining => return Ok(next),
                _ = adder.while_joining(&mut checks) => {}
                command = commands.recv() => match command {
                    // No job is assigned to it, and none will be.
                    Some(Command::Drain(done)) => {
                        *draining = true;
                        done(Ok(()));
                    }
                    Some(Command::Terminate(_, done)) => return Err(done),
                    // The old tasks may have been sent already: the first round sends the new ones.
                    Some(Command::Tasks) => *retask = true,
                    // The first credit considers it.
                    Some(Command::Control) => {}
                    None => return Err(Box::new(|_| ())),
                },
            }
        }
    }

    /// Runs one incarnation.
    async fn live(&mut self, next: Duration) -> End {
        let mut inbox = self.session.read_inbox();
        let mut flight: Option<Flight> = None;
        self.adder.begin(&self.session);
        self.wake = Instant::now() + next.min(self.session.renewal());
        // Even if it accepts no jobs yet: `ready` must not wait for a renewal.
        (self.due, self.announced) = (true, false);
        self.before_announced.clear();
        loop {
            self.adder.start(&self.session);
            if flight.is_none() {
                self.gather();
                if std::mem::take(&mut self.due) || self.has_to_send() {
                    flight = Some(self.start_round());
                } else if let Some(end) = self.may_end() {
                    return end;
                }
            }
            let (idle, close) = (flight.is_none(), self.close_deadline());
            let silent = idle && !self.adder.is_under_way();
            let round = self.first_clock.map_or(self.wake, |clock| self.wake.min(clock));
            tokio::select! {
                biased;
                // Without an active job nothing has to stop in time; jobs that arrive are processed only after this branch.
                () = reached(self.session.right_until, !self.active.is_empty()) => {
                    abandon(flight, true);
                    return End::LeaseLost(lost("its lease could not be renewed in time"));
                }
                (sent, answer) = answer_of(&mut flight) => if let Some(end) = self.round_answered(&mut flight, sent, answer) {
                    return end;
                },
                () = self.session.suspicion(silent) => self.due = true,
                answer = self.adder.next() => if let Some(end) = answer.and_then(|answer| self.batch_answered(answer)) {
                    abandon(flight, true);
                    return end;
                },
                Some(read) = inbox.receiver.recv() => self.inbox_read(read, flight.as_ref()),
                command = self.commands.recv(), if !self.abandoned => self.commanded(command),
                () = self.finishes.arrived.notified() => {}
                () = self.shared.events.room.notified() => {}
                () = self.shared.round_wanted.notified() => self.due = true,
                () = until(self.stuck.next_look) => self.find_stuck(),
                () = tokio::time::sleep_until(round), if idle => self.due = true,
                () = until(close) => {
                    if std::mem::replace(&mut self.overdue, true) && let Some((_, done)) = self.closing.take() {
                        abandon(flight, true);
                        return End::Leave(done);
                    }
                }
            }
        }
    }

    /// The end of the grace of a close, and after it the end of the time in which finishes are still sent.
    fn close_deadline(&self) -> Option<Instant> {
        let more = if self.overdue { self.shared.options.timeout } else { Duration::ZERO };
        self.closing.as_ref().map(|(deadline, _)| *deadline + more)
    }

    /// Handles the reply to the round under way. Returns why the incarnation ends, if it does.
    fn round_answered(&mut self, flight: &mut Option<Flight>, sent: Duration, answer: Result<SyncReply, Failed>) -> Option<End> {
        let landed = flight.take()?;
        match answer {
            Ok(SyncReply::Done { jobs, stale, deleted, next, returned, taken, credit, spread, now, wanted, keeps_completed }) => {
                self.shared.clock.answered(sent, now);
                self.keeps_completed = keeps_completed;
                self.shared.extend_schedules(wanted);
                self.session.renewed(sent);
                self.session.losses = landed.losses;
                if !std::mem::replace(&mut self.announced, true) {
                    self.session.announce();
                    std::mem::take(&mut self.before_announced).into_iter().for_each(|entry| self.messaging.received(entry));
                    self.rebalance();
                }
                self.quotas.arrived(&jobs);
                let jobs = self.arrivals.by_round(jobs, taken, returned, credit);
                self.landed(landed, jobs, &stale, &deleted);
                self.wake = from_now(self.session.next_round(next, spread));
                self.due |= returned > 0 && !self.draining;
                None
            }
            Ok(SyncReply::UnknownMember) => {
                abandon(Some(landed), false);
                Some(End::LeaseLost(lost(UNKNOWN)))
            }
            Ok(SyncReply::Old) => {
                abandon(Some(landed), false);
                Some(End::LeaseLost(lost("another process uses its incarnation")))
            }
            Err(failed) => {
                self.shared.report(Source::Calls, &failed.error);
                self.adder.fail_old(&failed.error);
                *flight = Some(self.again(landed, failed.maybe_executed));
                None
            }
        }
    }

    /// Handles the reply to the batch of adds under way. Returns why the incarnation ends, if it does.
    fn batch_answered(&mut self, answer: Result<AddReply, Failed>) -> Option<End> {
        match self.adder.landed(answer, &mut self.session) {
            Landing::Stored(Some(next)) => self.round_by(from_now(next)),
            Landing::Stored(None) | Landing::Other => {}
            Landing::Unknown => return Some(End::LeaseLost(lost(UNKNOWN))),
        }
        None
    }

    fn inbox_read(&mut self, Read { said, entries, last, again }: Read, flight: Option<&Flight>) {
        self.due |= again;
        for entry in said {
            match entry {
                Entry::Jobs(jobs) => {
                    self.quotas.arrived(&jobs);
                    log_assigned(&jobs);
                    let jobs = self.arrivals.by_inbox(jobs, flight.is_some_and(|flight| flight.call.number > 0));
                    self.receive(jobs);
                }
                Entry::Deletes(deletes) => self.deleted(deletes, DeleteReason::Deleted, flight.is_some()),
                Entry::Timeouts(stops) => self.deleted(stops, DeleteReason::TimedOut, flight.is_some()),
                Entry::Moves(moves) => self.moved(moves),
                Entry::Order(orders) => self.ordered(&orders),
                Entry::Wake => self.due = true,
                Entry::Results(_) | Entry::Choose => {}
                // No event precedes that of the incarnation.
                other if !self.announced => self.before_announced.push(other),
                other => self.messaging.received(other),
            }
        }
        self.session.entries_read(entries, last);
    }

    fn commanded(&mut self, command: Option<Command>) {
        match command {
            Some(Command::Drain(done)) => self.start_drain(done),
            Some(Command::Tasks) => self.retask = true,
            Some(Command::Control) => self.control_changed(),
            Some(Command::Terminate(_, done)) if self.closing.is_some() => done(Err(closed())),
            Some(Command::Terminate(grace, done)) => self.start_close(grace, done),
            None => {
                self.abandoned = true;
                if self.closing.is_none() {
                    self.start_close(Duration::ZERO, Box::new(|_| ()));
                }
            }
        }
    }

    /// Requests that jobs move here from workers with more than the mean, if the option is set.
    fn rebalance(&self) {
        if self.shared.options.rebalance && !self.shared.is_paused() {
            let (shared, incarnation) = (self.shared.clone(), self.session.incarnation.clone());
            let guarding = shared.clone();
            let work = async move {
                for _ in 0..REBALANCES {
                    match shared.store.rebalance(&incarnation).await {
                        Ok(true) if shared.incarnation() == incarnation => tokio::time::sleep(REBALANCE_PAUSE).await,
                        Ok(_) => break,
                        Err(error) => return shared.report(Source::Calls, &error),
                    }
                }
            };
            tokio::spawn(async move { guarding.guard("rebalancing", work).await });
        }
    }

    /// With no round under way and nothing to send: whether draining or closing is done. A worker that closes sends the jobs that were added before.
    fn may_end(&mut self) -> Option<End> {
        let added = !self.adder.is_busy();
        if (self.active.is_empty() || self.overdue) && self.drain_reported {
            for drained in self.drained.drain(..) {
                drained(Ok(()));
            }
            if let Some((_, done)) = self.closing.take_if(|_| added) {
                return Some(End::Leave(done));
            }
        }
        None
    }
}

/// Waits until this moment, or forever.
async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

fn lost(why: &str) -> Error {
    Error::new(ErrorKind::LeaseLost, format!("the worker lost its jobs: {why}"))
}

/// The reply to the round under way; never ready if there is none.
async fn answer_of(flight: &mut Option<Flight>) -> (Duration, Result<SyncReply, Failed>) {
    match flight {
        Some(flight) => flight.future.as_mut().await,
        None => std::future::pending().await,
    }
}
