//! The task of a worker: registers, keeps the lease, hands jobs to the program and its finishes to Redis.
//!
//! One round (`sync`) is under way at a time. What comes meanwhile gathers and goes with the next; nothing waits for a timer.

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::arrivals::Arrivals;
use super::batch::{Batch, Dones, MOST};
use super::rooms::Rooms;
use super::{Command, Done, Finishes, Front, closed, refuse, stale};
use crate::clock::{boottime, reached};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{DeleteReason, Event};
use crate::job::{Finish, JobData};
use crate::member::{Session, Shared, Source, packed_tasks};
use crate::store::record::{packed_strings, write_array, write_string};
use crate::store::{Entry, Failed, Given, SyncCall, SyncReply, after};

/// Inbox entries read before a round is sent only to have them trimmed.
const UNTRIMMED: u32 = 64;

/// How often a worker that joined asks for its share, while the load is uneven: others may come and go meanwhile.
const REBALANCES: u32 = 12;
const REBALANCE_PAUSE: Duration = Duration::from_secs(5);

pub(crate) struct Task {
    pub(super) shared: Arc<Shared>,
    pub(super) finishes: Arc<Finishes>,
    pub(super) front: Weak<Front>,
    commands: mpsc::UnboundedReceiver<Command>,
    session: Session,
    /// Jobs given and not yet ended, by fence.
    pub(super) held: HashMap<u64, Held>,
    /// Of these, those that wait here for a slot.
    pub(super) prefetched: VecDeque<Arc<JobData>>,
    /// Finishes taken from the program that do not fit the round, and jobs to give back or fail unseen.
    pub(super) batch: Batch,
    /// Deletions of jobs not known yet: the round under way may bring them.
    pub(super) early_deletes: Vec<(u64, String, DeleteReason)>,
    pub(super) arrivals: Arrivals,
    pub(super) rooms: Rooms,
    /// Jobs told to the program in this incarnation.
    pub(super) told: u64,
    /// `EventQueue::taken` when the incarnation began.
    taken_before: u64,
    number: u64,
    untrimmed: u32,
    last_entry: Option<String>,
    /// No more jobs are wanted; and whether Redis was told so.
    pub(super) draining: bool,
    drain_told: bool,
    /// The tasks have changed, and Redis does not know.
    retask: bool,
    pub(super) drained: Vec<Done<()>>,
    /// When the first clock runs out of the jobs given since the last round was sent: its answer may not speak of them.
    pub(super) first_clock: Option<Instant>,
    pub(super) closing: Option<(Instant, Done<()>)>,
}

/// A job given and not yet ended.
pub(crate) struct Held {
    pub(super) job: Arc<JobData>,
    /// It is over in Redis, and the program was told to stop.
    pub(super) told_to_stop: bool,
}

/// Answers when the round was sent, and what came back.
type Flying = Pin<Box<dyn Future<Output = (Duration, Result<SyncReply, Failed>)> + Send>>;

