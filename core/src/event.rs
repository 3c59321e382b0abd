//! What a member tells its program, and the queue it is told through.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::Notify;

use crate::job::{Job, JobData, JobError};
use crate::messages::{Change, MemberRef, Message, MessageData, Outbox};
use crate::worker::WorkerHandle;
use libswarm_common::error::{Error, ErrorKind};

/// Why a worker stopped holding a job that it had not finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeleteReason {
    /// A master or the worker itself deleted the job.
    Deleted,
    /// The worker is being terminated; the job goes to another worker.
    Terminated,
    /// The worker lost its lease; the job starts elsewhere.
    LeaseLost,
    /// The job's `run_timeout` or `total_timeout` is over.
    TimedOut,
    /// The job is to go to a worker that joined.
    Moved,
}

/// What a member tells its program, in order.
#[derive(Clone, Debug)]
pub enum Event {
    /// Registered under this incarnation; comes again after each new registration.
    Ready {
        /// The identity in Redis.
        incarnation: String,
    },
    /// A job was given. It is active until it is finished.
    Add(Job),
    /// Stop the work of this job, then say [`Finish::Stopped`](crate::Finish::Stopped) (a late completion counts as that).
    Delete {
        /// The job as it was given.
        job: Job,
        /// Why.
        reason: DeleteReason,
    },
    /// Redis has accepted the completion of this job. Only with [`Worker::report_outcomes`](crate::Worker::report_outcomes), as the next two.
    Completed {
        /// The job as it was given.
        job: Job,
    },
    /// Redis has accepted that this job failed: no retry is left.
    Failed {
        /// The job as it was given.
        job: Job,
        /// Why.
        error: JobError,
    },
    /// Redis has accepted that this attempt failed, and that the next one follows.
    Retrying {
        /// The job as it was given.
        job: Job,
        /// Why it failed.
        error: JobError,
        /// Until it may start again.
        delay: Duration,
    },
    /// The worker was closed: `None` by terminate, or the [`LeaseLost`](crate::ErrorKind::LeaseLost) error that forced
    /// it, after which `Ready` follows if the option `rejoin` is set. All its jobs had their `Delete` before.
    Close(Option<Error>),
    /// A message, if the member [listens](crate::Messages::listen).
    Message(Message),
    /// Somebody asks this program to end, if the member [listens](crate::Messages::listen).
    Kill {
        /// The exit code it is to end with.
        code: i32,
        /// Who asks.
        from: MemberRef,
    },
    /// A member came or went, if this one [watches](crate::Messages::watch).
    Member {
        /// How.
        change: Change,
        /// `master` or `worker`.
        role: String,
        /// Which.
        member: MemberRef,
    },
    /// Something is wrong in the background, such as a lost connection; told once until it changes.
    Error(Error),
}

/// An event as the queue keeps it: without the handle of its worker, which would keep the worker alive through its own queue.
pub(crate) enum Told {
    Add(Arc<JobData>),
    Delete(Arc<JobData>, DeleteReason),
    Outcome(Arc<JobData>, Reported),
    Message(Arc<MessageData>),
    Other(Event),
}

/// An outcome that Redis has accepted.
pub(crate) enum Reported {
    Completed,
    Failed(JobError),
    Retrying(JobError, Duration),
}

impl Told {
    /// As the program of this worker is told.
    pub(crate) fn by(self, worker: &WorkerHandle) -> Event {
        match self {
            Told::Message(data) => heard(data, worker.outbox()),
            Told::Add(data) => Event::Add(Job { data, worker: worker.clone() }),
            Told::Delete(data, reason) => Event::Delete { job: Job { data, worker: worker.clone() }, reason },
            Told::Outcome(data, outcome) => {
                let job = Job { data, worker: worker.clone() };
                match outcome {
                    Reported::Completed => Event::Completed { job },
                    Reported::Failed(error) => Event::Failed { job, error },
                    Reported::Retrying(error, delay) => Event::Retrying { job, error, delay },
                }
            }
            Told::Other(event) => event,
        }
    }

