//! The queue of events that the program of a member has not taken.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use libswarm_common::error::{Error, ErrorKind};
#[cfg(any(test, feature = "bindings"))]
use libswarm_common::event_queue::Wake;
use libswarm_common::event_queue::{Bounds, EventQueue};
use tokio::sync::Notify;

use crate::model::event::QueuedEvent;
use crate::model::job::JobData;
use crate::util::clock::boottime;
use crate::util::stages::{Stage, mark};

/// The limit of `Ready` and `Error` events; the newest are kept.
const MAX_NEWS: usize = 64;
/// The limit of messages and changes of members. Later ones are dropped, and reported as dropped.
const MAX_MESSAGES: usize = 10_000;
/// The limit of the bytes of their payloads, as in an inbox in Redis.
const MAX_MESSAGE_BYTES: usize = 64 * 1024 * 1024;

/// The queue of a member's events. The number of `Add` events is not bounded here but by the worker's window, which counts the jobs that the
/// program has not taken.
pub(crate) struct MemberEvents {
    queue: EventQueue<Kept>,
    /// Notified when the program has taken another quarter of the window, so that the worker asks for more jobs.
    pub(crate) room: Arc<Notify>,
    /// Whether the program runs jobs.
    wanted: AtomicBool,
}

/// Counts since the member was created.
#[derive(Clone, Copy, Default)]
pub(crate) struct Taken {
    /// `Add` events that the program took.
    pub(crate) adds: u64,
    /// Messages that the program took.
    pub(crate) messages: u64,
    /// Messages and changes of members that were dropped.
    pub(crate) dropped: u64,
}

struct Kept {
    room: Arc<Notify>,
    room_step: u64,
    taken: Taken,
    /// `Add` events taken since `room` was notified.
    since_room: u64,
    /// `Ready` and `Error` events in the queue.
    news: usize,
    /// Messages and changes of members in the queue, and their bytes.
    messages: usize,
    message_bytes: usize,
    /// Messages and changes of members that were dropped since the program last took events.
    dropped: u64,
}

fn is_news(event: &QueuedEvent) -> bool {
    matches!(event, QueuedEvent::Ready { .. } | QueuedEvent::Error(_))
}

/// The bytes of a message, 0 for a change of a member, `None` for other events.
fn message_bytes(event: &QueuedEvent) -> Option<usize> {
    match event {
        QueuedEvent::Message(data) => Some(data.payload.bytes.len()),
        QueuedEvent::Member { .. } => Some(0),
        _ => None,
    }
}

impl Bounds for Kept {
    type Event = QueuedEvent;

    fn push(&mut self, queue: &mut VecDeque<QueuedEvent>, event: QueuedEvent) {
        if let Some(bytes) = message_bytes(&event) {
            if self.messages >= MAX_MESSAGES || self.messages > 0 && self.message_bytes + bytes > MAX_MESSAGE_BYTES {
                self.dropped += 1;
                self.taken.dropped += 1;
                return;
            }
            self.messages += 1;
            self.message_bytes += bytes;
        }
        self.news += usize::from(is_news(&event));
        queue.push_back(event);
        // A program that never takes events, such as one that only adds jobs, must not accumulate them.
        if self.news > MAX_NEWS
            && let Some(oldest) = queue.iter().position(is_news)
        {
            queue.remove(oldest);
            self.news -= 1;
        }
    }

    fn before_take(&mut self, queue: &mut VecDeque<QueuedEvent>) {
        let dropped = std::mem::take(&mut self.dropped);
        if dropped > 0 {
            let text = format!("{dropped} messages were dropped, because this program did not take them");
            self.push(queue, QueuedEvent::Error(Error::new(ErrorKind::MessagesDropped, text)));
        }
    }

