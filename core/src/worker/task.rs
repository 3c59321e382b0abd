//! The task of a worker: registers, keeps the lease, hands jobs to the program and its finishes to Redis.
//!
//! One round is under way at a time (see `round.rs`). What comes meanwhile gathers and goes with the next; nothing waits for a timer.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::arrivals::Arrivals;
use super::batch::Batch;
use super::outcome::log_assigned;
use super::quotas::Quotas;
use super::round::{Flight, abandon};
use super::stuck::{Stopping, Stuck};
use super::{Command, Done, Finishes, Front, closed, refuse};
use crate::clock::{from_now, reached};
use crate::event::{DeleteReason, Event};
use crate::job::JobData;
use crate::member::{Probe, Session, Shared, Source, packed_tasks};
use crate::store::{Entry, Read, SyncReply};
use libswarm_common::error::{Error, ErrorKind, Result};

/// How often a worker that joined asks for its share, while the load is uneven: others may come and go meanwhile.
const REBALANCES: u32 = 12;
const REBALANCE_PAUSE: Duration = Duration::from_secs(5);

pub(crate) struct Task {
    pub(super) shared: Arc<Shared>,
    pub(super) finishes: Arc<Finishes>,
    pub(super) front: Weak<Front>,
    commands: mpsc::UnboundedReceiver<Command>,
    pub(super) session: Session,
    /// Jobs given and not yet ended, by fence.
    pub(super) active: HashMap<u64, Active>,
    pub(super) stuck: Stuck,
    /// Of the active, those that wait here for a slot.
    pub(super) prefetched: VecDeque<Arc<JobData>>,
    /// Finishes taken from the program that do not fit the round, and jobs to give back or fail unseen.
    pub(super) batch: Batch,
    /// Deletions of jobs not known yet: the round under way may bring them.
    pub(super) early_deletes: Vec<(u64, String, DeleteReason)>,
    pub(super) arrivals: Arrivals,
    pub(super) quotas: Quotas,
    /// Jobs told to the program in this incarnation.
    pub(super) told: u64,
    /// `EventQueue::taken` when the incarnation began.
    pub(super) taken_before: u64,
    pub(super) number: u64,
    pub(super) untrimmed: u32,
    pub(super) last_entry: Option<String>,
    /// No more jobs are wanted; and whether Redis was told so.
    pub(super) draining: bool,
    pub(super) drain_told: bool,
    /// The tasks have changed, and Redis does not know.
    pub(super) retask: bool,
    /// Redis has more credit than it should.
    pub(super) reslot: bool,
    pub(super) drained: Vec<Done<()>>,
    /// When the first clock runs out of the jobs given since the last round was sent: its answer may not speak of them.
    pub(super) first_clock: Option<Instant>,
    pub(super) closing: Option<(Instant, Done<()>)>,
}

/// A job given and not yet ended.
pub(crate) struct Active {
    pub(super) job: Arc<JobData>,
    /// It is over in Redis, and the program was told to stop.
    pub(super) told_to_stop: bool,
    /// The program was asked to stop, for whatever reason.
    pub(super) stopping: Option<Stopping>,
}

/// Why an incarnation ended.
enum End {
    LeaseLost(Error),
    Leave(Done<()>),
}

impl Task {
    pub(crate) fn new(
        shared: Arc<Shared>,
        finishes: Arc<Finishes>,
        front: Weak<Front>,
        commands: mpsc::UnboundedReceiver<Command>,
    ) -> Self {
        Task {
            session: Session::new(shared.clone()),
            shared,
            finishes,
            front,
            commands,
            active: HashMap::new(),
            stuck: Stuck::default(),
            prefetched: VecDeque::new(),
            quotas: Quotas::default(),
            batch: Batch::default(),
            early_deletes: Vec::new(),
            arrivals: Arrivals::default(),
            told: 0,
            taken_before: 0,
            number: 0,
            untrimmed: 0,
            last_entry: None,
            draining: false,
            drain_told: false,
            retask: false,
            reslot: false,
            drained: Vec::new(),
            first_clock: None,
            closing: None,
        }
    }

    /// Runs until the worker has ended, if need be by a panic.
    pub(crate) async fn run_guarded(mut self) {
        let shared = self.shared.clone();
        let Err(error) = shared.guard_main("the worker's own", self.run()).await else { return };
        shared.died(&error);
        // Its lease is left to end: if a job is the cause, that counts against the job.
        let last = async { self.die(&error) };
        let _ = crate::member::guarded("the worker's end", last).await;
        shared.end(error);
    }

