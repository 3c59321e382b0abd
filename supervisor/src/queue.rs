//! The queue through which a program is told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::Notify;

use super::event::SupervisorEvent;

/// Events other than lines kept for a program that does not take them: the newest.
const MAX_NEWS: usize = 1000;
/// What a line takes beside its bytes, about.
const LINE_OVERHEAD: usize = 64;

type Wake = Arc<dyn Fn() + Send + Sync>;

/// Bounded: lines by their bytes, the newest dropped; other events by their number, the oldest dropped.
pub(super) struct EventQueue {
    state: Mutex<State>,
    readable: Notify,
    line_bytes: usize,
}

#[derive(Default)]
struct State {
    events: VecDeque<SupervisorEvent>,
    line_bytes: usize,
    news: usize,
    /// Lines and events dropped at the head and not told yet.
    lost: (u64, u64),
    /// A wake was sent and the queue has not been found empty since.
    woken: bool,
    wake: Option<Wake>,
    ended: bool,
}

impl State {
    fn add(&mut self, event: SupervisorEvent, most_bytes: usize) {
        if let SupervisorEvent::Line { line, .. } = &event {
            let bytes = line.len() + LINE_OVERHEAD;
            if self.line_bytes + bytes > most_bytes {
                match self.events.back_mut() {
                    Some(SupervisorEvent::Dropped { lines, .. }) => *lines += 1,
                    _ => self.add(SupervisorEvent::Dropped { lines: 1, events: 0 }, most_bytes),
                }
                return;
            }
            self.line_bytes += bytes;
        } else {
            self.news += 1;
        }
        self.events.push_back(event);
        if self.news > MAX_NEWS
            && let Some(oldest) = self.events.iter().position(|event| !matches!(event, SupervisorEvent::Line { .. }))
        {
            match self.events.remove(oldest) {
                Some(SupervisorEvent::Dropped { lines, .. }) => self.lost.0 += lines,
                _ => self.lost.1 += 1,
            }
            self.news -= 1;
        }
    }

    fn take(&mut self, max: usize) -> Vec<SupervisorEvent> {
        if max == 0 {
            return Vec::new();
        }
        let (lines, events) = std::mem::take(&mut self.lost);
        let head = (lines + events > 0).then_some(SupervisorEvent::Dropped { lines, events });
        let heads = usize::from(head.is_some());
        let count = self.events.len().min(max - heads);
        let taken: Vec<_> = head.into_iter().chain(self.events.drain(..count)).collect();
        for event in &taken[heads..] {
            match event {
                SupervisorEvent::Line { line, .. } => self.line_bytes -= line.len() + LINE_OVERHEAD,
                _ => self.news -= 1,
            }
        }
        if self.events.is_empty() {
            self.woken = false;
        }
        taken
    }
}

impl EventQueue {
    pub(super) fn new(line_bytes: usize) -> Self {
        EventQueue { state: Mutex::default(), readable: Notify::new(), line_bytes }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub(super) fn set_wake(&self, wake: Wake) {
        let mut state = self.lock();
        state.wake = Some(wake.clone());
        state.woken = !state.events.is_empty();
        if state.woken {
            drop(state);
            wake();
        }
    }

    pub(super) fn push(&self, event: SupervisorEvent) {
        let mut state = self.lock();
        state.add(event, self.line_bytes);
        if state.woken {
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
    pub(super) fn end(&self) {
        self.lock().ended = true;
        self.readable.notify_one();
    }

    pub(super) fn take(&self, max: usize) -> Vec<SupervisorEvent> {
        self.lock().take(max)
    }

    pub(super) async fn next(&self) -> Option<SupervisorEvent> {
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
}

#[cfg(test)]
mod tests {
    use super::super::event::ProcessStream;
    use super::*;

    fn line(text: &[u8]) -> SupervisorEvent {
        SupervisorEvent::Line { id: 1, name: "a".into(), pid: 2, stream: ProcessStream::Stdout, line: text.to_vec() }
    }

    #[test]
    fn what_nobody_takes_is_bounded_and_what_is_dropped_is_counted() {
        let queue = EventQueue::new(10 * (LINE_OVERHEAD + 1));
        for _ in 0..25 {
            queue.push(line(b"x"));
        }
        for signal in 0..1500 {
            queue.push(SupervisorEvent::Signal { signal });
        }
        let events = queue.take(10_000);
        assert!(matches!(events[0], SupervisorEvent::Dropped { lines: 15, events: 500 }), "{:?}", events[0]);
        assert_eq!(events.iter().filter(|event| matches!(event, SupervisorEvent::Line { .. })).count(), 10);
        assert!(matches!(events.last(), Some(SupervisorEvent::Signal { signal: 1499 })), "the newest are kept");
        for _ in 0..25 {
            queue.push(line(b"x"));
        }
        queue.push(SupervisorEvent::Stopped);
        let events = queue.take(10_000);
        assert!(matches!(events[10], SupervisorEvent::Dropped { lines: 15, events: 0 }), "there is room again: {events:?}");
        assert_eq!(events.len(), 12);
    }
}