    fn taken(&mut self, events: &[QueuedEvent]) {
        let mut now = 0;
        for event in events {
            match event {
                QueuedEvent::Add(job) => {
                    if now == 0 {
                        now = boottime().as_micros() as u64;
                    }
                    job.started.store(now, Ordering::Relaxed);
                    self.taken.adds += 1;
                    self.since_room += 1;
                }
                QueuedEvent::Message(_) => self.taken.messages += 1,
                _ => {}
            }
            if let Some(bytes) = message_bytes(event) {
                self.messages -= 1;
                self.message_bytes -= bytes;
            }
            self.news -= usize::from(is_news(event));
        }
        if self.since_room >= self.room_step {
            self.since_room = 0;
            self.room.notify_one();
        }
    }
}

impl MemberEvents {
    /// `window`: the limit of jobs that the program has not taken. `wanted`: the program runs jobs from the start.
    pub(crate) fn new(window: u32, wanted: bool) -> Self {
        let room = Arc::new(Notify::new());
        let kept = Kept {
            room: room.clone(),
            room_step: u64::from(window).div_ceil(4),
            taken: Taken::default(),
            since_room: 0,
            news: 0,
            messages: 0,
            message_bytes: 0,
            dropped: 0,
        };
        MemberEvents { queue: EventQueue::new(kept), room, wanted: AtomicBool::new(wanted) }
    }

    #[cfg(any(test, feature = "bindings"))]
    pub(crate) fn set_wake(&self, wake: Wake) {
        self.queue.set_wake(wake);
    }

    pub(crate) fn push(&self, events: impl IntoIterator<Item = QueuedEvent>) {
        self.queue.push(events);
    }

    #[cfg(any(test, feature = "bindings"))]
    pub(crate) fn take(&self, max: usize) -> Vec<QueuedEvent> {
        let events = self.queue.take(max);
        if !events.is_empty() {
            mark(Stage::Taken);
        }
        events
    }

    /// Returns the next event, and accepts jobs from now on. `None` when the member has ended.
    pub(crate) async fn next(&self) -> Option<QueuedEvent> {
        self.want();
        let event = self.queue.next().await;
        mark(Stage::Taken);
        event
    }

    pub(crate) fn end(&self) {
        self.queue.end();
    }

    /// Accepts jobs from now on.
    pub(crate) fn want(&self) {
        if !self.wanted.load(Ordering::Relaxed) {
            self.wanted.store(true, Ordering::Relaxed);
            self.room.notify_one();
        }
    }

    pub(crate) fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed)
    }

    pub(crate) fn counts(&self) -> Taken {
        self.queue.bounds(|kept| kept.taken)
    }

    /// Removes and returns the `Add` events that the program has not taken: of all jobs, or of the one with this fence.
    pub(crate) fn withdraw_adds(&self, fence: Option<u64>) -> Vec<Arc<JobData>> {
        self.queue.withdraw(|event| match event {
            QueuedEvent::Add(job) if fence.is_none_or(|fence| job.fence == fence) => Some(job.clone()),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unread_events_are_bounded_and_a_wake_is_sent_once() {
        let events = MemberEvents::new(10, true);
        let wakes = Arc::new(std::sync::atomic::AtomicU32::new(0));
        let count = wakes.clone();
        events.set_wake(Arc::new(move || {
            count.fetch_add(1, Ordering::Relaxed);
        }));
        for n in 0..100 {
            events.push([QueuedEvent::Error(Error::new(ErrorKind::Unavailable, n.to_string()))]);
        }
        events.push([QueuedEvent::Close(None)]);
        let taken = events.take(1000);
        assert_eq!(taken.len(), MAX_NEWS + 1);
        assert!(matches!(&taken[0], QueuedEvent::Error(error) if error.message() == "36"), "the newest are kept");
        assert!(matches!(taken[MAX_NEWS], QueuedEvent::Close(None)));
        events.push([QueuedEvent::Close(None)]);
        assert_eq!(wakes.load(Ordering::Relaxed), 2, "one for each time it was empty");
    }
}