    fn die(&mut self, error: &Error) {
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

    async fn run(&mut self) {
        let done = loop {
            let next = match self.join().await {
                Ok(next) => next,
                Err(done) => break done,
            };
            match self.live(next).await {
                End::Leave(done) => {
                    let left = self.leave().await;
                    break Box::new(move |_| done(left)) as Done<()>;
                }
                End::LeaseLost(error) => {
                    self.self_fence(error.clone());
                    if let Some((_, done)) = self.closing.take() {
                        break done;
                    }
                    if !self.shared.options.rejoin {
                        self.finishes.close(error.clone());
                        refuse(self.finishes.take(usize::MAX), &error);
                        self.shared.end(error);
                        return;
                    }
                }
            }
        };
        self.finishes.close(closed());
        refuse(self.finishes.take(usize::MAX), &closed());
        for drained in self.drained.drain(..) {
            drained(Ok(()));
        }
        self.shared.events.push([Event::Close(None)]);
        self.shared.end(closed());
        done(Ok(()));
    }

    /// Registers. `Err` if the worker is terminated before that succeeds.
    async fn join(&mut self) -> Result<Duration, Done<()>> {
        let Task { session, commands, draining, .. } = self;
        let mut retask = false;
        let mut joining = std::pin::pin!(session.join("worker"));
        let next = loop {
            tokio::select! {
                next = &mut joining => break next,
                command = commands.recv() => match command {
                    // It holds nothing, and will be given nothing.
                    Some(Command::Drain(done)) => {
                        *draining = true;
                        done(Ok(()));
                    }
                    Some(Command::Terminate(_, done)) => return Err(done),
                    // Registration may have been sent with the old ones: the first round tells the new.
                    Some(Command::Tasks) => retask = true,
                    // The first credit goes by it.
                    Some(Command::Slots) => {}
                    None => return Err(Box::new(|_| ())),
                },
            }
        };
        self.taken_before = self.shared.events.taken();
        (self.told, self.number, self.untrimmed) = (0, 0, 0);
        self.arrivals = Arrivals::default();
        // The options were checked.
        self.quotas = Quotas::new(&self.shared.options).unwrap_or_default();
        self.stuck.priorities().for_each(|priority| self.quotas.take(priority));
        self.quotas.selective |= packed_tasks(&self.shared.tasks()).is_some();
        (self.retask, self.reslot, self.first_clock) = (retask, false, None);
        (self.last_entry, self.drain_told) = (None, false);
        Ok(next)
    }

    async fn live(&mut self, next: Duration) -> End {
        let mut inbox = self.session.read_inbox();
        let mut flight: Option<Flight> = None;
        let mut probe: Option<Probe> = None;
        let mut wake = Instant::now() + next.min(self.session.renewal());
        // Also if it asks for no jobs yet: `ready` does not wait for a renewal.
        let mut due = true;
        // The first round gives the first credit: from then on it takes part.
        let mut announced = false;
        let mut early = Vec::new();
        // Every handle was dropped.
        let mut abandoned = false;
        // The grace is over: what was finished is still sent, what is active is given back.
        let mut overdue = false;
        loop {
            if flight.is_none() {
                self.gather();
                if due || self.has_to_say() {
                    due = false;
                    flight = Some(self.take_off());
                } else if let Some(end) = self.may_end(overdue) {
                    return end;
                }
            }
            let patience = if overdue { self.shared.options.timeout } else { Duration::ZERO };
            let closing = self.closing.as_ref().map(|(deadline, _)| *deadline + patience);
            tokio::select! {
                biased;
                // Without a job there is nothing that must stop; jobs that come are looked at only after this.
                () = reached(self.session.right_until, !self.active.is_empty()) => {
                    abandon(flight, true);
                    return End::LeaseLost(lost("its lease could not be renewed in time"));
                }
                (sent, answer) = async { flight.as_mut().expect("guarded").future.as_mut().await }, if flight.is_some() => {
                    let landed = flight.take().expect("guarded");
                    match answer {
                        Ok(SyncReply::Done { jobs, stale, deleted, next, returned, taken, credit, spread }) => {
                            self.session.renewed(sent);
                            self.session.losses = landed.losses;
                            if !std::mem::replace(&mut announced, true) {
                                self.session.announce();
                                early.drain(..).for_each(|entry| self.shared.heard(entry));
                                self.rebalance();
                            }
                            self.quotas.arrived(&jobs);
                            let jobs = self.arrivals.by_round(jobs, taken, returned, credit);
                            self.landed(landed, jobs, &stale, &deleted);
                            wake = from_now(self.session.next_round(next, spread));
                            due |= returned > 0 && !self.draining;
                        }
                        Ok(SyncReply::UnknownMember) => {
                            abandon(Some(landed), false);
                            return End::LeaseLost(lost("Redis no longer knows it: its lease ran out there, or Redis lost its data"));
                        }
                        Ok(SyncReply::Old) => {
                            abandon(Some(landed), false);
                            return End::LeaseLost(lost("another process uses its incarnation"));
                        }
                        Err(failed) => {
                            self.shared.report(Source::Calls, &failed.error);
                            flight = Some(self.again(landed, failed.maybe_executed));
                        }
                    }
                }
                answer = async { probe.as_mut().expect("guarded").as_mut().await }, if probe.is_some() => {
                    probe = None;
                    due |= self.session.probed(answer);
                }
                // A round under way finds out by itself what became of the connection.
                losses = self.shared.store.lost(self.session.losses), if flight.is_none() => {
                    self.session.losses = losses;
                    due = true;
                }
                Some(Read { said, entries, last, again }) = inbox.receiver.recv() => {
                    due |= again;
                    self.untrimmed += entries;
                    for entry in said {
                        match entry {
                            Entry::Jobs(jobs) => {
                                self.quotas.arrived(&jobs);
                                log_assigned(&jobs);
                                let jobs = self.arrivals.by_inbox(jobs, flight.as_ref().is_some_and(|flight| flight.call.number > 0));
                                self.receive(jobs);
                            }
                            Entry::Deletes(deletes) => self.deleted(deletes, DeleteReason::Deleted, flight.is_some()),
                            Entry::Timeouts(stops) => self.deleted(stops, DeleteReason::TimedOut, flight.is_some()),
                            Entry::Moves(moves) => self.moved(moves),
                            Entry::Wake => due = true,
                            Entry::Results(_) | Entry::Choose => {}
                            // Nothing is told before the incarnation is.
                            other if !announced => early.push(other),
                            other => self.shared.heard(other),
                        }
                    }
                    if entries > 0 {
                        self.last_entry = Some(last);
                    }
                }
                command = self.commands.recv(), if !abandoned => match command {
                    Some(Command::Drain(done)) => self.start_drain(done),
                    Some(Command::Tasks) => self.retask = true,
                    Some(Command::Slots) => self.slots_changed(),
                    Some(Command::Terminate(_, done)) if self.closing.is_some() => done(Err(closed())),
                    Some(Command::Terminate(grace, done)) => self.start_close(grace, done),
                    None => {
                        abandoned = true;
                        if self.closing.is_none() {
                            self.start_close(Duration::ZERO, Box::new(|_| ()));
                        }
                    }
                },
                () = self.finishes.arrived.notified() => {}
                () = self.shared.events.room.notified() => {}
                () = until(self.stuck.next_look) => self.look_for_stuck(),
                () = tokio::time::sleep_until(self.first_clock.map_or(wake, |clock| wake.min(clock))), if flight.is_none() => due = true,
                () = tokio::time::sleep_until(self.session.probe_at()), if probe.is_none() && flight.is_none() => probe = Some(self.session.probe()),
                () = async { tokio::time::sleep_until(closing.expect("guarded")).await }, if closing.is_some() => {
                    if !overdue {
                        overdue = true;
                        continue;
                    }
                    abandon(flight, true);
                    let (_, done) = self.closing.take().expect("guarded");
                    return End::Leave(done);
                }
            }
        }
    }

    /// Has jobs moved here from workers that hold more than the mean, if the option says so.
    fn rebalance(&self) {
        if self.shared.options.rebalance {
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

    /// With no round under way and nothing to say: whether draining or closing is done.
    fn may_end(&mut self, overdue: bool) -> Option<End> {
        if (self.active.is_empty() || overdue) && self.drain_told {
            for drained in self.drained.drain(..) {
                drained(Ok(()));
            }
            if let Some((_, done)) = self.closing.take() {
                return Some(End::Leave(done));
            }
        }
        None
    }

    /// Gives everything back and is forgotten.
    async fn leave(&mut self) -> Result<()> {
        self.session
            .leave()
            .await
            .map_err(|error| error.context("the worker is closed, but its jobs move only when its lease ends"))
    }
}

/// Until this moment, or for ever.
async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

fn lost(why: &str) -> Error {
    Error::new(ErrorKind::LeaseLost, format!("the worker gave up its jobs: {why}"))
}
