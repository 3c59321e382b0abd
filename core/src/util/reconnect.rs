//! Delays between attempts to reach Redis.

use std::time::Duration;

use rand::Rng;

const FIRST: Duration = Duration::from_millis(20);

/// Delays that double from 20 ms to a limit; the second half of each is random.
pub(crate) struct ReconnectDelay {
    next: Duration,
    max: Duration,
}

impl ReconnectDelay {
    pub(crate) fn new(max: Duration) -> Self {
        ReconnectDelay { next: FIRST, max }
    }

    pub(crate) fn next(&mut self) -> Duration {
        let delay = self.next.min(self.max);
        self.next = delay * 2;
        delay.mul_f64(rand::rng().random_range(0.5..=1.0))
    }

    pub(crate) fn reset(&mut self) {
        self.next = FIRST;
    }
}
