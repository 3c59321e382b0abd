//! A queue of events that the program has not taken yet.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::lock::Mutex;
use tokio::sync::Notify;

/// Called when there are events again. It must be quick and must not block.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// Bounds the events that a queue keeps while the program does not take them, and counts events.
pub trait Bounds {
    /// The type of the queued events.
    type Event;
    /// Appends an event, or drops it or older ones.
    fn push(&mut self, queue: &mut VecDeque<Self::Event>, event: Self::Event);
    /// Called before the program takes events: appends reports of dropped events.
    fn before_take(&mut self, queue: &mut VecDeque<Self::Event>);
    /// Called with the events that the program takes.
    fn taken(&mut self, events: &[Self::Event]);
}

/// A queue that any thread appends to and takes from. The wake-up function is called once each time that the queue was found empty and has events
/// again.
pub struct EventQueue<B: Bounds> {
    state: Mutex<State<B>>,
    readable: Notify,
}

struct State<B: Bounds> {
    events: VecDeque<B::Event>,
    bounds: B,
    /// A wake-up was sent and the queue has not been found empty since.
    woken: bool,
    wake: Option<Wake>,
    ended: bool,
}

impl<B: Bounds> EventQueue<B> {
    /// An empty queue.
    pub fn new(bounds: B) -> Self {
        let state = State { events: VecDeque::new(), bounds, woken: false, wake: None, ended: false };
        EventQueue { state: Mutex::new(state), readable: Notify::new() }
    }

    /// Sets the function that is called when there are events again. It is called at once if the queue has events.
    pub fn set_wake(&self, wake: Wake) {
        let mut state = self.state.lock();
        state.wake = Some(wake.clone());
        state.woken = !state.events.is_empty();
        if state.woken {
            drop(state);
            wake();
        }
    }

    /// Appends events, in order.
    pub fn push(&self, events: impl IntoIterator<Item = B::Event>) {
        let mut state = self.state.lock();
        let State { events: queue, bounds, .. } = &mut *state;
        for event in events {
            bounds.push(queue, event);
        }
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

    /// Takes up to `max` events; never blocks.
    pub fn take(&self, max: usize) -> Vec<B::Event> {
        if max == 0 {
            return Vec::new();
        }
        let mut state = self.state.lock();
        let State { events, bounds, woken, .. } = &mut *state;
        bounds.before_take(events);
        let count = events.len().min(max);
        let taken: Vec<_> = events.drain(..count).collect();
        bounds.taken(&taken);
        if events.is_empty() {
            *woken = false;
        }
        taken
    }

    /// The next event; `None` once the queue has ended and is empty.
    pub async fn next(&self) -> Option<B::Event> {
        loop {
            if let Some(event) = self.take(1).pop() {
                return Some(event);
            }
            if self.state.lock().ended {
                self.readable.notify_one();
                return None;
            }
            self.readable.notified().await;
        }
    }

    /// Ends the queue.
    pub fn end(&self) {
        self.state.lock().ended = true;
        self.readable.notify_one();
    }

    /// Reads what the bounds count.
    pub fn bounds<T>(&self, read: impl FnOnce(&B) -> T) -> T {
        read(&self.state.lock().bounds)
    }

    /// Removes events that the program has not taken, from any position: those for which `out` returns a value. Returns these values.
    pub fn withdraw<T>(&self, mut out: impl FnMut(&B::Event) -> Option<T>) -> Vec<T> {
        let mut withdrawn = Vec::new();
        self.state.lock().events.retain(|event| match out(event) {
            Some(one) => {
                withdrawn.push(one);
                false
            }
            None => true,
        });
        withdrawn
    }
}