    /// What a master can be told of.
    pub(crate) fn by_master(self, outbox: &Arc<Outbox>) -> Option<Event> {
        match self {
            Told::Message(data) => Some(heard(data, outbox)),
            Told::Add(_) | Told::Delete(..) | Told::Outcome(..) => None,
            Told::Other(event) => Some(event),
        }
    }
}

fn heard(data: Arc<MessageData>, outbox: &Arc<Outbox>) -> Event {
    match data.exit_code() {
        Some(code) => Event::Kill { code, from: data.from.clone() },
        None => Event::Message(Message::taken(data, outbox)),
    }
}

impl Told {
    fn is_message(&self) -> bool {
        matches!(self, Told::Message(_) | Told::Other(Event::Member { .. }))
    }

    fn message_bytes(&self) -> usize {
        if let Told::Message(data) = self { data.payload.bytes.len() } else { 0 }
    }
}

impl From<Event> for Told {
    fn from(event: Event) -> Self {
        Told::Other(event)
    }
}

/// `Ready` and `Error` events kept for a program that does not take them.
const MAX_NEWS: usize = 64;
/// Messages, and members that came or went, kept for it. Later ones are dropped, which it is told.
const MAX_MESSAGES: usize = 10_000;
/// And the bytes of their payloads, as in an inbox in Redis.
const MAX_MESSAGE_BYTES: usize = 64 * 1024 * 1024;

type Wake = Arc<dyn Fn() + Send + Sync>;

/// Unbounded here; what bounds it is the worker's window, which counts only jobs that the program has taken.
pub(crate) struct EventQueue {
    state: Mutex<State>,
    readable: Notify,
    /// Told when the program has taken another quarter of the window, so that the worker asks for more jobs.
    pub(crate) room: Notify,
    room_step: u64,
    /// The program is there to run jobs.
    wanted: AtomicBool,
}

/// Counts of a member's whole life.
#[derive(Clone, Copy, Default)]
pub(crate) struct Taken {
    pub(crate) adds: u64,
    pub(crate) messages: u64,
    /// Messages, and members that came or went, that were dropped.
    pub(crate) dropped: u64,
}

#[derive(Default)]
struct State {
    events: VecDeque<Told>,
    /// Taken by the program so far.
    taken: Taken,
    /// `Add` events taken that `room` has not been told of.
    untold: u64,
    /// Messages and members in `events`.
    messages: usize,
    /// Bytes of these messages.
    message_bytes: usize,
    /// Messages and members dropped since the program took some.
    dropped: u64,
    /// A wake was sent and the queue has not been found empty since.
    woken: bool,
    wake: Option<Wake>,
    ended: bool,
}

impl State {
    fn push(&mut self, event: Told) {
        if event.is_message() {
            let bytes = event.message_bytes();
            if self.messages >= MAX_MESSAGES || self.messages > 0 && self.message_bytes + bytes > MAX_MESSAGE_BYTES {
                self.dropped += 1;
                self.taken.dropped += 1;
                return;
            }
            self.messages += 1;
            self.message_bytes += bytes;
        }
        self.events.push_back(event);
    }

    /// Tells what was dropped, now that the program takes events again.
    fn tell_dropped(&mut self) {
        if self.dropped > 0 {
            let text = format!("{} messages were dropped, because this program did not take them", self.dropped);
            self.events.push_back(Event::Error(Error::new(ErrorKind::MessagesDropped, text)).into());
            self.dropped = 0;
        }
    }

    /// A program that never takes events, as of a master it only calls, keeps the newest of what is only told.
    fn forget_old_news(&mut self) {
        let is_news = |told: &Told| matches!(told, Told::Other(Event::Ready { .. } | Event::Error(_)));
        if self.events.back().is_some_and(is_news) && self.events.iter().filter(|event| is_news(event)).count() > MAX_NEWS {
            let oldest = self.events.iter().position(is_news);
            oldest.map(|position| self.events.remove(position));
        }
    }
}