/// A round under way. On failure it is sent again as it is.
struct Flight {
    call: Arc<SyncCall>,
    /// An earlier attempt may have been executed.
    maybe_executed: bool,
    dones: Dones,
    ended: usize,
    future: Flying,
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
            held: HashMap::new(),
            prefetched: VecDeque::new(),
            rooms: Rooms::default(),
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
            drained: Vec::new(),
            first_clock: None,
            closing: None,
        }
    }

    pub(crate) async fn run(mut self) {
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
                    None => return Err(Box::new(|_| ())),
                },
            }
        };
        self.taken_before = self.shared.events.taken();
        (self.told, self.number, self.untrimmed) = (0, 0, 0);
        self.arrivals = Arrivals::default();
        // The options were checked.
        self.rooms = Rooms::new(&self.shared.options).unwrap_or_default();
        self.rooms.choosy |= packed_tasks(&self.shared.tasks()).is_some();
        (self.retask, self.first_clock) = (retask, None);
        (self.last_entry, self.drain_told) = (None, false);
        Ok(next)
    }

    async fn live(&mut self, next: Duration) -> End {
        let mut inbox = self.session.read_inbox();
        let mut flight: Option<Flight> = None;
        let mut wake = Instant::now() + next.min(self.session.renewal());
        let mut due = false;
        // The first round gives the first credit: from then on it takes part.
        let mut announced = false;
        let mut early = Vec::new();
        // Every handle was dropped.
        let mut abandoned = false;
        // The grace is over: what was finished is still sent, what is held is given back.
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
                () = reached(self.session.right_until) => {
                    abandon(flight, true);
                    return End::LeaseLost(lost("its lease could not be renewed in time"));
                }
                (sent, answer) = async { flight.as_mut().expect("guarded").future.as_mut().await }, if flight.is_some() => {
                    let landed = flight.take().expect("guarded");
                    match answer {
                        Ok(SyncReply::Done { jobs, stale, deleted, next, returned, taken, credit, spread }) => {
                            self.session.renewed(sent);
                            if !std::mem::replace(&mut announced, true) {
                                self.session.announce();
                                early.drain(..).for_each(|entry| self.shared.heard(entry));
                                self.rebalance();
                            }
                            self.rooms.arrived(&jobs);
                            let jobs = self.arrivals.by_round(jobs, taken, returned, credit);
                            self.landed(landed, jobs, &stale, &deleted);
                            wake = Instant::now() + self.session.next_round(next, spread);
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
                Some((entries, last)) = inbox.receiver.recv() => {
                    for entry in entries {
                        self.untrimmed += 1;
                        match entry {
                            Entry::Jobs(jobs) => {
                                self.rooms.arrived(&jobs);
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
                    self.last_entry = Some(last);
                }
                command = self.commands.recv(), if !abandoned => match command {
                    Some(Command::Drain(done)) => self.start_drain(done),
                    Some(Command::Tasks) => self.retask = true,
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
                () = tokio::time::sleep_until(self.first_clock.map_or(wake, |clock| wake.min(clock))), if flight.is_none() => due = true,
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
            tokio::spawn(async move {
                for _ in 0..REBALANCES {
                    match shared.store.rebalance(&incarnation).await {
                        Ok(true) if shared.incarnation() == incarnation => tokio::time::sleep(REBALANCE_PAUSE).await,
                        Ok(_) => break,
                        Err(error) => return shared.report(Source::Calls, &error),
                    }
                }
            });
        }
    }

    /// Moves what the program finished into the batch of the next round.
    fn gather(&mut self) {
        for (fence, finish, done) in self.finishes.take(MOST) {
            let Some(Held { job, told_to_stop }) = self.held.remove(&fence) else {
                if let Some(done) = done {
                    done(if finish == Finish::Stopped { Ok(()) } else { Err(stale(fence)) });
                }
                continue;
            };
            let stopped = told_to_stop && self.closing.is_none();
            let done = match (done, stopped && finish != Finish::Stopped) {
                (Some(done), true) => {
                    let error = Error::new(ErrorKind::JobDeleted, format!("job `{}` was deleted", job.id));
                    done(Err(error));
                    None
                }
                (done, _) => done,
            };
            if self.batch.finish(&job, stopped, finish, done) {
                job.end();
                self.rooms.ended(job.priority());
            } else {
                self.held.insert(fence, Held { job, told_to_stop });
            }
        }
        self.start_prefetched();
        self.shared.held.store(self.held.len() as u64, std::sync::atomic::Ordering::Relaxed);
        self.finishes.ended.notify_waiters();
    }

    /// Whether a round is worth sending now.
    fn has_to_say(&self) -> bool {
        !self.batch.is_empty()
            || self.untrimmed >= UNTRIMMED
            || self.draining && !self.drain_told
            || self.retask
            || self.grantable(true) > 0
            || self.rooms.worth_telling() && !self.draining
            || self.finishes.has_progress()
    }

    /// How many jobs more this worker can take than Redis knows. With `if_many`, 0 unless it is worth a round of its own.
    fn grantable(&self, if_many: bool) -> u64 {
        if self.draining {
            return 0;
        }
        let window = u64::from(self.shared.options.window);
        let slots =
            self.shared.options.slots.map_or(u64::MAX, |slots| u64::from(slots) + u64::from(self.shared.options.prefetch));
        let (outstanding, arrived) = self.arrivals.expected();
        let untaken = self.told.saturating_sub(self.shared.events.taken() - self.taken_before) + arrived;
        let free = slots
            .saturating_sub(self.held.len() as u64 + arrived)
            .min(window.saturating_sub(untaken))
            .saturating_sub(outstanding);
        let worthwhile = outstanding == 0 || free >= slots.min(window) / 2;
        if if_many && !worthwhile { 0 } else { free }
    }

    fn take_off(&mut self) -> Flight {
        let retask = std::mem::take(&mut self.retask);
        let grant = if retask { 0 } else { self.grantable(false) };
        self.arrivals.grant(grant);
        self.first_clock = None;
        let tasks = if retask { self.new_tasks() } else { Vec::new() };
        // With other tasks, it is ranked elsewhere: all credit is withdrawn, and given anew with the next round.
        let credit = if self.draining && !self.drain_told || retask {
            self.drain_told |= self.draining;
            self.arrivals.withdraw();
            self.rooms.withdraw();
            "-".to_owned()
        } else if grant > 0 {
            grant.to_string()
        } else {
            String::new()
        };
        let rooms = if credit == "-" { self.rooms.none() } else { self.rooms.grant() };
        let progress = self.progress();
        let batch = std::mem::take(&mut self.batch);
        let ended = batch.len();
        let (packed, dones) = batch.pack(&self.session.incarnation);
        let mut number = 0;
        if !packed.is_empty() || !credit.is_empty() || rooms.len() > 1 {
            self.number += 1;
            number = self.number;
        }
        self.untrimmed = 0;
        let keep_from = self.last_entry.take().map_or_else(String::new, |id| after(&id));
        self.shared.pending.store(ended as u64, std::sync::atomic::Ordering::Relaxed);
        let call = Arc::new(SyncCall { number, keep_from, credit, ended: packed, rooms, progress, tasks });
        Flight { future: self.fly(call.clone(), Duration::ZERO), call, maybe_executed: false, dones, ended }
    }

    /// The tasks, packed for `scripts/sync.lua`, and from now on the worker's.
    fn new_tasks(&mut self) -> Vec<u8> {
        let tasks = self.shared.tasks();
        self.rooms.choosy = true;
        if tasks.is_empty() { packed_strings(&[String::new()]) } else { packed_strings(&tasks) }
    }

    /// How far held jobs are, packed for `scripts/sync.lua`.
    fn progress(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        let gathered: Vec<_> = self
            .finishes
            .take_progress()
            .into_iter()
            .filter_map(|(fence, value)| Some((self.held.get(&fence).filter(|held| !held.told_to_stop)?, value)))
            .collect();
        if !gathered.is_empty() {
            write_array(&mut out, 3 * gathered.len());
            for (held, value) in gathered {
                held.job.progressed.store(true, std::sync::atomic::Ordering::Relaxed);
                write_string(&mut out, held.job.id.as_bytes());
                write_string(&mut out, format!("{}:{}", held.job.fence, self.session.incarnation).as_bytes());
                write_string(&mut out, &value);
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

    fn again(&mut self, failed: Flight, maybe_executed: bool) -> Flight {
        let pause = self.session.backoff.next();
        let maybe_executed = failed.maybe_executed || maybe_executed;
        Flight { future: self.fly(failed.call.clone(), pause), maybe_executed, ..failed }
    }

    fn landed(&mut self, flight: Flight, jobs: Vec<Given>, stale_at: &[usize], deleted_at: &[usize]) {
        tracing::trace!(ended = flight.ended, given = jobs.len(), "round");
        self.shared.pending.store(0, std::sync::atomic::Ordering::Relaxed);
        let refused = stale_at.len() + deleted_at.len();
        self.shared.counts.ended.fetch_add(flight.ended.saturating_sub(refused) as u64, std::sync::atomic::Ordering::Relaxed);
        for (position, done) in flight.dones {
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

    /// With no round under way and nothing to say: whether draining or closing is done.
    fn may_end(&mut self, overdue: bool) -> Option<End> {
        if (self.held.is_empty() || overdue) && self.drain_told {
            for drained in self.drained.drain(..) {
                drained(Ok(()));
            }
            if let Some((_, done)) = self.closing.take() {
                return Some(End::Leave(done));
            }
        }
        None
    }

    /// Gives everything back and is forgotten, within the option `timeout`.
    async fn leave(&mut self) -> Result<()> {
        self.shared.messages_sent().await;
        let deadline = Instant::now() + self.shared.options.timeout;
        loop {
            let failed = match self.shared.store.leave(&self.session.incarnation).await {
                Ok(true) => return Ok(()),
                Ok(false) => continue,
                Err(failed) => failed,
            };
            let pause = self.session.backoff.next();
            if Instant::now() + pause > deadline {
                return Err(failed.error.context("the worker is closed, but its jobs move only when its lease ends"));
            }
            tokio::time::sleep(pause).await;
        }
    }
}

/// The outcome of this round will not be learnt: the incarnation is over. `unanswered`: the last attempt may have been executed.
fn abandon(flight: Option<Flight>, unanswered: bool) {
    let Some(flight) = flight else { return };
    for (_, done) in flight.dones {
        done(Err(if unanswered || flight.maybe_executed {
            let message = "the worker's membership ended before Redis answered: this end of the job may have been accepted";
            Error::new(ErrorKind::OutcomeUnknown, message)
        } else {
            stale(0)
        }));
    }
}

fn lost(why: &str) -> Error {
    Error::new(ErrorKind::LeaseLost, format!("the worker gave up its jobs: {why}"))
}
