//! Bounds the events of a supervisor that the program has not taken.

use std::collections::VecDeque;

use libswarm_common::event_queue::Bounds;

use super::event::SupervisorEvent;

/// The limit of events other than lines; the newest are kept.
const MAX_NEWS: usize = 1000;
/// The approximate memory of a line besides its bytes.
const LINE_OVERHEAD: usize = 64;

pub(super) type EventQueue = libswarm_common::event_queue::EventQueue<Kept>;

/// Lines are limited by bytes: the newest are dropped. Other events are limited by number: the oldest are dropped.
pub(super) struct Kept {
    max_line_bytes: usize,
    line_bytes: usize,
    news: usize,
    /// Lines and events that were dropped at the head and not reported yet.
    lost: (u64, u64),
}

impl Kept {
    pub(super) fn new(max_line_bytes: usize) -> Self {
        Kept { max_line_bytes, line_bytes: 0, news: 0, lost: (0, 0) }
    }
}

impl Bounds for Kept {
    type Event = SupervisorEvent;

    fn push(&mut self, queue: &mut VecDeque<SupervisorEvent>, event: SupervisorEvent) {
        if let SupervisorEvent::Line { line, .. } = &event {
            let bytes = line.len() + LINE_OVERHEAD;
            if self.line_bytes + bytes > self.max_line_bytes {
                match queue.back_mut() {
                    Some(SupervisorEvent::Dropped { lines, .. }) => *lines += 1,
                    _ => self.push(queue, SupervisorEvent::Dropped { lines: 1, events: 0 }),
                }
                return;
            }
            self.line_bytes += bytes;
        } else {
            self.news += 1;
        }
        queue.push_back(event);
        if self.news > MAX_NEWS
            && let Some(oldest) = queue.iter().position(|event| !matches!(event, SupervisorEvent::Line { .. }))
        {
            match queue.remove(oldest) {
                Some(SupervisorEvent::Dropped { lines, .. }) => self.lost.0 += lines,
                _ => self.lost.1 += 1,
            }
            self.news -= 1;
        }
    }

    fn before_take(&mut self, queue: &mut VecDeque<SupervisorEvent>) {
        let (lines, events) = std::mem::take(&mut self.lost);
        if lines + events > 0 {
            queue.push_front(SupervisorEvent::Dropped { lines, events });
            self.news += 1;
        }
    }

    fn taken(&mut self, events: &[SupervisorEvent]) {
        for event in events {
            match event {
                SupervisorEvent::Line { line, .. } => self.line_bytes -= line.len() + LINE_OVERHEAD,
                _ => self.news -= 1,
            }
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
    fn unread_events_are_bounded_and_dropped_ones_are_counted() {
        let queue = EventQueue::new(Kept::new(10 * (LINE_OVERHEAD + 1)));
        for _ in 0..25 {
            queue.push([line(b"x")]);
        }
        for signal in 0..1500 {
            queue.push([SupervisorEvent::Signal { signal }]);
        }
        let events = queue.take(10_000);
        assert!(matches!(events[0], SupervisorEvent::Dropped { lines: 15, events: 500 }), "{:?}", events[0]);
        assert_eq!(events.iter().filter(|event| matches!(event, SupervisorEvent::Line { .. })).count(), 10);
        assert!(matches!(events.last(), Some(SupervisorEvent::Signal { signal: 1499 })), "the newest are kept");
        for _ in 0..25 {
            queue.push([line(b"x")]);
        }
        queue.push([SupervisorEvent::Stopped]);
        let events = queue.take(10_000);
        assert!(matches!(events[10], SupervisorEvent::Dropped { lines: 15, events: 0 }), "there is room again: {events:?}");
        assert_eq!(events.len(), 12);
    }
}