impl EventQueue {
    pub(crate) fn new(window: u32, wanted: bool) -> Self {
        EventQueue {
            state: Mutex::default(),
            readable: Notify::new(),
            room: Notify::new(),
            wanted: AtomicBool::new(wanted),
            room_step: u64::from(window).div_ceil(4),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub(crate) fn set_wake(&self, wake: Wake) {
        let mut state = self.lock();
        state.wake = Some(wake.clone());
        state.woken = !state.events.is_empty();
        if state.woken {
            drop(state);
            wake();
        }
    }

    pub(crate) fn push<T: Into<Told>>(&self, events: impl IntoIterator<Item = T>) {
        let mut state = self.lock();
        for event in events {
            state.push(event.into());
        }
        state.forget_old_news();
        if state.events.is_empty() || state.woken {
            return;
        }
        state.woken = true;
        let wake = state.wake.clone();
        drop(state);
        self.readable.notify_one();
        if let Some(wake) = wake {
            wake();
        }
    }

    /// Ends the stream: `next` answers `None` once the queue is empty.
    pub(crate) fn end(&self) {
        self.lock().ended = true;
        self.readable.notify_one();
    }

    /// Jobs are wanted from now on.
    pub(crate) fn want(&self) {
        if !self.wanted.load(Ordering::Relaxed) {
            self.wanted.store(true, Ordering::Relaxed);
            self.room.notify_one();
        }
    }

    pub(crate) fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed)
    }

    pub(crate) fn take(&self, max: usize) -> Vec<Told> {
        let mut state = self.lock();
        state.tell_dropped();
        let count = state.events.len().min(max);
        let events: Vec<Told> = state.events.drain(..count).collect();
        let adds = events.iter().filter(|told| matches!(told, Told::Add(_))).count() as u64;
        state.messages -= events.iter().filter(|told| told.is_message()).count();
        state.message_bytes -= events.iter().map(Told::message_bytes).sum::<usize>();
        state.taken.adds += adds;
        state.taken.messages += events.iter().filter(|told| matches!(told, Told::Message(_))).count() as u64;
        state.untold += adds;
        if state.events.is_empty() {
            state.woken = false;
        }
        if state.untold >= self.room_step {
            state.untold = 0;
            drop(state);
            self.room.notify_one();
        }
        events
    }

    pub(crate) async fn next(&self) -> Option<Told> {
        self.want();
        loop {
            if let Some(event) = self.take(1).pop() {
                return Some(event);
            }
            if self.lock().ended {
                self.readable.notify_one();
                return None;
            }
            self.readable.notified().await;
        }
    }

    /// `Add` events taken by the program so far.
    pub(crate) fn taken(&self) -> u64 {
        self.lock().taken.adds
    }

    pub(crate) fn counts(&self) -> Taken {
        self.lock().taken
    }

    /// Drops the `Add` events not yet taken, of all jobs or of the one with this fence, and returns those jobs, which the program has
    /// never seen.
    pub(crate) fn withdraw_adds(&self, fence: Option<u64>) -> Vec<Arc<JobData>> {
        let mut jobs = Vec::new();
        self.lock().events.retain(|event| match event {
            Told::Add(job) if fence.is_none_or(|fence| job.fence == fence) => {
                jobs.push(job.clone());
                false
            }
            _ => true,
        });
        jobs
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use libswarm_common::error::ErrorKind;

    #[test]
    fn news_that_nobody_takes_are_bounded_and_a_wake_is_sent_once() {
        let queue = EventQueue::new(10, true);
        let wakes = Arc::new(std::sync::atomic::AtomicU32::new(0));
        let count = wakes.clone();
        queue.set_wake(Arc::new(move || {
            count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }));
        for n in 0..100 {
            queue.push([Event::Error(Error::new(ErrorKind::Unavailable, n.to_string()))]);
        }
        queue.push([Event::Close(None)]);
        let events = queue.take(1000);
        assert_eq!(events.len(), MAX_NEWS + 1);
        assert!(matches!(&events[0], Told::Other(Event::Error(error)) if error.message() == "36"), "the newest are kept");
        assert!(matches!(events[MAX_NEWS], Told::Other(Event::Close(None))));
        queue.push([Event::Close(None)]);
        assert_eq!(wakes.load(std::sync::atomic::Ordering::Relaxed), 2, "one for each time it was empty");
    }
}
