//! Sinks of log records whose end can be waited for: a sink that was replaced or removed still gets the records from before.

use std::ops::Deref;
use std::time::Duration;

use crate::lock::{Condvar, Mutex};

/// Counts sinks that may still get records.
#[derive(Debug)]
pub struct Sinks {
    open: Mutex<Count>,
    closed: Condvar,
}

#[derive(Debug)]
struct Count {
    count: u32,
    process: u32,
}

impl Count {
    /// Those of this process: in a forked child the thread of the log is gone, and with it the sinks of its parent.
    fn here(&self) -> u32 {
        if self.process == std::process::id() { self.count } else { 0 }
    }
}

impl Default for Sinks {
    fn default() -> Self {
        Self::new()
    }
}

impl Sinks {
    /// None yet.
    pub const fn new() -> Self {
        Sinks { open: Mutex::new(Count { count: 0, process: 0 }), closed: Condvar::new() }
    }

    /// Whether one of this process may still get records.
    pub fn any(&self) -> bool {
        self.open.lock().here() > 0
    }

    /// Whether this is a forked child whose parent had some. Never waits: the lock may have been held when the process was forked.
    pub fn left_by_parent(&self) -> bool {
        self.open.try_lock().is_some_and(|open| open.count > 0 && open.here() == 0)
    }

    /// Waits until none of this process gets records any more, at most `limit`.
    pub fn wait(&self, limit: Duration) {
        let _open = self.closed.wait_while(self.open.lock(), limit, |open| open.here() > 0);
    }
}

/// Counts a sink while it lives; the sink owns it.
#[derive(Debug)]
pub struct OpenSink<S: Deref<Target = Sinks>>(S);

impl<S: Deref<Target = Sinks>> OpenSink<S> {
    /// Counts one more.
    pub fn new(sinks: S) -> Self {
        let mut open = sinks.open.lock();
        *open = Count { count: open.here() + 1, process: std::process::id() };
        drop(open);
        OpenSink(sinks)
    }
}

impl<S: Deref<Target = Sinks>> Drop for OpenSink<S> {
    fn drop(&mut self) {
        let mut open = self.0.open.lock();
        open.count = open.count.saturating_sub(1);
        drop(open);
        self.0.closed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Instant;

    use super::*;

    #[test]
    fn the_end_of_the_last_sink_is_waited_for() {
        let sinks = Arc::new(Sinks::new());
        let (one, other) = (OpenSink::new(sinks.clone()), OpenSink::new(sinks.clone()));
        let begun = Instant::now();
        let ends = std::thread::spawn(move || drop((one, other)));
        sinks.wait(Duration::from_secs(30));
        assert!(!sinks.any() && begun.elapsed() < Duration::from_secs(30));
        ends.join().unwrap_or_else(|_| panic!("dropping sinks panicked"));
    }
}
